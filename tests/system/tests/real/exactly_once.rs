//! `saltransform run --exactly-once` as processes on the real Kafka: two replicas are killed, stopped and
//! restarted while messages arrive. A reader of committed data sees each message's record exactly once.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::BaseRecord;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::{Services, kafka, mock_state, unique, until};
use crate::processes::{Pauses, Process};

const PARTITIONS: i32 = 4;
const OUT_PARTITIONS: i32 = 2;
const MESSAGES: usize = 6_000;
/// At this rate the messages take 12 seconds.
const PAUSE: Duration = Duration::from_millis(20);
const EACH: usize = 10;

#[test]
fn each_message_once_whatever_is_killed() {
    kill_while_messages_come(&[], |_| Vec::new());
}

#[test]
fn each_message_once_with_the_new_group_protocol() {
    kill_while_messages_come(&["--group-protocol", "consumer"], |_| Vec::new());
}

#[test]
fn each_message_once_with_static_members() {
    kill_while_messages_come(&[], |replica| {
        vec!["--group-instance-id".to_owned(), format!("replica-{replica}")]
    });
}

fn kill_while_messages_come(flags: &[&str], own_flags: impl Fn(usize) -> Vec<String>) {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let name = unique("once");
    let (input, output) = (format!("{name}.in"), format!("lsst.{name}.Mock_state"));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        mock_state::prepare(&services, &output, OUT_PARTITIONS).await;
        kafka::create_topics(&services, std::slice::from_ref(&input), PARTITIONS).await;
    });
    let start = |replica: usize| {
        let mut command = Command::new(system_tests::binary("saltransform"));
        command
            .args(["run", "--exactly-once", "--topic", &input, "--subname", &name])
            .args(["--transaction-timeout", "5", "--auto-offset-reset", "earliest"])
            .args(["--broker", services.get("BROKER")])
            .args(["--schema-registry", services.get("SCHEMAREGISTRY")])
            .args(["--prometheus-port", "0", "--log-level", "error"])
            .args(flags)
            .args(own_flags(replica));
        if !flags.contains(&"consumer") {
            // A killed replica is detected after six seconds; with the new protocol the broker's own setting
            // applies.
            command.args(["-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500"]);
        }
        Process::start(command)
    };
    let mut replicas = [start(0), start(1)];

    let producer = testkit::producer(&client(&services));
    let mut pauses = Pauses(MESSAGES as u64);
    let mut next_kill = Duration::ZERO;
    let mut kills = 0;
    for batch in 0..MESSAGES / EACH {
        for sequence in batch * EACH..(batch + 1) * EACH {
            let (key, text) = (
                sequence.to_string(),
                mock_state::text(sequence, 1_760_000_000_000, ""),
            );
            let record = BaseRecord::to(&input).key(&key).payload(&text);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.poll(PAUSE);
        let now = PAUSE * u32::try_from(batch).unwrap();
        if now >= next_kill {
            next_kill = now + pauses.next(700..2_500);
            let replica = &mut replicas[usize::from(pauses.next(0..1_000).as_millis() % 2 == 1)];
            replica.kill();
            replica.restart();
            kills += 1;
        }
    }
    testkit::deliver(&producer);
    assert!(kills > 4, "{kills} kills");

    until("all messages' offsets to be committed", 120, || {
        // As Kubernetes does: on a slow machine a replica can be down for longer than its transaction
        // timeout.
        replicas
            .iter_mut()
            .filter_map(|replica| (!replica.is_running()).then(|| replica.restart()))
            .for_each(drop);
        let committed = committed(&services, &input);
        if committed == MESSAGES as i64 {
            Ok(())
        } else {
            Err(format!("{committed} of {MESSAGES}"))
        }
    });
    let seen = keys(&services, &output, "read_committed");
    let everything: usize = keys(&services, &output, "read_uncommitted").values().sum();
    eprintln!("{kills} kills; {everything} records written for {MESSAGES} messages, the others were aborted");
    let lost: Vec<_> = (0..MESSAGES)
        .filter(|n| !seen.contains_key(&n.to_string()))
        .collect();
    let twice: Vec<_> = seen.iter().filter(|(_, count)| **count != 1).collect();
    assert!(
        lost.is_empty() && twice.is_empty(),
        "lost {lost:?}, more than once {twice:?}"
    );
}

fn client(services: &Services) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", services.get("BROKER"))
        .set("group.id", "none")
        .set("enable.partition.eof", "true");
    config
}

/// The sum of the group's committed offsets; the group has its topic's name.
fn committed(services: &Services, topic: &str) -> i64 {
    let consumer: BaseConsumer = client(services).set("group.id", topic).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, PARTITIONS - 1);
    let committed = consumer.committed_offsets(list, Duration::from_secs(10)).unwrap();
    committed
        .elements()
        .iter()
        .map(|element| match element.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        })
        .sum()
}

/// How often each key occurs in the topic.
fn keys(services: &Services, topic: &str, isolation: &str) -> BTreeMap<String, usize> {
    let consumer: BaseConsumer = client(services)
        .set("isolation.level", isolation)
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..OUT_PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut keys, mut ended) = (BTreeMap::new(), 0);
    while ended < OUT_PARTITIONS {
        match consumer
            .poll(Duration::from_secs(30))
            .expect("the topic has an end")
        {
            Ok(message) => {
                let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
                *keys.entry(key).or_default() += 1;
            }
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    keys
}
