//! What the embedded broker does not offer: recreated topics, deleted records, open transactions and their markers, and a
//! broker that evaluates expressions itself. On a real Kafka, as `make test` starts it.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod consumer;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use consumer::{Consumer, Seen, TIMEOUT, wait_until};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use stage::intake::{IntakeOptions, Topics};
use testkit::KafkaProxy;

/// A real Kafka, and a topic of this test's own.
struct Kafka {
    broker: String,
    topic: String,
    admin: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
}

impl Kafka {
    /// None if there is none (with CI=true that is a failure).
    fn with_topic() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        let Ok(path) = std::env::var("KAFKA_EFD_SERVICES") else {
            assert!(
                !is_ci,
                "CI=true asks for real services: run `make test`, which starts them"
            );
            eprintln!("skipped: no real services; `make test` starts them");
            return None;
        };
        let text = std::fs::read_to_string(&path).unwrap();
        let broker = text.lines().find_map(|line| line.strip_prefix("BROKER="));
        let broker = broker.expect("the services have a broker").to_owned();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let admin = {
            let _runtime = runtime.enter();
            config(&broker).create().unwrap()
        };
        let kafka = Self {
            topic: format!("positions.{:x}.{number}", since.as_nanos()),
            broker,
            admin,
            runtime,
        };
        kafka.create();
        Some(kafka)
    }

    fn create(&self) {
        let topic = NewTopic::new(&self.topic, 1, TopicReplication::Fixed(1));
        let made = self
            .runtime
            .block_on(self.admin.create_topics([&topic], &AdminOptions::new()));
        made.unwrap().pop().unwrap().unwrap();
    }

    /// Deletes the topic and recreates it at once, so that nobody notices in between.
    fn recreate(&self) {
        let deleted = self
            .runtime
            .block_on(self.admin.delete_topics(&[&self.topic], &AdminOptions::new()));
        deleted.unwrap().pop().unwrap().unwrap();
        let topic = NewTopic::new(&self.topic, 1, TopicReplication::Fixed(1));
        wait_until("the topic is recreated", || {
            let made = self
                .runtime
                .block_on(self.admin.create_topics([&topic], &AdminOptions::new()));
            made.unwrap().pop().unwrap().is_ok()
        });
        // The broker hears of both later than the controller. Until then it accepts records into the old log.
        let group = self.group();
        wait_until("the broker has the new topic's log", || {
            group
                .fetch_watermarks(&self.topic, 0, TIMEOUT)
                .is_ok_and(|marks| marks == (0, 0))
        });
    }

    fn delete_records(&self, before: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, 0, Offset::Offset(before))
            .unwrap();
        self.runtime
            .block_on(self.admin.delete_records(&list, &AdminOptions::new()))
            .unwrap();
    }

    fn produce(&self, values: std::ops::Range<usize>) {
        let producer = testkit::producer(&config(&self.broker));
        self.send(&producer, values);
        testkit::deliver(&producer);
    }

    fn send(&self, producer: &testkit::Producer, values: std::ops::Range<usize>) {
        for value in values {
            let payload = value.to_string();
            let record = BaseRecord::<(), _>::to(&self.topic).payload(payload.as_bytes());
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
    }

    /// A group of the topic's own.
    fn consume(&self, seen: &Seen, change: impl FnOnce(&mut IntakeOptions)) -> Consumer {
        Consumer::start_at(&self.broker, seen, |options| {
            options.group.clone_from(&self.topic);
            options.topics = Topics::Named(vec![self.topic.clone()]);
            options.topic_ids_interval = Duration::from_millis(500);
            options.config.set("statistics.interval.ms", "500");
            change(options);
        })
    }

    fn group(&self) -> BaseConsumer {
        config(&self.broker)
            .set("group.id", &self.topic)
            .create()
            .unwrap()
    }

    fn committed(&self) -> Offset {
        self.committed_with().0
    }

    /// The group's offset and its metadata.
    fn committed_with(&self) -> (Offset, String) {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, 0);
        let committed = self.group().committed_offsets(list, TIMEOUT).unwrap();
        let element = &committed.elements()[0];
        (element.offset(), element.metadata().to_owned())
    }

    /// Commits as a stage does whose commit arrives late.
    fn commit(&self, (offset, metadata): (Offset, String)) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, 0, offset).unwrap();
        list.find_partition(&self.topic, 0)
            .unwrap()
            .set_metadata(metadata);
        self.group().commit(&list, CommitMode::Sync).unwrap();
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self
            .runtime
            .block_on(self.admin.delete_topics(&[&self.topic], &AdminOptions::new()));
    }
}

fn config(broker: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker);
    config
}

fn latest(options: &mut IntakeOptions) {
    options.auto_offset_reset = "latest".to_owned();
}

#[test]
fn records_that_were_deleted_while_nobody_read_are_counted_and_the_rest_is_read() {
    let Some(kafka) = Kafka::with_topic() else { return };
    kafka.produce(0..10);
    let seen = Seen::default();
    let consumer = kafka.consume(&seen, |_| ());
    wait_until("the first are carried", || seen.distinct() == 10);
    consumer.stop();
    kafka.produce(10..1_010);
    kafka.delete_records(510);
    let consumer = kafka.consume(&seen, latest);
    wait_until("what is left is carried", || seen.distinct() == 510);
    let lost = consumer.metrics.lost_to_retention.of(&kafka.topic).get();
    assert_eq!((lost, seen.twice()), (500, 0));
    consumer.stop();
}

#[test]
fn a_topic_that_is_recreated_while_it_is_read_is_read_from_its_beginning() {
    let Some(kafka) = Kafka::with_topic() else { return };
    kafka.produce(0..10);
    let seen = Seen::default();
    let consumer = kafka.consume(&seen, |_| ());
    wait_until("the old ones are carried", || seen.distinct() == 10);
    kafka.recreate();
    // More than the old one had: its offset is within the new one.
    kafka.produce(1_000..1_030);
    wait_until("all new ones are carried", || seen.distinct() == 40);
    wait_until("and committed", || kafka.committed() == Offset::Offset(30));
    consumer.stop();
}

#[test]
fn a_topic_that_is_recreated_and_shorter_while_nobody_reads_is_read_from_its_beginning() {
    let Some(kafka) = Kafka::with_topic() else { return };
    kafka.produce(0..100);
    let seen = Seen::default();
    let consumer = kafka.consume(&seen, |_| ());
    wait_until("the old ones are carried", || seen.distinct() == 100);
    consumer.stop();
    kafka.recreate();
    kafka.produce(1_000..1_030);
    let consumer = kafka.consume(&seen, |_| ());
    wait_until("all new ones are carried", || seen.distinct() == 130);
    consumer.stop();
    assert_eq!(seen.twice(), 0);
}

/// Kafka deletes a group's offsets with their topic, but a commit may come after that.
#[test]
fn an_offset_of_a_topic_that_was_deleted_is_not_taken_for_one_of_its_successor() {
    let Some(kafka) = Kafka::with_topic() else { return };
    kafka.produce(0..10);
    let seen = Seen::default();
    let consumer = kafka.consume(&seen, |_| ());
    wait_until("the old ones are carried", || seen.distinct() == 10);
    consumer.stop();
    let committed = kafka.committed_with();
    assert!(
        committed.0 == Offset::Offset(10) && committed.1.starts_with("id="),
        "{committed:?}"
    );
    kafka.recreate();
    kafka.produce(1_000..1_030);
    kafka.commit(committed);
    let consumer = kafka.consume(&seen, latest);
    wait_until("all new ones are carried", || seen.distinct() == 40);
    assert_eq!(consumer.metrics.recreated.of(&kafka.topic).get(), 1);
    wait_until("and committed", || kafka.committed() == Offset::Offset(30));
    consumer.stop();
    assert_eq!(seen.twice(), 0);
}

/// The marker at a transaction's end also has an offset, which is never delivered: the lag stayed at 1.
#[test]
fn nothing_is_behind_when_everything_of_a_transaction_is_read() {
    let Some(kafka) = Kafka::with_topic() else { return };
    let producer = testkit::producer(config(&kafka.broker).set("transactional.id", &kafka.topic));
    producer.init_transactions(TIMEOUT).unwrap();
    for transaction in 0..3 {
        producer.begin_transaction().unwrap();
        kafka.send(&producer, transaction * 10..transaction * 10 + 10);
        if transaction == 1 {
            producer.flush(TIMEOUT).unwrap();
            producer.abort_transaction(TIMEOUT).unwrap();
        } else {
            producer.commit_transaction(TIMEOUT).unwrap();
        }
    }
    let seen = Seen::default();
    let consumer = kafka.consume(&seen, |_| ());
    wait_until("what was committed is carried", || seen.distinct() == 20);
    let lag = || consumer.metrics.lag.get(&kafka.topic, 0);
    wait_until("nothing is behind", || lag() == Some(0));
    wait_until("and other tools see that, too", || {
        kafka.committed() == Offset::Offset(33)
    });
    // What arrives then is neither skipped nor read twice.
    kafka.produce(100..110);
    wait_until("the rest is carried", || seen.distinct() == 30);
    wait_until("nothing is behind again", || lag() == Some(0));
    consumer.stop();
    assert_eq!((seen.twice(), kafka.committed()), (0, Offset::Offset(43)));
}

/// Its records are in the log, and nobody reads them yet. The watch asks for the end of what can be read.
#[test]
fn a_partition_with_an_open_transaction_is_not_stuck() {
    let Some(kafka) = Kafka::with_topic() else { return };
    kafka.produce(0..10);
    let proxy = KafkaProxy::start(&kafka.broker).unwrap();
    let seen = Seen::default();
    let consumer = Consumer::start_at(proxy.bootstrap_servers(), &seen, |options| {
        options.group.clone_from(&kafka.topic);
        options.topics = Topics::Named(vec![kafka.topic.clone()]);
        options.config.set("statistics.interval.ms", "100");
        options.stuck_timeout = Duration::from_secs(2);
    });
    wait_until("what was there is carried", || seen.distinct() == 10);
    let producer = testkit::producer(config(&kafka.broker).set("transactional.id", &kafka.topic));
    producer.init_transactions(TIMEOUT).unwrap();
    producer.begin_transaction().unwrap();
    kafka.send(&producer, 10..20);
    producer.flush(TIMEOUT).unwrap();
    let looks = || proxy.requests().get("ListOffsets").copied().unwrap_or_default();
    // While it is open, and behind its marker.
    for (is_committed, count) in [(false, 10), (true, 20)] {
        if is_committed {
            producer.commit_transaction(TIMEOUT).unwrap();
            wait_until("the transaction is carried", || seen.distinct() == count);
        }
        let before = looks();
        wait_until("the ends have been asked for often enough", || {
            let missing = consumer.service.readiness.missing();
            assert!(
                missing.iter().all(|(part, _)| *part != "partitions"),
                "{missing:?}"
            );
            looks() >= before + 8
        });
        assert_eq!(seen.distinct(), count);
    }
    consumer.stop();
}

/// The broker matches whole names, and librdkafka a part of them.
#[test]
fn both_group_protocols_read_the_same_topics() {
    let Some(kafka) = Kafka::with_topic() else { return };
    kafka.produce(0..10);
    let name = regex::escape(&kafka.topic);
    // Its end is the test's number, and before that is the time.
    let (start, end) = kafka.topic.split_at("positions.".len() + 8);
    let (start, end) = (regex::escape(start), regex::escape(end));
    let expressions = [
        format!("^{start}"),
        end.clone(),
        format!("^nothing-else|{end}$"),
        format!(r"^{start}\w+\.\d+$"),
        format!("^({name}|other)$"),
    ];
    for protocol in ["classic", "consumer"] {
        for (number, expression) in expressions.iter().enumerate() {
            let seen = Seen::default();
            let consumer = kafka.consume(&seen, |options| {
                options.group = format!("{}-{protocol}-{number}", kafka.topic);
                options.topics = Topics::Matching(expression.clone());
                options.config.set("group.protocol", protocol);
                if protocol == "consumer" {
                    options.config.remove("session.timeout.ms");
                }
            });
            wait_until(&format!("{protocol}: {expression}"), || seen.distinct() >= 10);
            consumer.stop();
        }
    }
}
