//! `kafkaefd helloworld` and `helloavro`: what is produced can be consumed, with our own commands and with
//! kcat.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use super::{Running, json_lines, kafkaefd};
use crate::real::peers::kcat;
use crate::real::{Services, unique};

#[test]
fn a_text_is_produced_to_a_new_topic_and_consumed() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "KCAT"]) else {
        return;
    };
    let topic = unique("operator-hello-");
    let ran = kafkaefd(
        &services,
        &[
            "helloworld",
            "produce",
            "--topic",
            &topic,
            "--count",
            "3",
            "--json",
        ],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains(&format!("created topic {topic}")),
        "{}",
        ran.stderr
    );
    let sent: Value = serde_json::from_str(&ran.stdout).unwrap();
    let offsets: Vec<_> = sent["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sent| &sent["offset"])
        .collect();
    assert_eq!(offsets, [0, 1, 2]);

    let ran = kafkaefd(
        &services,
        &["helloworld", "consume", "--topic", &topic, "-e", "--json"],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("3 messages"), "{}", ran.stderr);
    let read = json_lines(&ran.stdout);
    let texts: Vec<_> = read
        .iter()
        .map(|message| (&message["key"], &message["value"]))
        .collect();
    assert_eq!(texts, [(&Value::from("hello"), &Value::from("Hello, world!")); 3]);

    let ran = kafkaefd(
        &services,
        &["helloworld", "consume", "--topic", &topic, "--count", "2"],
    );
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    assert!(
        ran.stdout
            .starts_with(&format!("{topic}[0]@0 hello Hello, world!\n")),
        "{}",
        ran.stdout
    );

    let read = kcat(&services, &["-C", "-t", &topic, "-e", "-q", "-f", "%k %s\n"], b"");
    assert_eq!(read, "hello Hello, world!\n".repeat(3));
}

#[test]
fn a_record_is_produced_to_a_new_topic_and_consumed() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "APICURIO"]) else {
        return;
    };
    for registry in ["SCHEMAREGISTRY", "APICURIO"] {
        let topic = unique("operator-avro-");
        let at = ["--topic", &topic, "--schema-registry", services.get(registry)];
        let ran = kafkaefd(
            &services,
            &[&["helloavro", "produce", "--count", "2"], &at[..]].concat(),
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(
            ran.stdout.contains(&format!("{topic}[0] at offset 1")),
            "{}",
            ran.stdout
        );
        assert!(ran.stderr.contains(&format!("{topic}-value")), "{}", ran.stderr);

        let ran = kafkaefd(
            &services,
            &[&["helloavro", "consume", "-e", "--json"], &at[..]].concat(),
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let numbers: Vec<_> = json_lines(&ran.stdout)
            .into_iter()
            .map(|message| message["value"]["number"].clone())
            .collect();
        assert_eq!(numbers, [1, 2]);
    }
}

#[test]
fn a_value_that_is_not_a_record_is_skipped_and_reported() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = unique("operator-mixed-");
    let ran = kafkaefd(&services, &["helloworld", "produce", "--topic", &topic]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = kafkaefd(&services, &["helloavro", "produce", "--topic", &topic]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = kafkaefd(&services, &["helloavro", "consume", "--topic", &topic, "-e"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("[0]@0 was skipped: the value begins with byte 0x48"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("Hello, Avro!"), "{}", ran.stdout);
}

#[test]
fn messages_are_shown_until_ctrl_c() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = unique("operator-live-");
    let mut running = Running::spawn(&services, &["helloworld", "consume", "--topic", &topic]);
    let mut lines = BufReader::new(running.stdout()).lines();
    let greeting = [
        "helloworld",
        "produce",
        "--topic",
        &topic,
        "--message",
        "Hello\u{1b}[2J",
    ];
    let ran = kafkaefd(&services, &greeting);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let line = lines.next().unwrap().unwrap();
    assert_eq!(
        line,
        format!("{topic}[0]@0 hello Hello\\u{{1b}}[2J"),
        "control characters are escaped"
    );
    let ended = running.interrupt();
    assert_eq!(ended.code, 0, "Ctrl-C ends it without an error: {ended:?}");
    assert!(lines.next().is_none());
}

#[test]
fn one_command_sends_reads_back_and_says_whether_all_is_equal() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    for command in ["helloworld", "helloavro"] {
        let topic = unique("operator-round-trip-");
        for _ in 0..2 {
            let ran = kafkaefd(&services, &[command, "--topic", &topic, "--count", "5"]);
            assert_eq!(ran.code, 0, "{ran:?}");
            let expected = format!("{topic}: sent 5, read back 5, equal, ");
            assert!(ran.stdout.starts_with(&expected), "{ran:?}");
        }
        let ran = kafkaefd(&services, &[command, "--topic", &topic, "--json"]);
        let verdict: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(verdict["verdict"], "equal", "{ran:?}");
    }
}
