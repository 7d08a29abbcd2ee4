//! `kafkaefd admin topics` and `admin brokers` against the real Kafka, checked with kcat and plain rdkafka.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::{Value, json};

use super::kafkaefd;
use crate::real::{Services, kafka, unique, until};

fn answer(services: &Services, arguments: &[&str]) -> Value {
    let ran = kafkaefd(services, arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn topics_are_created_listed_counted_and_deleted() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let (one, two) = (unique("topics-one-"), unique("topics-two-"));
    let created = answer(
        &services,
        &[
            "admin", "topics", "create", &one, &two, "-p", "3", "-r", "1", "--json",
        ],
    );
    assert_eq!(
        created[0],
        json!({"topic": one, "result": "created", "reason": null})
    );
    let again = kafkaefd(&services, &["admin", "topics", "create", &one, "-p", "9"]);
    assert_eq!(again.code, 0, "an existing topic is left as it is");
    assert!(again.stdout.contains("exists"), "{}", again.stdout);

    let filter = format!("^({one}|{two})$");
    let listed = answer(
        &services,
        &["admin", "topics", "list", "--filter", &filter, "--json"],
    );
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(
        (&listed[0]["partitions"], &listed[0]["replication"]),
        (&json!(3), &json!(1))
    );
    let inline = kafkaefd(
        &services,
        &["admin", "topics", "list", "--filter", &filter, "--inline"],
    );
    assert_eq!(inline.stdout, format!("{one} {two}\n"));
    let table = kafkaefd(&services, &["admin", "topics", "list", "--filter", &filter]);
    assert!(
        table.stdout.starts_with("TOPIC "),
        "a pipe gets no colours: {:?}",
        table.stdout
    );

    let messages: Vec<_> = (0..50)
        .map(|n| (one.clone(), format!("{n}").into_bytes()))
        .collect();
    kafka::produce(&services, &messages);
    let offsets = answer(&services, &["admin", "topics", "offsets", &one, "--json"]);
    assert_eq!(offsets["total"], json!(50));
    assert_eq!(offsets["partitions"].as_array().unwrap().len(), 3);
    assert_eq!(offsets["partitions"][0]["oldest"], json!(0));

    let refused = kafkaefd(&services, &["admin", "topics", "delete", &one, &two]);
    assert_eq!(refused.code, 2, "nobody confirmed");
    assert!(refused.stderr.contains("with 50 messages"), "{}", refused.stderr);
    assert_eq!(kafka::message_count(&services, std::slice::from_ref(&one)), 50);
    let deleted = answer(
        &services,
        &["admin", "topics", "delete", &one, &two, "--yes", "--json"],
    );
    assert!(
        deleted
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["result"] == json!("deleted"))
    );
    assert_eq!(deleted[0]["read_by"], json!([]));
}

/// The demo of a mistake: a stage consumes what is deleted.
#[test]
fn who_reads_a_topic_that_is_deleted_is_named() {
    let Some(services) = Services::with(&["BROKER"]) else {
        return;
    };
    let (one, two, group) = (unique("read-one-"), unique("read-two-"), unique("reader-"));
    answer(&services, &["admin", "topics", "create", &one, &two, "--json"]);
    let reader: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .set("group.id", &group)
        .create()
        .unwrap();
    reader.subscribe(&[&one]).unwrap();
    until("the group has its partition", 60, || {
        reader.poll(Duration::from_millis(100));
        let count = reader.assignment().unwrap().count();
        (count > 0)
            .then_some(())
            .ok_or_else(|| "no assignment".to_owned())
    });
    let refused = kafkaefd(&services, &["admin", "topics", "delete", &one, &two]);
    assert_eq!(refused.code, 2, "nobody confirmed");
    let warning = format!("group {group} is reading {one}\n");
    assert!(refused.stderr.contains(&warning), "{}", refused.stderr);
    let deleted = kafkaefd(
        &services,
        &["admin", "topics", "delete", &one, &two, "--yes", "--json"],
    );
    assert!(deleted.stderr.contains(&warning), "{}", deleted.stderr);
    let rows: Value = serde_json::from_str(&deleted.stdout).unwrap();
    assert_eq!(
        rows,
        json!([
            {"topic": one, "result": "deleted", "reason": null, "read_by": [group]},
            {"topic": two, "result": "deleted", "reason": null, "read_by": []},
        ])
    );
}

/// More than one request holds.
#[test]
fn many_topics_are_created_and_deleted() {
    let Some(services) = Services::with(&["BROKER"]) else {
        return;
    };
    let prefix = unique("many-");
    let names: Vec<String> = (0..300).map(|number| format!("{prefix}{number:03}")).collect();
    let line = |action: &'static str, flags: &[&'static str]| -> Vec<String> {
        let words = ["admin", "topics", action].into_iter();
        let words = words.chain(flags.iter().copied()).map(str::to_owned);
        words.chain(names.iter().cloned()).collect()
    };
    let ask = |line: Vec<String>| -> Vec<Value> {
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        serde_json::from_value(answer(&services, &line)).unwrap()
    };
    let with = |rows: Vec<Value>, result: &str| -> Vec<String> {
        let rows = rows.iter().filter(|row| row["result"] == json!(result));
        rows.map(|row| row["topic"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(with(ask(line("create", &["--json"])), "created"), names);
    assert_eq!(with(ask(line("create", &["--json"])), "exists"), names);
    // They are listed once the command ends: the deletion of one that is not would fail.
    assert_eq!(with(ask(line("delete", &["--yes", "--json"])), "deleted"), names);
}

/// Other tests send messages of long ago. Kafka deletes what is older than its retention at one of its looks, every five
/// minutes, and a stage that starts then waits for messages that are gone.
#[test]
fn messages_of_long_ago_stay() {
    let Some(services) = Services::with(&["BROKER"]) else {
        return;
    };
    let topic = unique("long-ago-");
    assert_eq!(
        kafkaefd(&services, &["admin", "topics", "create", &topic]).code,
        0
    );
    let settings = answer(
        &services,
        &["admin", "topics", "config", &topic, "--detail", "--json"],
    );
    let settings = settings.as_array().unwrap();
    let retention = settings.iter().find(|row| row["key"] == json!("retention.ms"));
    assert_eq!(retention.unwrap()["value"], json!("-1"));
}

#[test]
fn some_settings_change_and_the_others_keep_their_values() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = unique("topics-config-");
    let config = ["admin", "topics", "config", &topic];
    let create = [
        "admin",
        "topics",
        "create",
        &topic,
        "--config",
        "retention.ms=86400000",
    ];
    assert_eq!(kafkaefd(&services, &create).code, 0);
    let set = |settings: &[&str]| kafkaefd(&services, &[&config[..], settings, &["--json"]].concat());
    let both = set(&[
        "--set",
        "compression.type",
        "lz4",
        "--set",
        "max.message.bytes",
        "5000000",
        "--yes",
    ]);
    assert_eq!(both.code, 0, "{}", both.stderr);
    let rows: Value = serde_json::from_str(&both.stdout).unwrap();
    let own: Vec<(&str, &str)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["key"].as_str().unwrap(), row["value"].as_str().unwrap()))
        .collect();
    let expected = [
        ("compression.type", "lz4"),
        ("max.message.bytes", "5000000"),
        ("retention.ms", "86400000"),
    ];
    assert_eq!(own, expected);
    let detail = answer(&services, &[&config[..], &["--detail", "--json"]].concat());
    assert!(detail.as_array().unwrap().len() > 20, "defaults are included");

    let unknown = set(&["--set", "retention.msec", "1", "--yes"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("did you mean retention.ms"),
        "{}",
        unknown.stderr
    );
    let wrong = set(&["--set", "compression.type", "lzz", "--yes"]);
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.stderr.contains("the brokers keep the old value"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn a_topic_gets_more_partitions_and_never_fewer() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = unique("topics-partition-");
    assert_eq!(
        kafkaefd(&services, &["admin", "topics", "create", &topic, "-p", "2"]).code,
        0
    );
    let widen = |rest: &[&str]| {
        kafkaefd(
            &services,
            &[&["admin", "topics", "partition", &topic][..], rest].concat(),
        )
    };
    let count = || {
        let filter = format!("^{topic}$");
        answer(
            &services,
            &["admin", "topics", "list", "--filter", &filter, "--json"],
        )[0]["partitions"]
            .clone()
    };
    let dry = widen(&["4", "-n"]);
    assert_eq!((dry.code, count()), (0, json!(2)), "{}", dry.stderr);
    let fewer = widen(&["1", "--yes"]);
    assert_eq!(fewer.code, 1);
    assert!(fewer.stderr.contains("Kafka takes none away"), "{}", fewer.stderr);
    let ran = widen(&["4", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    crate::real::until("the new partitions", 30, || match count() {
        four if four == json!(4) => Ok(()),
        other => Err(format!("{other} partitions")),
    });
}

#[test]
fn brokers_are_listed_with_their_controller() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let brokers = answer(&services, &["admin", "brokers", "--json"]);
    let brokers = brokers.as_array().unwrap();
    assert_eq!(brokers.len(), 1);
    assert_eq!(brokers[0]["controller"], json!(true));
    let address = format!("{}:{}", brokers[0]["host"].as_str().unwrap(), brokers[0]["port"]);
    assert_eq!(address, services.get("BROKER"));
    // As in kafkaefd of 2019: before the command.
    let before = kafkaefd(
        &services,
        &["--broker", services.get("BROKER"), "admin", "brokers"],
    );
    assert_eq!(before.code, 0, "{}", before.stderr);
}

#[test]
fn an_unreachable_broker_is_reported_with_the_reason() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    for (broker, reason) in [
        ("127.0.0.1:1", "Connection refused"),
        ("no-such-host.invalid:9092", "Failed to resolve"),
    ] {
        let ran = kafkaefd(&services, &["admin", "brokers", "--broker", broker]);
        assert_eq!(ran.code, 69);
        assert!(
            ran.stderr.contains(broker) && ran.stderr.contains(reason),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("try: "), "{}", ran.stderr);
    }
    let unknown = kafkaefd(&services, &["admin", "topics", "offsets", "no-such-topic"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("there is no topic no-such-topic"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_topic_is_described_with_its_partitions_and_settings() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = unique("topics-described-");
    let created = kafkaefd(
        &services,
        &[
            "topic",
            "create",
            &topic,
            "-p",
            "2",
            "-r",
            "1",
            "--config",
            "retention.ms=3600000",
        ],
    );
    assert_eq!(created.code, 0, "{created:?}");
    kafka::produce(
        &services,
        &[(topic.clone(), b"a".to_vec()), (topic.clone(), b"b".to_vec())],
    );
    let described = answer(&services, &["describe", "topic", &topic, "--json"]);
    assert_eq!(
        (
            &described["topic"],
            &described["total"],
            &described["replication"]
        ),
        (&json!(topic), &json!(2), &json!(1))
    );
    let partitions = described["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 2);
    for partition in partitions {
        assert_eq!(partition["replicas"], json!([partition["leader"]]), "{partition}");
        assert_eq!(
            (&partition["in_sync"], &partition["oldest"]),
            (&partition["replicas"], &json!(0))
        );
    }
    assert_eq!(
        (
            &described["settings"][0]["key"],
            &described["settings"][0]["value"]
        ),
        (&json!("retention.ms"), &json!("3600000"))
    );
    let text = kafkaefd(&services, &["topics", "describe", &topic]);
    assert!(
        text.stdout
            .starts_with(&format!("{topic}: 2 partitions, 1 replica of each, 2 messages\n"))
            && text.stdout.ends_with("\nretention.ms=3600000\n"),
        "{text:?}"
    );
    let unknown = kafkaefd(&services, &["topics", "describe", &topic[..topic.len() - 1]]);
    assert!(
        unknown.code == 1 && unknown.stderr.contains(&format!("did you mean {topic}")),
        "{unknown:?}"
    );
}
