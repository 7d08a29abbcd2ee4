//! `kafkaefd tail`, checked with kcat.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rdkafka::ClientConfig;
use rdkafka::producer::BaseRecord;
use serde_json::{Value as Json, json};

use super::{Running, json_lines, kafkaefd, sorted, topic, transactions};
use crate::real::peers::kcat;
use crate::real::{Services, registry, until};

const NEEDED: &[&str] = &["BROKER", "SCHEMAREGISTRY", "KCAT"];

/// kcat's format letters give the same output, from the same offsets.
#[test]
fn tail_reads_what_kcat_reads() {
    let Some(services) = Services::with(NEEDED) else {
        return;
    };
    let topic = topic(&services, "tail-", 2);
    for partition in ["0", "1"] {
        let input = format!("k:{partition} a\nl:{partition} b ä\nm:{partition} c\n");
        let to = [
            "-P", "-t", &topic, "-p", partition, "-K:", "-H", "h=1", "-H", "i=2",
        ];
        kcat(&services, &to, input.as_bytes());
    }
    let form = "%t %p %o %k %K %s %S %T %h\\n";
    for from in ["beginning", "-2", "1", "-1"] {
        let theirs = kcat(
            &services,
            &["-C", "-q", "-e", "-t", &topic, "-o", from, "-f", form],
            b"",
        );
        let ours = kafkaefd(&services, &["tail", &topic, "-e", "-o", from, "-f", form]);
        assert_eq!(ours.code, 0, "{ours:?}");
        assert!(!ours.stdout.is_empty());
        assert_eq!(sorted(&ours.stdout), sorted(&theirs), "-o {from}");
    }
    let one = kafkaefd(
        &services,
        &["tail", &topic, "-e", "-o", "0", "-p", "1", "--format", "json"],
    );
    let lines = json_lines(&one.stdout);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["value"], json!("1 b ä"));
    assert_eq!(lines[1]["key"], json!("l"));
    assert_eq!(lines[1]["headers"], json!({"h": "1", "i": "2"}));
    assert_eq!(
        (&lines[1]["partition"], &lines[1]["offset"]),
        (&json!(1), &json!(1))
    );
    assert!(lines[1]["timestamp"].as_i64().unwrap() > 1_700_000_000_000);

    let counted = kafkaefd(&services, &["tail", &topic, "-o", "0", "-n", "4", "-f", "raw"]);
    assert_eq!(counted.stdout.lines().count(), 4);
    assert_eq!(counted.stderr, "4 messages read, 4 written\n");
    let keyed = kafkaefd(
        &services,
        &["tail", &topic, "-e", "-o", "0", "--key", "m", "-f", "%s\\n"],
    );
    assert_eq!(sorted(&keyed.stdout), ["0 c", "1 c"]);
    let later = kafkaefd(&services, &["tail", &topic, "-e", "-o", "2199-01-01"]);
    assert_eq!((later.code, later.stdout.as_str()), (0, ""));
    let today = kafkaefd(&services, &["tail", &topic, "-e", "-o", "-1h"]);
    assert_eq!(today.stdout.lines().count(), 6);
}

/// Messages can contain anything: they are shown, do not control the terminal and never cause a panic.
#[test]
fn tail_shows_any_message() {
    let Some(services) = Services::with(NEEDED) else {
        return;
    };
    let topic = topic(&services, "anything-", 1);
    let mut child = Command::new(services.get("KCAT"))
        .args(["-b", services.get("BROKER"), "-P", "-t", &topic, "-H"])
        .arg(OsStr::from_bytes(b"\xff=1"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"a").unwrap();
    assert!(child.wait().unwrap().success());
    kcat(&services, &["-P", "-t", &topic], b"\xff\x1b[2J");
    kcat(&services, &["-P", "-t", &topic], b"\0\0\xff\xff\xff\xff");
    kcat(
        &services,
        &["-P", "-t", &topic],
        "red \u{1b}[31m \u{202e}".as_bytes(),
    );
    kcat(&services, &["-P", "-t", &topic, "-K:", "-Z"], b"key:\n");
    let json = kafkaefd(&services, &["tail", &topic, "-o", "0", "-e", "-f", "json"]);
    assert_eq!(
        (json.code, json.stderr.as_str()),
        (
            1,
            "5 messages read, 5 written\nkafkaefd: 1 message could not be decoded: the schema registry knows no schema id \
             16777215\n"
        )
    );
    let lines = json_lines(&json.stdout);
    let forms: Vec<&str> = lines.iter().map(|line| line["form"].as_str().unwrap()).collect();
    assert_eq!(forms, ["text", "hex", "hex", "text", "nothing"]);
    assert_eq!(lines[0]["headers"], Json::Null);
    assert_eq!(lines[1]["value"], json!("ff1b5b324a"));
    assert!(
        lines[2]["problem"]
            .as_str()
            .unwrap()
            .contains("schema id 16777215"),
        "{}",
        lines[2]
    );
    assert_eq!(lines[3]["value"], json!("red \u{1b}[31m \u{202e}"));
    assert_eq!(lines[4]["value"], Json::Null);
    let text = kafkaefd(&services, &["tail", &topic, "-o", "0", "-e"]);
    assert!(text.stdout.contains(r"red \u{1b}[31m \u{202e}"), "{text:?}");
    assert!(text.stdout.contains("a (unreadable headers"), "{text:?}");
}

#[test]
fn tail_explains_errors() {
    let Some(services) = Services::with(NEEDED) else {
        return;
    };
    let topic = topic(&services, "tail-wrong-", 1);
    let unknown = kafkaefd(&services, &["tail", &topic[..topic.len() - 1], "-e"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains(&format!("did you mean {topic}")),
        "{unknown:?}"
    );
    let filter = kafkaefd(&services, &["tail", &topic, "-e", "--filter", "a = 5"]);
    assert_eq!(filter.code, 64);
    assert!(
        filter.stderr.contains("  a = 5\n    ^ expected == != <"),
        "{filter:?}"
    );
    let partition = kafkaefd(&services, &["tail", &topic, "-e", "-p", "7"]);
    assert_eq!(partition.code, 64);
    assert!(
        partition.stderr.contains("no partition 7: it has 1"),
        "{partition:?}"
    );
}

/// Three outputs of one run: a file, a pipe that reads everything, and a pipe whose command ends early, which
/// is reported.
#[test]
fn tail_writes_to_several_places() {
    let Some(services) = Services::with(NEEDED) else {
        return;
    };
    let topic = topic(&services, "outputs-", 1);
    let lines: String = (0..100).map(|n| format!("{{\"n\": {n}}}\n")).collect();
    kcat(&services, &["-P", "-t", &topic], lines.as_bytes());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let config = format!(
        "[[output]]\nto = \"{}\"\nfilter = \"n >= 90\"\nformat = \"raw\"\n\
         [[output]]\nto = \"|cat > {}\"\nsample = \"1/10\"\nformat = \"json\"\n\
         [[output]]\nto = \"|exit 3\"\n",
        path("file"),
        path("piped")
    );
    std::fs::write(path("outputs.toml"), config).unwrap();
    let tail = Running::spawn(
        &services,
        &["tail", &topic, "-o", "0", "--config", &path("outputs.toml")],
    );
    until("everything is written while tail runs", 60, || {
        let count = |name: &str| lines_of(&path(name)).len();
        match (count("file"), count("piped")) {
            (10, 10) => Ok(()),
            state => Err(format!("{state:?}")),
        }
    });
    let ran = tail.interrupt();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stderr.contains("|exit 3: the command ended: exit status: 3"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("10 written of 100 that passed its filter"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.ends_with("100 messages read, 100 written\n"),
        "{ran:?}"
    );
    assert_eq!(lines_of(&path("file"))[0], "{\"n\": 90}");
    let sampled = json_lines(&lines_of(&path("piped")).join("\n"));
    assert_eq!(sampled[9]["value"], json!({"n": 90}));

    // Appends to the file and writes nothing twice.
    let more = kafkaefd(
        &services,
        &[
            "tail",
            &topic,
            "-o",
            "-1",
            "-e",
            "--output",
            &path("file"),
            "-f",
            "raw",
        ],
    );
    assert_eq!((more.code, more.stdout.as_str()), (0, ""));
    assert_eq!(lines_of(&path("file")).len(), 11);
}

fn lines_of(path: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// From the end of the topic, as messages arrive, until Ctrl-C.
#[test]
fn tail_follows_until_it_is_interrupted() {
    let Some(services) = Services::with(NEEDED) else {
        return;
    };
    let topic = topic(&services, "follow-", 1);
    kcat(&services, &["-P", "-t", &topic], b"before\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seen").display().to_string();
    let tail = Running::spawn(&services, &["tail", &topic, "--output", &file, "-f", "%s\n"]);
    let mut sent = 0;
    until("new messages are seen", 60, || {
        sent += 1;
        kcat(
            &services,
            &["-P", "-t", &topic],
            format!("message {sent}\n").as_bytes(),
        );
        match lines_of(&file).len() {
            0 => Err(format!("{sent} sent")),
            _ => Ok(()),
        }
    });
    let ran = tail.interrupt();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains(" written\n"), "{ran:?}");
    assert!(lines_of(&file)[0].starts_with("message "), "nothing from before");
}

/// The markers that end transactions have offsets, and so do aborted messages.
#[test]
fn the_last_messages_are_counted_not_their_offsets() {
    let Some(services) = Services::with(NEEDED) else {
        return;
    };
    let topic = topic(&services, "last-", 2);
    transactions(&services, &topic, 0, 20, 30);
    transactions(&services, &topic, 1, 3, 0);
    for (last, expected) in [("-1", 2), ("-3", 6), ("-10", 13), ("-1000", 23), ("-0", 0)] {
        let ran = kafkaefd(&services, &["tail", &topic, "-o", last, "-e", "-f", "%p %s\n"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.stdout.lines().count(), expected, "-o {last}: {ran:?}");
    }
    let ten = kafkaefd(
        &services,
        &["tail", &topic, "-o", "-10", "-e", "-p", "0", "-f", "%s "],
    );
    assert_eq!(ten.stdout.trim(), "10 11 12 13 14 15 16 17 18 19");
}

/// A key in Confluent's framing, as Kafka Connect and Streams write them, and a value with a union.
#[test]
fn avro_keys_are_decoded_and_unions_named() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = topic(&services, "avro-keys-", 1);
    let key_schema = json!({"type": "record", "name": "K", "fields": [{"name": "name", "type": "string"}]});
    let schema = json!({"type": "record", "name": "V", "fields": [{"name": "n", "type": ["null", "long"]}]});
    let (key_subject, subject) = (format!("{topic}-key"), format!("{topic}-value"));
    let (key_id, id) = crate::runtime().block_on(async {
        registry::register(&services, &key_subject, &key_schema).await;
        registry::register(&services, &subject, &schema).await;
        (
            registry::id(&services, &key_subject).await,
            registry::id(&services, &subject).await,
        )
    });
    let framed = |id: u32, avro: &[u8]| [&[0], &id.to_be_bytes()[..], avro].concat();
    let producer = testkit::producer(ClientConfig::new().set("bootstrap.servers", services.get("BROKER")));
    for (key, value) in [
        (framed(key_id, b"\x04M1"), framed(id, &[2, 10])),
        (7_u64.to_be_bytes().to_vec(), framed(id, &[0])),
    ] {
        let record = BaseRecord::to(&topic).key(&key).payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    testkit::deliver(&producer);
    let tail = |more: &[&str]| kafkaefd(&services, &[&["tail", &topic, "-e", "-o", "0"], more].concat());
    let lines = json_lines(&tail(&["-f", "json", "--typed-unions"]).stdout);
    assert_eq!(lines[0]["key"], json!({"name": "M1"}));
    assert_eq!(
        (&lines[0]["key_form"], &lines[0]["value"]),
        (&json!("avro"), &json!({"n": {"long": 5}}))
    );
    // A number in eight bytes, which only looks like a frame.
    assert_eq!(lines[1]["key"], json!("\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{7}"));
    assert!(lines[1].get("key_problem").is_none(), "{}", lines[1]);
    assert_eq!(lines[1]["value"], json!({"n": null}));
    for arguments in [
        &["--filter", "key.name == 'M1'"][..],
        &["--key", "{\"name\":\"M1\"}"],
    ] {
        let found = tail(&[arguments, &["-f", "%o %k %s\\n"]].concat());
        assert_eq!(found.stdout, "0 {\"name\":\"M1\"} {\"n\":5}\n", "{arguments:?}");
    }
}

/// Several topics, of which transactions end some with markers, which are not messages: each is read to its end, once.
#[test]
fn tail_reads_every_topic_of_an_expression_to_its_end() {
    let Some(services) = Services::with(NEEDED) else {
        return;
    };
    let prefix = crate::real::unique("tail-many-");
    let names: Vec<String> = (0..3).map(|number| format!("{prefix}_{number}")).collect();
    crate::runtime().block_on(crate::real::kafka::create_topics(&services, &names, 2));
    for name in &names {
        transactions(&services, name, 0, 5, 7);
        kcat(&services, &["-P", "-t", name, "-p", "1"], b"a\nb\n");
    }
    let expression = format!("{prefix}_.*");
    for from in ["beginning", "-100", "-1h"] {
        let ran = kafkaefd(
            &services,
            &["tail", &expression, "-e", "-o", from, "-f", "%t %p %s\n"],
        );
        assert_eq!(ran.code, 0, "-o {from}: {ran:?}");
        let mut theirs = String::new();
        for name in &names {
            theirs += &kcat(
                &services,
                &["-C", "-q", "-e", "-t", name, "-f", "%t %p %s\n"],
                b"",
            );
        }
        assert_eq!(sorted(&ran.stdout), sorted(&theirs), "-o {from}");
        assert_eq!(ran.stdout.lines().count(), 3 * 7, "-o {from}");
    }
    let last = kafkaefd(
        &services,
        &["tail", &names[0], &names[2], "-e", "-o", "-1", "-f", "%t %s\n"],
    );
    let (first, third) = (&names[0], &names[2]);
    assert_eq!(
        sorted(&last.stdout),
        [
            format!("{first} 4"),
            format!("{first} b"),
            format!("{third} 4"),
            format!("{third} b")
        ]
    );
}
