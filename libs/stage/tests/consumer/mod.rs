//! A consumer group for tests: an intake whose workers can be held up and record what they see, on any broker.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, Scope};
use std::time::Duration;

use devstack::Broker;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message;
use rdkafka::producer::BaseRecord;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use stage::config::ServiceArgs;
use stage::intake::{
    Consumed, Intake, IntakeError, IntakeOptions, Topics, Worker, WorkerError, WorkerFactory, run_generations,
};
use stage::kafka::Reporter;
use stage::metrics::KafkaMetrics;
use stage::service::{Service, Shutdown};

pub(crate) const TOPIC: &str = "in";
/// A message with which the worker of a test panics.
pub(crate) const BUG: &[u8] = b"bug";
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// What all workers of a test have finished: how often each value was seen.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) counts: Arc<Mutex<HashMap<Vec<u8>, u32>>>,
    pub(crate) held: Arc<AtomicBool>,
}

pub(crate) struct HeldWorker<'m> {
    seen: Seen,
    waiting: Vec<Consumed<'m>>,
}

impl<'m> WorkerFactory<'m> for Seen {
    type Worker = HeldWorker<'m>;

    fn worker<'scope>(&self, _: usize, _: &'scope Scope<'scope, 'm>) -> Result<HeldWorker<'m>, WorkerError>
    where
        'm: 'scope,
    {
        Ok(HeldWorker {
            seen: self.clone(),
            waiting: Vec::new(),
        })
    }
}

impl<'m> Worker<'m> for HeldWorker<'m> {
    fn take(&mut self, batch: Vec<Consumed<'m>>) -> Result<(), WorkerError> {
        self.waiting.extend(batch);
        self.tick()
    }

    fn tick(&mut self) -> Result<(), WorkerError> {
        if !self.seen.held.load(Ordering::Relaxed) {
            for consumed in self.waiting.drain(..) {
                let value = consumed.message.payload().unwrap_or_default().to_vec();
                assert_ne!(value, BUG, "what a bug in a worker does");
                *self.seen.counts.lock().unwrap().entry(value).or_default() += 1;
                consumed.receipt.finish();
            }
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), WorkerError> {
        self.tick()?;
        self.waiting.retain(|consumed| !consumed.receipt.is_revoked());
        Ok(())
    }
}

impl Seen {
    pub(crate) fn distinct(&self) -> usize {
        self.counts.lock().unwrap().len()
    }

    pub(crate) fn twice(&self) -> usize {
        self.counts
            .lock()
            .unwrap()
            .values()
            .filter(|count| **count > 1)
            .count()
    }
}

pub(crate) struct Consumer {
    pub(crate) service: Service,
    pub(crate) metrics: KafkaMetrics,
    pub(crate) thread: JoinHandle<()>,
}

impl Consumer {
    /// On any broker, with this address.
    pub(crate) fn start_at(
        bootstrap_servers: &str,
        seen: &Seen,
        change: impl FnOnce(&mut IntakeOptions),
    ) -> Self {
        Self::start_with(bootstrap_servers, seen, change, || ())
    }

    pub(crate) fn start(broker: &Broker, seen: &Seen, change: impl FnOnce(&mut IntakeOptions)) -> Self {
        Self::start_and_close_after(broker, seen, change, || ())
    }

    /// After its run it waits for `wait` before it closes the consumer.
    pub(crate) fn start_and_close_after(
        broker: &Broker,
        seen: &Seen,
        change: impl FnOnce(&mut IntakeOptions),
        wait: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self::start_with(broker.bootstrap_servers(), seen, change, wait)
    }

    fn start_with(
        bootstrap_servers: &str,
        seen: &Seen,
        change: impl FnOnce(&mut IntakeOptions),
        wait: impl FnOnce() + Send + 'static,
    ) -> Self {
        let service = Service::embedded(&ServiceArgs::default());
        let metrics = KafkaMetrics::register(&service.metrics).unwrap();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap_servers)
            .set("session.timeout.ms", "6000");
        for (key, value) in Broker::fetch_hints() {
            config.set(*key, *value);
        }
        let mut options = IntakeOptions::new(config, "group", Topics::Named(vec![TOPIC.to_owned()]));
        options.workers = 2;
        options.commit_interval = Duration::from_millis(50);
        change(&mut options);
        let reporter = Reporter::new(metrics.clone(), service.readiness.dependency("kafka"));
        let (seen, shutdown) = (seen.clone(), service.shutdown.clone());
        let stuck_timeout = options.stuck_timeout;
        let wait = Mutex::new(Some(wait));
        let run = move |shutdown: &Shutdown, say: &dyn Fn(Result<(), IntakeError>)| {
            let intake = Intake::new(options.clone(), reporter.renewed()).unwrap();
            let result = intake.run(&seen, shutdown);
            if let Some(wait) = wait.lock().unwrap().take_if(|_| result.is_ok()) {
                wait();
            }
            say(result);
        };
        let of_generations = metrics.clone();
        let thread = std::thread::spawn(move || {
            run_generations(
                &shutdown,
                &of_generations,
                stuck_timeout,
                run,
                IntakeError::remake,
            )
            .unwrap();
        });
        Self {
            service,
            metrics,
            thread,
        }
    }

    pub(crate) fn stop(self) {
        self.service.shutdown.ask();
        wait_until("the intake ends", || self.thread.is_finished());
        self.thread.join().unwrap();
    }
}

pub(crate) fn produce(broker: &Broker, values: std::ops::Range<usize>, bytes: usize) {
    produce_to(broker, TOPIC, values, bytes);
}

pub(crate) fn produce_to(broker: &Broker, topic: &str, values: std::ops::Range<usize>, bytes: usize) {
    let producer =
        testkit::producer(ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()));
    for value in values {
        let payload = format!("{value:0bytes$}");
        send(&producer, topic, payload.as_bytes());
    }
    testkit::deliver(&producer);
}

pub(crate) fn produce_to_partition(
    broker: &Broker,
    partition: i32,
    values: std::ops::Range<usize>,
    bytes: usize,
) {
    let producer =
        testkit::producer(ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()));
    for value in values {
        let payload = format!("{value:0bytes$}");
        let record = BaseRecord::<(), _>::to(TOPIC)
            .partition(partition)
            .payload(&payload);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    testkit::deliver(&producer);
}

pub(crate) fn send(producer: &testkit::Producer, topic: &str, payload: &[u8]) {
    producer
        .send(BaseRecord::<(), _>::to(topic).payload(payload))
        .map_err(|(e, _)| e)
        .unwrap();
}

/// How far the group has read the topic's first partition.
pub(crate) fn committed(broker: &Broker) -> Offset {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "group")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition(TOPIC, 0);
    let committed = consumer.committed_offsets(list, TIMEOUT).unwrap();
    committed.elements()[0].offset()
}

pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    testkit::until_true(what, TIMEOUT.as_secs(), condition);
}
