//! A partition without a leader hides nothing of the others.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::time::Duration;

use devstack::Broker;
use operator::cluster::{Cluster, Topic};
use operator::groups::{Group, GroupState};
use operator::topics::{TopicFilter, list, message_count, offsets, offsets_of_all};
use rdkafka::ClientConfig;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use stage::config::KafkaArgs;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Two partitions of `half`, of which nobody leads the second, the only one of `headless`, and `whole`. Each has a message.
fn broker() -> Broker {
    let broker = Broker::start().unwrap();
    let partitions = [("half", 0), ("half", 1), ("headless", 0), ("whole", 0)];
    for (topic, count) in [("half", 2), ("headless", 1), ("whole", 1)] {
        broker.create_topic(topic, count).unwrap();
    }
    let producer: BaseProducer = config(&broker).create().unwrap();
    for (topic, partition) in partitions {
        let record = BaseRecord::<(), _>::to(topic).partition(partition).payload("x");
        assert!(producer.send(record).is_ok());
    }
    producer.flush(TIMEOUT).unwrap();
    let consumer: BaseConsumer = config(&broker).set("group.id", "reader").create().unwrap();
    let mut committed = TopicPartitionList::new();
    for (topic, partition) in partitions {
        committed
            .add_partition_offset(topic, partition, Offset::Offset(0))
            .unwrap();
    }
    consumer.commit(&committed, CommitMode::Sync).unwrap();
    broker.depose_leader("half", 1).unwrap();
    broker.depose_leader("headless", 0).unwrap();
    broker
}

fn config(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    config
}

fn reach(broker: &Broker) -> Cluster {
    Cluster::reach(&KafkaArgs::at(broker.bootstrap_servers())).unwrap()
}

#[test]
fn a_topic_list_shows_what_is_known() {
    let broker = broker();
    let cluster = reach(&broker);
    let leaderless: Vec<usize> = list(&cluster, &TopicFilter::default())
        .iter()
        .map(|topic| topic.leaderless)
        .collect();
    assert_eq!(leaderless, [1, 1, 0]);

    let topics: Vec<&Topic> = cluster.topics.iter().collect();
    let found = offsets_of_all(&cluster, &topics).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|topic| (topic.topic.as_str(), topic.total, topic.unknown.as_slice()))
        .collect();
    assert_eq!(
        found,
        [
            ("half", 1, [1].as_slice()),
            ("headless", 0, &[0]),
            ("whole", 1, &[])
        ]
    );
    // What is a sum must be whole.
    for names in [["half"], ["headless"]] {
        assert!(offsets(&cluster, names[0]).is_err(), "{names:?}");
        assert!(
            message_count(&cluster, &names.map(str::to_owned)).is_err(),
            "{names:?}"
        );
    }
}

#[test]
fn nothing_is_known_where_no_partition_has_a_leader() {
    let broker = broker();
    let cluster = reach(&broker);
    let found = offsets_of_all(&cluster, &[cluster.topic("headless").unwrap()]).unwrap();
    assert_eq!((found[0].total, found[0].unknown.as_slice()), (0, [0].as_slice()));
}

#[test]
fn a_group_has_its_lag_where_it_is_known() {
    let broker = broker();
    let cluster = reach(&broker);
    let group = Group {
        name: "reader".to_owned(),
        state: GroupState::Empty,
        protocol_type: String::new(),
        assignor: String::new(),
        members: Vec::new(),
    };
    let positions = cluster.positions(&[group], || ()).unwrap();
    let lags: Vec<_> = positions[0]
        .iter()
        .map(|position| (position.topic.as_str(), position.partition, position.lag()))
        .collect();
    assert_eq!(lags, [("half", 0, Some(1)), ("whole", 0, Some(1))]);
}
