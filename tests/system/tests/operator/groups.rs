//! `kafkaefd groups`: lag and members as they are, and offsets that change only while the group is empty.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value as Json;

use super::{Running, kafkaefd, transactions};
use crate::real::{Services, kafka, unique, until};
use crate::runtime;

/// A group member that reads and commits until it is dropped.
struct Member {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    fn join(services: &Services, group: &str, topic: &str, protocol: &str) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", services.get("BROKER"))
            .set("group.id", group)
            .set("group.protocol", protocol)
            .set("client.id", "reader")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&[topic]).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
                    let _ = consumer.commit_message(&message, CommitMode::Async);
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn described(services: &Services, group: &str) -> Result<Json, String> {
    let ran = kafkaefd(services, &["groups", "describe", group, "--json"]);
    if ran.code != 0 {
        return Err(ran.stderr);
    }
    serde_json::from_str(&ran.stdout).map_err(|error| error.to_string())
}

/// Waits until the group has committed all of the topic's messages.
fn until_read(services: &Services, group: &str, messages: i64) -> Json {
    until("the group has read all", 60, || {
        let found = described(services, group)?;
        let partitions = found["partitions"].as_array().unwrap();
        let committed: i64 = partitions
            .iter()
            .filter_map(|row| row["committed"].as_i64())
            .sum();
        if committed == messages {
            Ok(found)
        } else {
            Err(found.to_string())
        }
    })
}

fn topic_with(services: &Services, messages: usize) -> String {
    let topic = unique("groups");
    runtime().block_on(kafka::create_topics(services, std::slice::from_ref(&topic), 2));
    let texts: Vec<(String, Vec<u8>)> = (0..messages)
        .map(|number| (topic.clone(), number.to_string().into_bytes()))
        .collect();
    kafka::produce(services, &texts);
    topic
}

/// An active group is described and its reset is refused; once empty, it is reset as planned, and deleted.
#[test]
fn a_group_is_described_moved_and_deleted() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = topic_with(&services, 40);
    let group = unique("group");
    let members = [
        Member::join(&services, &group, &topic, "classic"),
        Member::join(&services, &group, &topic, "classic"),
        Member::join(&services, &group, &topic, "classic"),
    ];
    until("three members share two partitions", 60, || {
        let found = described(&services, &group)?;
        let idle = |row: &&Json| row["partitions"] == 0;
        let members = found["members"].as_array().unwrap();
        if found["state"] == "stable"
            && members.len() == 3
            && members.iter().filter(idle).count() == 1
            && found["partitions"]
                .as_array()
                .unwrap()
                .iter()
                .all(|row| row["client"] == "reader" && row["host"].is_string())
        {
            Ok(())
        } else {
            Err(found.to_string())
        }
    });
    let found = until_read(&services, &group, 40);
    assert_eq!(found["lag"], 0);
    let people = kafkaefd(&services, &["groups", "describe", &group]);
    assert!(
        people.stdout.contains("1 member without partitions"),
        "{people:?}"
    );

    let reset = |flags: &[&str]| kafkaefd(&services, &[&["groups", "reset", &group], flags].concat());
    let refused = reset(&["--to", "earliest", "--execute", "--yes"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("3 clients in it: reader at ")
            && refused.stderr.contains(&format!("{topic}[0]")),
        "{refused:?}"
    );
    let refused = kafkaefd(&services, &["groups", "delete", &group, "--yes"]);
    assert_eq!(refused.code, 1, "{refused:?}");

    drop(members);
    until("the group is empty", 60, || match described(&services, &group)? {
        found if found["state"] == "empty" => Ok(()),
        found => Err(found.to_string()),
    });
    let plan = reset(&["--to", "earliest"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    assert!(plan.stderr.contains("nothing was changed"), "{plan:?}");
    let unasked = reset(&["--to", "earliest", "--execute"]);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    until_read(&services, &group, 40);

    let moved = reset(&["--to", "shift=-5", "--execute", "--yes", "--json"]);
    assert_eq!(moved.code, 0, "{moved:?}");
    let answer: Json = serde_json::from_str(&moved.stdout).unwrap();
    let moves = answer["moves"].as_array().unwrap();
    assert!(
        !moves.is_empty() && moves.iter().all(|row| row["moved"] == true),
        "{answer}"
    );
    assert_eq!(
        described(&services, &group).unwrap()["lag"],
        moves
            .iter()
            .map(|row| row["lag_after"].as_i64().unwrap())
            .sum::<i64>()
    );
    let moved = reset(&["--to", "offset=1000", "--execute", "--yes", "--topic", &topic]);
    assert!(
        moved.code == 0 && moved.stdout.contains("1,000 does not exist"),
        "{moved:?}"
    );
    assert_eq!(described(&services, &group).unwrap()["lag"], 0);
    let moved = reset(&["--to", "datetime=-1h", "--execute", "--yes"]);
    assert_eq!(moved.code, 0, "{moved:?}");
    assert_eq!(described(&services, &group).unwrap()["lag"], 40);

    let deleted = kafkaefd(&services, &["groups", "delete", &group, "--yes"]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
    let listed = kafkaefd(&services, &["groups", "list"]);
    assert!(listed.code == 0 && !listed.stdout.contains(&group), "{listed:?}");
    let gone = kafkaefd(&services, &["groups", "describe", &group]);
    assert!(
        gone.code == 1 && gone.stderr.contains("there is no group"),
        "{gone:?}"
    );
}

/// With the newer protocol, clients cannot see whether a group has members: the broker itself refuses the
/// reset.
#[test]
fn a_group_of_the_newer_protocol_is_reset_only_while_empty() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = topic_with(&services, 20);
    let group = unique("newer");
    let member = Member::join(&services, &group, &topic, "consumer");
    let found = until_read(&services, &group, 20);
    assert_eq!(found["state"], "untold");
    assert_eq!(found["members"], Json::Null);

    let reset = [
        "groups",
        "reset",
        &group,
        "--to",
        "earliest",
        "--execute",
        "--yes",
    ];
    let refused = kafkaefd(&services, &reset);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("somebody is in the group"), "{refused:?}");
    assert_eq!(described(&services, &group).unwrap()["lag"], 0);

    drop(member);
    until("the broker allows the reset", 60, || {
        let moved = kafkaefd(&services, &reset);
        if moved.code == 0 {
            Ok(())
        } else {
            Err(moved.stderr)
        }
    });
    assert_eq!(described(&services, &group).unwrap()["lag"], 20);
    let deleted = kafkaefd(&services, &["groups", "delete", &group, "--yes"]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
}

/// After the last message of a transactional topic there is a marker, which consumers never see.
#[test]
fn a_group_that_has_read_all_transactions_has_no_lag() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = unique("transactions");
    runtime().block_on(kafka::create_topics(&services, std::slice::from_ref(&topic), 2));
    for partition in [0, 1] {
        transactions(&services, &topic, partition, 5, 3);
    }
    let group = unique("transactions");
    let member = Member::join(&services, &group, &topic, "classic");
    let lag_is = |wanted: i64| {
        until(&format!("a lag of {wanted}"), 60, || {
            let found = described(&services, &group)?;
            let committed = |row: &Json| row["committed"].is_i64();
            let rows = found["partitions"].as_array().unwrap();
            match found["lag"] == wanted && rows.len() == 2 && rows.iter().all(committed) {
                true => Ok(found),
                false => Err(found.to_string()),
            }
        })
    };
    let found = lag_is(0);
    let behind = |row: &Json| row["committed"].as_i64() < row["newest"].as_i64();
    assert!(
        found["partitions"].as_array().unwrap().iter().all(behind),
        "{found}"
    );
    drop(member);
    let listed = kafkaefd(&services, &["groups", "list", "--json"]);
    let rows: Json = serde_json::from_str(&listed.stdout).unwrap();
    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["group"] == group.as_str());
    assert_eq!(row.unwrap()["lag"], 0, "{rows}");
    let top = kafkaefd(
        &services,
        &["top", "--json", "--interval", "0.1", "--filter", &group],
    );
    let top: Json = serde_json::from_str(&top.stdout).unwrap();
    assert_eq!(top["kafka"]["groups"][0]["lag"], 0, "{top}");

    // Unread messages still count as lag: two messages, their markers, and what was there before.
    transactions(&services, &topic, 0, 2, 0);
    let found = described(&services, &group).unwrap();
    assert!(found["lag"].as_i64().unwrap() >= 2, "{found}");
}

/// Before a stage is started for the first time: where it is to begin.
#[test]
fn a_group_that_does_not_exist_yet_gets_its_first_offsets() {
    let Some(services) = Services::with(&["BROKER"]) else {
        return;
    };
    let (topic, group) = (unique("first-"), unique("not-yet-"));
    runtime().block_on(kafka::create_topics(&services, std::slice::from_ref(&topic), 1));
    let messages: Vec<_> = (0..5).map(|n| (topic.clone(), vec![b'0' + n])).collect();
    kafka::produce(&services, &messages);
    let reset = |more: &[&str]| {
        let arguments = [&["groups", "reset", &group, "--to", "offset=2"][..], more].concat();
        kafkaefd(&services, &arguments)
    };
    let without_topics = reset(&[]);
    assert!(
        without_topics.code == 1
            && without_topics.stderr.contains("there is no group")
            && without_topics.stderr.contains("--topic"),
        "{without_topics:?}"
    );
    let planned = reset(&["--topic", &topic]);
    assert_eq!(planned.code, 0, "{planned:?}");
    assert!(
        planned.stderr.contains(&format!("there is no group {group} yet")),
        "{planned:?}"
    );
    assert!(described(&services, &group).is_err(), "a plan changes nothing");
    let moved = reset(&["--topic", &topic, "--execute", "--yes"]);
    assert_eq!(moved.code, 0, "{moved:?}");
    assert_eq!(described(&services, &group).unwrap()["lag"], 3);
}

/// As bash asks at the Tab key.
#[test]
fn names_of_groups_are_completed() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let (topic, group) = (unique("completed-topic-"), unique("completed-group-"));
    runtime().block_on(kafka::create_topics(&services, std::slice::from_ref(&topic), 1));
    kafka::produce(&services, &[(topic.clone(), b"a".to_vec())]);
    let member = Member::join(&services, &group, &topic, "classic");
    until_read(&services, &group, 1);
    let typed = &group[..group.len() - 1];
    until("the group is among the candidates", 60, || {
        let output = std::process::Command::new(system_tests::binary("kafkaefd"))
            .arg(format!("kafkaefd groups describe {typed}"))
            .env("KAFKA_EFD_COMPLETE", "bash")
            .env("BROKER", services.get("BROKER"))
            .output()
            .unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        if found.trim() == group {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    });
    drop(member);
}

/// One client asks for what all groups have committed: a client for each had four threads and eight open files.
#[test]
fn the_console_watches_many_groups_with_few_threads() {
    const GROUPS: usize = 40;
    const MAX_THREADS: usize = 30;
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = topic_with(&services, 3);
    let prefix = unique("watched");
    let groups: Vec<String> = (0..GROUPS).map(|number| format!("{prefix}-{number}")).collect();
    std::thread::scope(|scope| {
        for group in &groups {
            scope.spawn(|| commit(&services, group, &topic));
        }
    });
    let mut console = Running::spawn(&services, &["console", "--port", "0", "--prometheus-port", "0"]);
    let address = console.console_address();
    let runtime = runtime();
    let listed = until("all groups are listed", 60, || {
        let page = runtime.block_on(async { reqwest::get(format!("{address}groups")).await?.text().await });
        let page = page.map_err(|error| error.to_string())?;
        let is_listed = |group: &&String| page.contains(&format!("group?name={group}\""));
        match groups.iter().filter(is_listed).count() {
            GROUPS => Ok(page),
            found => Err(format!("{found} of {GROUPS}")),
        }
    });
    let row = listed
        .split("<tr")
        .find(|row| row.contains(&format!("{prefix}-0\"")))
        .unwrap();
    assert!(row.contains("<td class=\"number\">3</td>"), "{row}");
    let threads = std::fs::read_dir(format!("/proc/{}/task", console.id()))
        .unwrap()
        .count();
    assert!(threads <= MAX_THREADS, "{threads} threads");
}

/// Commits, in the name of a group, that it begins a topic's two partitions.
fn commit(services: &Services, group: &str, topic: &str) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .set("group.id", group)
        .create()
        .unwrap();
    let mut offsets = TopicPartitionList::new();
    for partition in [0, 1] {
        offsets
            .add_partition_offset(topic, partition, Offset::Offset(0))
            .unwrap();
    }
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
}
