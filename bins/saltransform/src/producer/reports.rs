//! Delivery reports: the brokers' answer to each record, served to the workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::producer::{BaseProducer, ProducerContext};
use stage::kafka::POLL_EXCESS_DURATION;

/// The number of reports that a context has received.
#[derive(Default)]
pub(super) struct Reports(AtomicU64);

impl Reports {
    /// Counts a report.
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number so far.
    pub(super) fn counted(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Serves all available reports, or those that arrive within `timeout`.
///
/// Without a wait, rdkafka's own `poll` serves one event: the reports of one request. If each record is a request (many
/// topics, few messages of each), reports are then served more slowly than records are sent, and fall seconds behind
/// within a minute.
pub(super) fn serve<C>(producer: &BaseProducer<C>, reports: &Reports, timeout: Duration)
where
    C: ProducerContext,
{
    let served = || reports.counted();
    let mut before = served();
    let is_wait = !timeout.is_zero();
    producer.poll(if is_wait {
        timeout + POLL_EXCESS_DURATION
    } else {
        timeout
    });
    while served() != before {
        before = served();
        producer.poll(Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use devstack::Broker;
    use rdkafka::message::DeliveryResult;
    use rdkafka::producer::{BaseRecord, Producer};
    use rdkafka::{ClientConfig, ClientContext};

    use super::*;

    #[derive(Default)]
    struct Counting(Reports);

    impl ClientContext for Counting {}

    impl ProducerContext for Counting {
        type DeliveryOpaque = ();

        fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {
            self.0.count();
        }
    }

    #[test]
    fn reports_of_many_requests_are_served_together() {
        const TOPICS: usize = 100;
        const TIMEOUT: Duration = Duration::from_secs(60);
        let broker = Broker::start().unwrap();
        let producer: BaseProducer<Counting> = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .create_with_context(Counting::default())
            .unwrap();
        let topics: Vec<String> = (0..TOPICS).map(|number| format!("topic{number}")).collect();
        for topic in &topics {
            broker.create_topic(topic, 1).unwrap();
            let record = BaseRecord::<(), _>::to(topic).payload("a request of its own");
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        let start = Instant::now();
        let is_there = |topic: &&String| {
            let ends = producer.client().fetch_watermarks(topic, 0, TIMEOUT);
            ends.is_ok_and(|(_, end)| end == 1)
        };
        while topics.iter().filter(is_there).count() < TOPICS {
            assert!(start.elapsed() < TIMEOUT, "the broker does not have all records");
        }
        let reports = &producer.context().0;
        let mut calls = 0;
        while reports.0.load(Ordering::Relaxed) < TOPICS as u64 {
            assert!(start.elapsed() < 2 * TIMEOUT, "{calls} calls");
            let before = reports.0.load(Ordering::Relaxed);
            serve(&producer, reports, Duration::ZERO);
            calls += usize::from(reports.0.load(Ordering::Relaxed) != before);
            std::thread::yield_now();
        }
        assert!(
            calls < TOPICS / 4,
            "{calls} calls took a report each, or little more"
        );
    }
}
