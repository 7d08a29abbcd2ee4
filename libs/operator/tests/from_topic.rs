//! Which messages of a topic a plot has its values from: the newest of a range, by number and by bytes.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use devstack::Broker;
use operator::cluster::Cluster;
use operator::messages::message::Message;
use operator::telemetry::{MAX_BYTES, MAX_MESSAGES, TimeRange, from_topic};
use rdkafka::ClientConfig;
use rdkafka::producer::BaseRecord;
use stage::config::KafkaArgs;

const TOPIC: &str = "topic";
/// 2026-11-30T08:00:00Z, in milliseconds.
const START: i64 = 1_796_025_600_000;

/// A broker with one topic, and messages in it: partition, milliseconds after [`START`], bytes.
fn broker(partitions: i32, messages: impl IntoIterator<Item = (i32, i64, usize)>) -> Broker {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, partitions).unwrap();
    let producer = testkit::producer(
        ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .set("queue.buffering.max.messages", "100000")
            .set("message.max.bytes", "2000000"),
    );
    for (partition, at, bytes) in messages {
        let value = vec![b' '; bytes];
        let message = BaseRecord::<(), [u8]>::to(TOPIC)
            .payload(&value)
            .partition(partition)
            .timestamp(START + at);
        producer.send(message).map_err(|(error, _)| error).unwrap();
    }
    testkit::deliver(&producer);
    broker
}

/// What is read of the milliseconds between two after [`START`], and how many messages there are in all.
fn read(broker: &Broker, from: i64, to: i64) -> (Vec<Message>, Option<u64>) {
    let cluster = Cluster::reach(&KafkaArgs::at(broker.bootstrap_servers())).unwrap();
    let range = TimeRange {
        from: (START + from) * 1_000,
        to: (START + to) * 1_000,
    };
    from_topic(&cluster, TOPIC, range).unwrap()
}

fn times(messages: &[Message]) -> Vec<i64> {
    let mut times: Vec<i64> = messages
        .iter()
        .map(|message| message.timestamp.unwrap() - START)
        .collect();
    times.sort_unstable();
    times
}

#[test]
fn the_messages_of_a_range_are_read() {
    let broker = broker(2, (0..100).map(|at| ((at % 2) as i32, at, 10)));
    let (messages, out_of) = read(&broker, 20, 60);
    assert_eq!(times(&messages), (20..60).collect::<Vec<_>>());
    assert_eq!(out_of, None);
    assert_eq!(read(&broker, 200, 300), (Vec::new(), None));
}

/// Of two partitions, one as old as the other: neither is read at the other's expense.
#[test]
fn of_too_many_messages_the_newest_are_read() {
    let all = i64::try_from(MAX_MESSAGES).unwrap() + 4_000;
    let broker = broker(2, (0..all).map(|at| ((at % 2) as i32, at, 10)));
    let (messages, out_of) = read(&broker, 0, all);
    assert_eq!(times(&messages), (4_000..all).collect::<Vec<_>>());
    assert_eq!(out_of, Some(all.unsigned_abs()));
}

/// The embedded broker keeps 5 MiB of each partition.
#[test]
fn of_too_many_bytes_the_newest_are_read() {
    let size = 600_000;
    let fitting = i64::try_from(MAX_BYTES / size).unwrap();
    let all = fitting + 13;
    let broker = broker(6, (0..all).map(|at| ((at % 6) as i32, at, size)));
    let (messages, out_of) = read(&broker, 0, all);
    assert_eq!(times(&messages), (13..all).collect::<Vec<_>>());
    assert_eq!(out_of, Some(all.unsigned_abs()));
    assert_eq!(read(&broker, all - 5, all).1, None);
}
