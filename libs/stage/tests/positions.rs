//! Where a group continues to read, which losses are reported, and its lag: on the embedded broker, which deletes what
//! is older than 5 MiB of a partition, as retention does.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod consumer;

use std::sync::atomic::Ordering;
use std::time::Duration;

use consumer::{Consumer, Seen, TOPIC, committed, produce, produce_to_partition, wait_until};
use devstack::Broker;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use stage::intake::{IntakeOptions, Topics};
use stage::metrics::Subsystems;

/// Messages of which the broker keeps about 4,000 per partition.
const LARGE: usize = 1_000;

fn latest(options: &mut IntakeOptions) {
    options.auto_offset_reset = "latest".to_owned();
}

/// Statistics frequent enough for a test.
fn quick(options: &mut IntakeOptions) {
    options.config.set("statistics.interval.ms", "200");
}

fn lost(consumer: &Consumer) -> u64 {
    let lost = &consumer.metrics.lost_to_retention;
    lost.of(TOPIC).get()
}

fn ready(consumer: &Consumer) -> String {
    let remarks = consumer.service.readiness.remarks();
    remarks.into_iter().map(|(_, text, _)| text + "\n").collect()
}

/// Commits this offset of the topic's only partition for the tests' group, as another program would.
fn commit(broker: &Broker, offset: i64, metadata: &str) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "group")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(TOPIC, 0);
    element.set_offset(Offset::Offset(offset)).unwrap();
    element.set_metadata(metadata);
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

#[test]
fn a_group_whose_offset_retention_overtook_continues_at_the_beginning_and_counts_the_loss() {
    for change in [latest, |_: &mut IntakeOptions| ()] {
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 1).unwrap();
        produce(&broker, 0..10, 10);
        commit(&broker, 10, "");
        produce(&broker, 10..10_010, LARGE);
        let seen = Seen::default();
        let consumer = Consumer::start(&broker, &seen, change);
        wait_until("what is left is carried", || {
            lost(&consumer) > 0 && seen.distinct() as u64 + lost(&consumer) == 10_000
        });
        assert!(consumer.service.readiness.is_ready());
        let said = ready(&consumer);
        let lost = stage::text::plural(lost(&consumer), "message");
        assert!(said.contains(&format!("{lost} of {TOPIC}")), "{said}");
        consumer.stop();
    }
}

#[test]
fn what_retention_deletes_under_a_running_stage_is_counted() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    produce(&broker, 0..100, LARGE);
    let seen = Seen::default();
    seen.held.store(true, Ordering::Relaxed);
    let consumer = Consumer::start(&broker, &seen, |options| {
        options.max_bytes = 50_000;
        options.config.set("queued.max.messages.kbytes", "100");
    });
    wait_until("the intake pauses", || consumer.metrics.paused.get() == 1);
    produce(&broker, 100..15_000, LARGE);
    seen.held.store(false, Ordering::Relaxed);
    wait_until("what is left is carried", || {
        lost(&consumer) > 0 && seen.distinct() as u64 + lost(&consumer) == 15_000
    });
    consumer.stop();
}

#[test]
fn a_group_beyond_the_end_of_a_recreated_topic_starts_at_its_beginning() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    produce(&broker, 0..10, 10);
    commit(&broker, 1_000, "");
    let seen = Seen::default();
    let consumer = Consumer::start(&broker, &seen, latest);
    wait_until("all of it is carried", || seen.distinct() == 10);
    wait_until("and committed", || committed(&broker) == Offset::Offset(10));
    assert!(ready(&consumer).contains("ended before the group's offset"));
    consumer.stop();
    assert_eq!(seen.twice(), 0);
}

#[test]
fn a_recreated_topic_that_is_longer_than_the_old_one_is_read_from_its_beginning() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    produce(&broker, 0..10, 10);
    commit(&broker, 5, "id=xtzWWN4bTjitpL3kfd9s5g");
    let seen = Seen::default();
    let consumer = Consumer::start(&broker, &seen, latest);
    wait_until("all of it is carried", || seen.distinct() == 10);
    wait_until("and committed", || committed(&broker) == Offset::Offset(10));
    assert!(ready(&consumer).contains("recreated"));
    let recreated = consumer.metrics.recreated.of(TOPIC).get();
    assert_eq!((recreated, lost(&consumer), seen.twice()), (1, 0, 0));
    consumer.stop();
    // The offset that it committed is of this topic.
    produce(&broker, 10..12, 10);
    let next = Consumer::start(&broker, &seen, latest);
    wait_until("the rest is carried", || seen.distinct() == 12);
    next.stop();
    assert_eq!(seen.twice(), 0);
}

/// librdkafka once reported `COMMITFAIL`, which was ignored, and the lag stayed until another message arrived.
#[test]
fn a_commit_that_fails_is_sent_again_without_another_message() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    let seen = Seen::default();
    let consumer = Consumer::start(&broker, &seen, |_| ());
    wait_until("the partition is assigned", || {
        consumer.metrics.assigned.get() == 1
    });
    let counted = |result| consumer.metrics.commits.with_label_values(&[result]).get();
    assert_eq!((counted("ok"), counted("failed")), (0, 0));
    let failures = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 3];
    broker.fail_next(RDKafkaApiKey::OffsetCommit, &failures).unwrap();
    produce(&broker, 0..10, 10);
    wait_until("they are committed", || committed(&broker) == Offset::Offset(10));
    wait_until("and counted", || counted("ok") > 0);
    assert!(counted("failed") >= 3, "{}", counted("failed"));
    consumer.stop();
}

#[test]
fn each_assigned_partition_has_a_lag_from_the_start_and_none_once_it_is_given_up() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 2).unwrap();
    produce(&broker, 0..10, 10);
    let seen = Seen::default();
    seen.held.store(true, Ordering::Relaxed);
    let consumer = Consumer::start(&broker, &seen, quick);
    wait_until("the partitions are assigned", || {
        consumer.metrics.assigned.get() == 2
    });
    let registry = consumer.service.metrics.clone();
    let lags = move || {
        let families = registry.gather();
        let lags = families
            .iter()
            .find(|family| family.name() == "kafka_consumer_lag");
        let metrics = lags.map(|family| family.get_metric()).unwrap_or_default();
        let lags: Vec<f64> = metrics
            .iter()
            .map(|metric| metric.get_gauge().get_value())
            .collect();
        (lags.len(), lags.iter().sum::<f64>())
    };
    wait_until("both have a lag", || lags() == (2, 10.0));
    seen.held.store(false, Ordering::Relaxed);
    wait_until("nothing is left", || lags() == (2, 0.0));
    consumer.stop();
    assert_eq!(lags(), (0, 0.0));
}

/// With the group protocol `consumer` the broker matches whole names, so that `^in` matched none.
#[test]
fn an_expression_is_found_anywhere_in_a_name() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    produce(&broker, 0..10, 10);
    for expression in ["^i", "n", "^x|n$", "^(x|in)$", r"^\w\w$"] {
        let seen = Seen::default();
        let consumer = Consumer::start(&broker, &seen, |options| {
            options.group = expression.to_owned();
            options.topics = Topics::Matching(expression.to_owned());
        });
        wait_until(&format!("all are carried by {expression}"), || {
            seen.distinct() == 10
        });
        consumer.stop();
    }
}

/// While the intake is paused, librdkafka learns no ends: the lag must grow all the same, in messages and in seconds.
#[test]
fn the_lag_of_a_stage_that_is_stuck_grows_though_nothing_is_fetched() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 2).unwrap();
    let seen = Seen::default();
    seen.held.store(true, Ordering::Relaxed);
    let subsystems = Subsystems::new(|_| "S");
    let (lag, newest) = (subsystems.lag(), subsystems.newest());
    let consumer = Consumer::start(&broker, &seen, |options| {
        quick(options);
        options.subsystems = subsystems;
        options.max_bytes = 50_000;
        options.ends_interval = Duration::from_millis(200);
        options.config.set("queued.max.messages.kbytes", "100");
    });
    let seconds = move || lag().first().map(|(_, seconds)| *seconds);
    wait_until("nothing waits", || seconds() == Some(0.0));
    assert!(newest().is_empty());
    // One partition fills the memory, so that the other's message is not fetched.
    produce_to_partition(&broker, 0, 0..100, LARGE);
    wait_until("the intake pauses", || consumer.metrics.paused.get() == 1);
    produce_to_partition(&broker, 1, 100..101, LARGE);
    let behind = |partition| consumer.metrics.lag.get(TOPIC, partition);
    wait_until("the message is seen to wait", || behind(1) == Some(1));
    produce_to_partition(&broker, 0, 101..200, LARGE);
    wait_until("and so are those after the pause", || behind(0) == Some(199));
    let before = seconds().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let after = seconds().unwrap();
    assert!(
        before > 0.0 && after >= before + 0.3,
        "{before} s, then {after} s"
    );
    seen.held.store(false, Ordering::Relaxed);
    wait_until("all of it is carried", || seen.distinct() == 200);
    wait_until("nothing waits any more", || seconds() == Some(0.0));
    let age = stage::unix_millis() as f64 / 1e3 - newest()[0].1;
    assert!((0.0..60.0).contains(&age), "the newest is {age} s old");
    consumer.stop();
    assert_eq!(seconds(), None, "nothing is assigned");
}
