//! The intake on the embedded broker: back-pressure, rebalances and the end, with a worker that can be held up.
#![allow(clippy::expect_used, clippy::panic, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod consumer;

use std::sync::atomic::Ordering;
use std::sync::mpsc;

use consumer::{BUG, Consumer, Seen, TOPIC, committed, produce, produce_to, send, wait_until};
use devstack::Broker;
use rdkafka::{ClientConfig, Offset};
use stage::intake::{IntakeOptions, Topics};

#[test]
fn a_worker_that_is_held_up_pauses_the_intake_within_its_bytes_and_loses_nothing() {
    const MESSAGES: usize = 1_000;
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 2).unwrap();
    produce(&broker, 0..MESSAGES, 1_000);
    let seen = Seen::default();
    seen.held.store(true, Ordering::Relaxed);
    let consumer = Consumer::start(&broker, &seen, |options| options.max_bytes = 100_000);
    wait_until("the intake pauses", || consumer.metrics.paused.get() == 1);
    let in_flight = consumer.metrics.in_flight_bytes.get();
    // One batch may exceed the limit: it was read while there was room.
    assert!(
        (100_000..700_000).contains(&in_flight),
        "{in_flight} bytes in flight"
    );
    assert_eq!(seen.distinct(), 0);
    seen.held.store(false, Ordering::Relaxed);
    wait_until("everything is carried", || seen.distinct() == MESSAGES);
    wait_until("the intake resumes", || consumer.metrics.paused.get() == 0);
    consumer.stop();
    assert_eq!(seen.twice(), 0);
}

#[test]
fn a_second_member_takes_over_without_loss() {
    const EACH: usize = 400;
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 4).unwrap();
    let seen = Seen::default();
    let first = Consumer::start(&broker, &seen, |_| ());
    produce(&broker, 0..EACH, 10);
    wait_until("the first member carries", || seen.distinct() == EACH);
    let second = Consumer::start(&broker, &seen, |_| ());
    // That nothing is read twice is tested on a real Kafka (tests/faults, "joins and leaves"): while the group
    // rebalances, the mock broker refuses commits, and then messages are read twice, which at-least-once allows.
    wait_until("the partitions are shared", || {
        [&first, &second]
            .iter()
            .all(|member| member.metrics.assigned.get() == 2)
    });
    produce(&broker, EACH..2 * EACH, 10);
    wait_until("both carry", || seen.distinct() == 2 * EACH);
    first.stop();
    produce(&broker, 2 * EACH..3 * EACH, 10);
    wait_until("the second carries alone", || seen.distinct() == 3 * EACH);
    second.stop();
}

#[test]
fn partitions_that_leave_a_paused_intake_are_read_when_they_return() {
    const EACH: usize = 1_000;
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 4).unwrap();
    produce(&broker, 0..EACH, 1_000);
    let seen = Seen::default();
    seen.held.store(true, Ordering::Relaxed);
    let first = Consumer::start(&broker, &seen, |options| options.max_bytes = 100_000);
    wait_until("the first member pauses", || first.metrics.paused.get() == 1);
    let second = Consumer::start(&broker, &seen, |_| ());
    wait_until("the partitions are shared", || {
        [&first, &second]
            .iter()
            .all(|member| member.metrics.assigned.get() == 2)
    });
    seen.held.store(false, Ordering::Relaxed);
    wait_until("both carry", || seen.distinct() == EACH);
    second.stop();
    produce(&broker, EACH..2 * EACH, 1_000);
    wait_until("the first carries alone", || seen.distinct() == 2 * EACH);
    first.stop();
}

#[test]
fn what_was_not_finished_is_read_again() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    produce(&broker, 0..50, 10);
    let seen = Seen::default();
    seen.held.store(true, Ordering::Relaxed);
    let held = Consumer::start(&broker, &seen, |_| ());
    wait_until("messages are taken", || held.metrics.in_flight.get() == 50);
    let released = held.metrics.released.clone();
    held.stop();
    assert_eq!((seen.distinct(), released.get()), (0, 50));
    seen.held.store(false, Ordering::Relaxed);
    let next = Consumer::start(&broker, &seen, |_| ());
    wait_until("the next process carries them", || seen.distinct() == 50);
    next.stop();
}

/// Whatever librdkafka does when the group closes, the intake ends, and knows that it has no partitions. When it was
/// still asked for its assignment at that time, one stop in 2,500 hung.
#[test]
fn intakes_that_come_and_go_end_each_time() {
    eight_at_once(|broker, member| {
        for turn in 0..8 {
            let consumer = Consumer::start(broker, &Seen::default(), |options| {
                options.group = format!("group-{member}-{turn}");
            });
            let metrics = consumer.metrics.clone();
            wait_until("the partitions are assigned", || metrics.assigned.get() == 4);
            consumer.stop();
            assert_eq!(metrics.assigned.get(), 0);
        }
    });
}

/// A member closes while a rebalance waits for an answer, which adds another one. When both were answered, the second
/// answer went to a group that had ended, and the intake waited for ever.
#[test]
fn a_member_that_closes_within_a_rebalance_ends() {
    eight_at_once(|broker, group| {
        let change = |options: &mut IntakeOptions| {
            options.group = format!("group-{group}");
            options.config.set("heartbeat.interval.ms", "100");
        };
        let (joined, wait) = mpsc::channel::<()>();
        let seen = Seen::default();
        let first = Consumer::start_and_close_after(broker, &seen, change, move || {
            let _ = wait.recv();
        });
        wait_until("all partitions are assigned", || {
            first.metrics.assigned.get() == 4
        });
        first.service.shutdown.ask();
        let second = Consumer::start(broker, &seen, change);
        // Nothing yet, which shows that the first one knows what to release.
        let answered = second.metrics.rebalances.with_label_values(&["assign"]);
        wait_until("the second member is answered", || answered.get() > 0);
        drop(joined);
        first.stop();
        wait_until("the second has them all", || second.metrics.assigned.get() == 4);
        second.stop();
    });
}

/// Does the same in eight threads, each with its number, on one broker with four partitions.
fn eight_at_once(each: impl Fn(&Broker, usize) + Sync) {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 4).unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (broker, each) = (&broker, &each);
            scope.spawn(move || each(broker, number));
        }
    });
}

/// A process whose worker has ended must not stay idle in the group: it ends, and another takes over.
#[test]
fn a_worker_that_panics_ends_the_process() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    let producer =
        testkit::producer(ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()));
    send(&producer, TOPIC, BUG);
    testkit::deliver(&producer);
    let consumer = Consumer::start(&broker, &Seen::default(), |_| ());
    wait_until("the intake ends", || consumer.thread.is_finished());
    assert!(consumer.service.shutdown.has_failed());
    assert!(consumer.thread.join().is_err());
    assert_eq!(committed(&broker), Offset::Invalid);
}

#[test]
fn a_group_that_starts_at_the_end_misses_nothing_once_it_is_ready() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 2).unwrap();
    produce(&broker, 0..10, 10);
    let seen = Seen::default();
    let latest = |options: &mut IntakeOptions| options.auto_offset_reset = "latest".to_owned();
    let consumer = Consumer::start(&broker, &seen, latest);
    wait_until("the consumer is ready", || consumer.service.readiness.is_ready());
    produce(&broker, 10..40, 10);
    wait_until("what came since is carried", || seen.distinct() >= 30);
    consumer.stop();
    assert_eq!(seen.distinct(), 30, "and nothing that came before");
    // The start is committed: messages that arrive while nobody reads are not skipped, although the partition was idle.
    produce(&broker, 40..50, 10);
    let next = Consumer::start(&broker, &seen, latest);
    wait_until("what came in between is carried", || seen.distinct() == 40);
    next.stop();
}

#[test]
fn a_topic_that_is_new_to_a_group_is_read_from_its_beginning_even_with_latest() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    produce(&broker, 0..10, 10);
    let seen = Seen::default();
    let latest = |options: &mut IntakeOptions| {
        options.auto_offset_reset = "latest".to_owned();
        options.topics = Topics::Matching(format!("^{TOPIC}"));
        options.config.set("topic.metadata.refresh.interval.ms", "1000");
    };
    let consumer = Consumer::start(&broker, &seen, latest);
    wait_until("the consumer is ready", || consumer.service.readiness.is_ready());
    produce(&broker, 10..20, 10);
    wait_until("what came since is carried", || seen.distinct() == 10);
    wait_until("the group has committed", || {
        committed(&broker) == Offset::Offset(20)
    });
    let late = format!("{TOPIC}-late");
    broker.create_topic(&late, 1).unwrap();
    produce_to(&broker, &late, 100..110, 10);
    wait_until("what is in the new topic is carried", || seen.distinct() == 20);
    consumer.stop();
}
