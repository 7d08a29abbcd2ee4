//! Output that cannot be written, for the commands that need a real cluster.

use std::process::Command;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::{kafkaefd, topic};
use crate::answers::{REAL, is_quiet, is_reported};
use crate::real::{Services, unique};

fn fill(services: &Services, line: &str) -> String {
    let topic = topic(services, "output-", 1);
    let group = unique("output-");
    if line.contains("{group}") {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", services.get("BROKER"))
            .set("group.id", &group)
            .create()
            .unwrap();
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset(&topic, 0, Offset::Offset(0))
            .unwrap();
        consumer.commit(&offsets, CommitMode::Sync).unwrap();
    }
    let filled = line.replace("{topic}", &topic).replace("{group}", &group);
    filled.replace("{name}", &unique("output-new-"))
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let command = |line: &str| {
        let line = fill(&services, line);
        let mut command = Command::new(system_tests::binary("kafkaefd"));
        command
            .args(line.split(' '))
            .env("BROKER", services.get("BROKER"))
            .env("SCHEMAREGISTRY", services.get("SCHEMAREGISTRY"));
        command
    };
    for line in REAL {
        is_reported(command(line), line);
        is_quiet(command(line), line);
    }
    // The action itself was carried out.
    let ran = kafkaefd(&services, &["admin", "topics", "list"]);
    assert!(ran.code == 0 && ran.stdout.contains("output-new-"), "{ran:?}");
}
