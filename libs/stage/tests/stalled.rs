//! A partition that is assigned and not fetched while everything else goes on, and partitions that stand still for a
//! good reason. The embedded broker is behind a proxy that leaves a partition out of what a client fetches.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod consumer;

use std::sync::atomic::Ordering;
use std::time::Duration;

use consumer::{Consumer, Seen, TOPIC, produce_to_partition, wait_until};
use devstack::Broker;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use stage::intake::IntakeOptions;
use testkit::KafkaProxy;
use testkit::raw::Batch;

const STUCK: Duration = Duration::from_secs(2);
/// The looks of a stage, three in the stuck timeout, after which it would have named a partition that stood still without
/// a reason.
const LOOKS: u64 = 8;

const REFUSED: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;

struct Stage {
    broker: Broker,
    proxy: KafkaProxy,
    seen: Seen,
    consumer: Consumer,
}

impl Stage {
    fn start(partitions: i32, seen: Seen, change: impl FnOnce(&mut IntakeOptions)) -> Self {
        Self::start_on(Broker::start().unwrap(), partitions, seen, change)
    }

    fn start_on(
        broker: Broker,
        partitions: i32,
        seen: Seen,
        change: impl FnOnce(&mut IntakeOptions),
    ) -> Self {
        broker.create_topic(TOPIC, partitions).unwrap();
        let proxy = KafkaProxy::start(broker.bootstrap_servers()).unwrap();
        let consumer = Consumer::start_at(proxy.bootstrap_servers(), &seen, |options| {
            options.config.set("statistics.interval.ms", "100");
            options.stuck_timeout = STUCK;
            options.answered_timeout = Some(STUCK);
            change(options);
        });
        Self {
            broker,
            proxy,
            seen,
            consumer,
        }
    }

    fn produce(&self, partition: i32, values: std::ops::Range<usize>) {
        produce_to_partition(&self.broker, partition, values, 10);
    }

    fn reads(&self, count: usize) {
        wait_until(&format!("{count} messages are read"), || {
            self.seen.distinct() == count
        });
    }

    /// Why the partitions are not ready.
    fn why(&self) -> Option<String> {
        let missing = self.consumer.service.readiness.missing();
        missing
            .into_iter()
            .find_map(|(part, why)| (part == "partitions").then_some(why))
    }

    fn asked(&self) -> u64 {
        self.proxy
            .requests()
            .get("ListOffsets")
            .copied()
            .unwrap_or_default()
    }

    fn remade(&self) -> u64 {
        self.consumer
            .metrics
            .stuck
            .with_label_values(&["all", "remade"])
            .get()
    }

    /// Waits until the stage has looked often enough to name a partition that stands still without a reason, and has not.
    fn names_none(&self) {
        let asked = self.asked();
        wait_until("the ends have been asked for", || {
            let why = self.why().unwrap_or_default();
            assert!(!why.contains("not fetched"), "{why}");
            self.asked() >= asked + LOOKS
        });
    }
}

#[test]
fn a_partition_that_is_not_fetched_is_named_and_then_read_by_new_clients() {
    let stage = Stage::start(2, Seen::default(), |_| ());
    stage.produce(0, 0..1);
    stage.produce(1, 1..2);
    stage.reads(2);
    stage.proxy.starve(1);
    stage.produce(0, 2..3);
    stage.produce(1, 3..5);
    wait_until("it is named", || {
        stage
            .why()
            .is_some_and(|why| why.contains("in[1] stands still at offset 1,") && !why.contains("in[0]"))
    });
    // The metric is true as well, although the statistics repeat an end that has been read.
    wait_until("the lag grows", || {
        stage.consumer.metrics.lag.get(TOPIC, 1) == Some(2)
    });
    stage.reads(5);
    assert_eq!(stage.remade(), 1);
    wait_until("it is ready", || stage.consumer.service.readiness.is_ready());
    stage.produce(1, 5..6);
    stage.reads(6);
    assert_eq!(stage.seen.twice(), 0, "all had been committed");
    stage.consumer.stop();
}

#[test]
fn one_that_was_empty_when_it_was_fetched_last_is_noticed_as_well() {
    let stage = Stage::start(2, Seen::default(), |_| ());
    wait_until("it is ready", || stage.consumer.service.readiness.is_ready());
    stage.proxy.starve(0);
    stage.produce(0, 0..1);
    stage.reads(1);
    assert_eq!(stage.remade(), 1);
    stage.consumer.stop();
}

/// A stage whose first questions for the committed offset are answered in this way. Its limit for a client that gets
/// answers is the default, a minute and more, which a stall does not wait for.
fn answered(answers: &[RDKafkaRespErr]) -> Stage {
    let broker = Broker::start().unwrap();
    broker.fail_next(RDKafkaApiKey::OffsetFetch, answers).unwrap();
    let stage = Stage::start_on(broker, 1, Seen::default(), |options| {
        options.answered_timeout = None
    });
    stage.produce(0, 0..3);
    stage
}

/// After a refusal, librdkafka does not ask again.
#[test]
fn one_that_librdkafka_never_begins_to_fetch_is_noticed_as_well() {
    let stage = answered(&[REFUSED, REFUSED]);
    wait_until("it is named", || {
        stage
            .why()
            .is_some_and(|why| why.contains("in[0] stands still at offset 0,"))
    });
    stage.reads(3);
    assert_eq!(stage.remade(), 1);
    stage.consumer.stop();
}

#[test]
fn a_new_group_begins_although_librdkafka_would_get_no_committed_offset() {
    let stage = answered(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR, REFUSED]);
    stage.reads(3);
    assert_eq!(stage.remade(), 0);
    stage.consumer.stop();
}

#[test]
fn quiet_partitions_cost_one_request_and_are_not_stuck() {
    let stage = Stage::start(300, Seen::default(), |_| ());
    stage.produce(0, 0..3);
    stage.reads(3);
    // While they begin, librdkafka asks for each of them.
    wait_until("the start is over", || {
        let asked = stage.asked();
        std::thread::sleep(STUCK);
        stage.asked() - asked <= 4
    });
    stage.names_none();
    stage.produce(7, 3..4);
    stage.reads(4);
    stage.consumer.stop();
}

#[test]
fn messages_that_wait_for_a_worker_are_not_stuck() {
    let seen = Seen::default();
    seen.held.store(true, Ordering::Relaxed);
    let stage = Stage::start(3, seen, |_| ());
    stage.produce(0, 0..2);
    let in_flight = &stage.consumer.metrics.in_flight;
    wait_until("they are taken", || in_flight.get() == 2);
    // More wait behind them, which nobody fetches.
    stage.proxy.starve(0);
    stage.produce(0, 2..4);
    stage.names_none();
    stage.consumer.service.shutdown.ask();
    stage.seen.held.store(false, Ordering::Relaxed);
    stage.consumer.stop();
}

#[test]
fn an_intake_that_is_paused_is_not_stuck() {
    let seen = Seen::default();
    seen.held.store(true, Ordering::Relaxed);
    let stage = Stage::start(3, seen, |options| {
        options.max_bytes = 5_000;
        options.ends_interval = STUCK / 3;
    });
    stage.produce(0, 0..100);
    stage.produce(1, 100..200);
    let paused = &stage.consumer.metrics.paused;
    wait_until("it pauses", || paused.get() == 1);
    // Nothing of this partition is in flight.
    stage.produce(2, 200..210);
    stage.names_none();
    stage.seen.held.store(false, Ordering::Relaxed);
    stage.reads(210);
    wait_until("it resumes", || paused.get() == 0);
    stage.names_none();
    stage.consumer.stop();
}

#[test]
fn a_partition_before_a_batch_that_cannot_be_decoded_is_blocked_and_not_stuck() {
    let stage = Stage::start(2, Seen::default(), |_| ());
    let batch = Batch::new().record(&[b'x'; 500], &[]).with_wrong_checksum();
    batch.send(stage.broker.bootstrap_servers(), TOPIC, 0).unwrap();
    wait_until("it is blocked", || {
        stage.why().is_some_and(|why| why.contains("cannot be decoded"))
    });
    stage.names_none();
    stage.consumer.stop();
}
