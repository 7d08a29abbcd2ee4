//! Batches that cannot be decoded, on the embedded broker: their partition is blocked and `/ready` names it, or later
//! messages are read if the operator asks for it. Nothing else is lost, and nothing is read twice.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, Scope};
use std::time::Duration;

use devstack::Broker;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use stage::config::ServiceArgs;
use stage::intake::{Consumed, Intake, IntakeOptions, Topics, Worker, WorkerError, WorkerFactory};
use stage::kafka::Reporter;
use stage::metrics::KafkaMetrics;
use stage::service::Service;
use testkit::raw::{Batch, ZSTD};
use testkit::until;

const TOPIC: &str = "in";
const TIMEOUT: Duration = Duration::from_secs(60);

/// All consumed values in order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl<'m> WorkerFactory<'m> for Seen {
    type Worker = Seen;

    fn worker<'scope>(&self, _: usize, _: &'scope Scope<'scope, 'm>) -> Result<Seen, WorkerError>
    where
        'm: 'scope,
    {
        Ok(self.clone())
    }
}

impl<'m> Worker<'m> for Seen {
    fn take(&mut self, batch: Vec<Consumed<'m>>) -> Result<(), WorkerError> {
        for consumed in batch {
            let value = String::from_utf8_lossy(consumed.message.payload().unwrap()).into_owned();
            self.0.lock().unwrap().push(value);
            consumed.receipt.finish();
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), WorkerError> {
        Ok(())
    }
}

impl Seen {
    /// The values of a partition.
    fn of(&self, partition: i32) -> Vec<String> {
        let (seen, prefix) = (self.0.lock().unwrap(), format!("{partition}:"));
        seen.iter()
            .filter_map(|value| value.strip_prefix(&prefix))
            .map(|value| value.trim_end_matches('.').to_owned())
            .collect()
    }
}

struct Stage {
    broker: Broker,
    seen: Seen,
    service: Service,
    metrics: KafkaMetrics,
    thread: Option<JoinHandle<()>>,
}

impl Stage {
    /// A topic with two partitions.
    fn prepare() -> Self {
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 2).unwrap();
        let service = Service::embedded(&ServiceArgs::default());
        let metrics = KafkaMetrics::register(&service.metrics).unwrap();
        Self {
            broker,
            seen: Seen::default(),
            service,
            metrics,
            thread: None,
        }
    }

    fn start(&mut self, skips: bool) {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.broker.bootstrap_servers())
            .set("session.timeout.ms", "6000")
            .set("statistics.interval.ms", "200");
        for (key, value) in Broker::fetch_hints() {
            config.set(*key, *value);
        }
        let mut options = IntakeOptions::new(config, "group", Topics::Named(vec![TOPIC.to_owned()]));
        options.workers = 2;
        options.commit_interval = Duration::from_millis(50);
        options.skip_undecodable_batches = skips;
        let reporter = Reporter::new(self.metrics.clone(), self.service.readiness.dependency("kafka"));
        let (seen, shutdown) = (self.seen.clone(), self.service.shutdown.clone());
        self.thread = Some(std::thread::spawn(move || {
            let intake = Intake::new(options, reporter).unwrap();
            intake.run(&seen, &shutdown).unwrap();
        }));
    }

    /// Each value is a record of one batch. They are long, so that what librdkafka reads as an offset in the middle of
    /// a batch lies in one of them.
    fn batch(partition: i32, values: &[&str]) -> Batch {
        values.iter().fold(Batch::new(), |batch, value| {
            batch.record(format!("{partition}:{value}{}", ".".repeat(500)).as_bytes(), &[])
        })
    }

    fn send(&self, partition: i32, batch: &Batch) {
        batch
            .send(self.broker.bootstrap_servers(), TOPIC, partition)
            .unwrap();
    }

    fn committed(&self, partition: i32) -> Offset {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.broker.bootstrap_servers())
            .set("group.id", "group")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition(TOPIC, partition);
        let committed = consumer.committed_offsets(list, TIMEOUT).unwrap();
        committed.elements()[0].offset()
    }

    /// What `/ready` shows for partitions.
    fn said(&self) -> Option<String> {
        let missing = self.service.readiness.missing();
        missing
            .into_iter()
            .find_map(|(part, why)| (part == "partitions").then_some(why))
    }

    fn wait_for(&self, partition: i32, values: &[&str]) {
        until("records", TIMEOUT.as_secs(), || {
            let seen = self.seen.of(partition);
            (seen == values)
                .then_some(())
                .ok_or(format!("{partition}: {seen:?}"))
        });
    }

    fn wait_until_said(&self, what: &str) {
        until("what it says", TIMEOUT.as_secs(), || match self.said() {
            Some(said) if said.contains(what) => Ok(()),
            said => Err(format!("{said:?} instead of {what}")),
        });
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.service.shutdown.ask();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Three kinds that librdkafka handles differently: after the first it continues in the wrong place, with the others it
/// does not advance.
fn undecodable(kind: usize, partition: i32) -> Batch {
    let batch = Stage::batch(partition, &["x", "y", "z"]);
    match kind {
        0 => batch.with_wrong_checksum(),
        1 => batch.compressed(ZSTD, b"this does not unpack"),
        _ => batch.compressed(7, b"no codec has this number"),
    }
}

fn stands_still_in_front_of(kind: usize) {
    let mut stage = Stage::prepare();
    stage.send(0, &Stage::batch(0, &["a", "b", "c"]));
    stage.send(0, &undecodable(kind, 0));
    stage.send(0, &Stage::batch(0, &["behind"]));
    stage.send(1, &Stage::batch(1, &["a"]));
    stage.start(false);
    stage.wait_until_said("in[0] stands still at offset 3, its next batch cannot be decoded (");
    assert_eq!(stage.metrics.blocked.get(), 1);
    // The other one continues, and this one is not read however long it is tried.
    for more in 0..20 {
        stage.send(1, &Stage::batch(1, &[&more.to_string()]));
        std::thread::sleep(Duration::from_millis(50));
    }
    until("the other partition is read", TIMEOUT.as_secs(), || {
        let seen = stage.seen.of(1).len();
        (seen == 21).then_some(()).ok_or(format!("{seen} of 21"))
    });
    stage.wait_for(0, &["a", "b", "c"]);
    until(
        "the first three are committed",
        TIMEOUT.as_secs(),
        || match stage.committed(0) {
            Offset::Offset(3) => Ok(()),
            other => Err(format!("{other:?} is committed")),
        },
    );
    assert_eq!(stage.metrics.skipped_batches.get(), 0);
}

#[test]
fn a_wrong_checksum_holds_its_partition_and_no_other() {
    stands_still_in_front_of(0);
}

#[test]
fn what_cannot_be_decompressed_holds_its_partition_and_no_other() {
    stands_still_in_front_of(1);
}

#[test]
fn an_unknown_codec_holds_its_partition_and_no_other() {
    stands_still_in_front_of(2);
}

#[test]
fn what_follows_undecodable_batches_is_read_if_that_is_requested() {
    let mut stage = Stage::prepare();
    // The first of a partition, two in a row, one alone, and the last.
    for kind in [0, 0, 1] {
        stage.send(0, &undecodable(kind, 0));
    }
    stage.send(0, &Stage::batch(0, &["a", "b"]));
    stage.send(0, &undecodable(2, 0));
    stage.send(0, &Stage::batch(0, &["c"]));
    stage.send(0, &undecodable(0, 0));
    stage.send(1, &undecodable(1, 1));
    stage.send(1, &Stage::batch(1, &["d"]));
    stage.start(true);
    until("all are skipped", TIMEOUT.as_secs(), || {
        let skipped = (
            stage.metrics.skipped_batches.get(),
            stage.metrics.skipped_offsets.get(),
        );
        (skipped == (6, 18)).then_some(()).ok_or(format!("{skipped:?}"))
    });
    stage.wait_for(0, &["a", "b", "c"]);
    stage.wait_for(1, &["d"]);
    until("both are committed", TIMEOUT.as_secs(), || {
        match (stage.committed(0), stage.committed(1), stage.said()) {
            (Offset::Offset(18), Offset::Offset(4), None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    // And it continues as if nothing had happened.
    stage.send(0, &Stage::batch(0, &["e"]));
    stage.wait_for(0, &["a", "b", "c", "e"]);
    assert_eq!(stage.metrics.blocked.get(), 0);
}

/// For a batch that does not state its size, librdkafka triples its buffer with each attempt, up to
/// `receive.message.max.bytes`: this one needs 112 MB, more than its default of 100 MB.
#[test]
fn a_batch_of_ninety_megabytes_decompressed_is_read() {
    let mut stage = Stage::prepare();
    let batch = Batch::new().record(format!("0:large{}", ".".repeat(90_000_000)).as_bytes(), &[]);
    let packed = testkit::raw::zstd(batch.records());
    assert!(packed.len() < 3_000, "{}", packed.len());
    stage.send(0, &batch.compressed(ZSTD, &packed));
    stage.send(0, &Stage::batch(0, &["behind"]));
    stage.start(false);
    stage.wait_for(0, &["large", "behind"]);
    assert_eq!(stage.said(), None);
}

#[test]
fn a_restart_is_blocked_by_the_same_batch() {
    let mut stage = Stage::prepare();
    stage.send(0, &Stage::batch(0, &["a"]));
    stage.send(0, &undecodable(0, 0));
    stage.start(false);
    stage.wait_until_said("in[0] stands still at offset 1,");
    stage.service.shutdown.ask();
    stage.thread.take().unwrap().join().unwrap();
    stage.service = Service::embedded(&ServiceArgs::default());
    stage.start(false);
    stage.wait_until_said("in[0] stands still at offset 1,");
    stage.wait_for(0, &["a"]);
}
