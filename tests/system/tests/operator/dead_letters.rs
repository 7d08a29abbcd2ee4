//! `kafkaefd dead-letters` list, show and replay, with messages that a stage refused and with dead letters
//! made by the test.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use serde_json::{Value as Json, json};

use super::{Ran, Running, kafkaefd};
use crate::real::value::Value;
use crate::real::{Services, kafka, peers, stages, unique, until};
use crate::{root, runtime, wait};

fn answer(ran: &Ran) -> Json {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Produces dead letters as a stage writes them, from `origin`, one per value.
fn write_dead_letters(services: &Services, dead: &str, origin: &str, values: impl Iterator<Item = String>) {
    let producer = testkit::producer(ClientConfig::new().set("bootstrap.servers", services.get("BROKER")));
    for (index, value) in values.enumerate() {
        let offset = index.to_string();
        let headers = [
            ("topic", origin),
            ("partition", "1"),
            ("offset", &offset),
            ("timestamp", "1574000000000"),
            ("stage", "line"),
            ("reason", "line_no_fields"),
            ("detail", "nothing\u{1b}[2J"),
            ("group", "g"),
            ("original.mine", "yours"),
        ];
        let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(*value),
            })
        });
        let key = format!("key{index}");
        let record = BaseRecord::to(dead).key(&key).payload(&value).headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.poll(Duration::ZERO);
    }
    testkit::deliver(&producer);
}

/// A dead-letter topic and the topic that its messages came from, with two partitions.
fn topics(services: &Services) -> (String, String) {
    let name = unique("letters-");
    let (dead, origin) = (format!("{name}.dead-letter"), format!("{name}.origin"));
    runtime().block_on(async {
        kafka::create_topics(services, std::slice::from_ref(&dead), 1).await;
        kafka::create_topics(services, std::slice::from_ref(&origin), 2).await;
    });
    (dead, origin)
}

/// The contents of a topic, by value: how often each occurs, and the headers of one.
fn held(services: &Services, topic: &str) -> BTreeMap<Vec<u8>, (usize, BTreeMap<String, String>)> {
    let mut held = BTreeMap::new();
    let read = kafkaefd(services, &["tail", topic, "-o", "beginning", "-e", "-f", "json"]);
    assert_eq!(read.code, 0, "{read:?}");
    for line in read.stdout.lines() {
        let message: Json = serde_json::from_str(line).unwrap();
        let value = message["value"].as_str().unwrap().as_bytes().to_vec();
        let headers = message["headers"].as_object().cloned().unwrap_or_default();
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name, value.as_str().unwrap().to_owned()));
        let entry: &mut (usize, _) = held.entry(value).or_default();
        *entry = (entry.0 + 1, headers.collect());
    }
    held
}

#[test]
fn dead_letters_are_counted_shown_and_replayed_once() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "KCAT"]) else {
        return;
    };
    let (dead, origin) = topics(&services);
    let gone = unique("gone-");
    write_dead_letters(
        &services,
        &dead,
        &origin,
        ["first", "second"].map(str::to_owned).into_iter(),
    );
    write_dead_letters(&services, &dead, &gone, std::iter::once("third".to_owned()));
    let run = |arguments: &[&str]| {
        kafkaefd(
            &services,
            &[&["dead-letters"], arguments, &["--in", &dead]].concat(),
        )
    };

    let listed = answer(&run(&["list", "--json"]));
    let rows = listed.as_array().unwrap();
    let row = rows.iter().find(|row| row["topic"] == origin.as_str()).unwrap();
    assert_eq!(
        (rows.len(), &row["letters"], &row["replayed"]),
        (2, &json!(2), &json!(0))
    );
    assert_eq!(
        (&row["stage"], &row["reason"]),
        (&json!("line"), &json!("line_no_fields"))
    );
    assert!(row["first"].as_i64().unwrap() <= row["last"].as_i64().unwrap());
    let table = run(&["list"]);
    assert!(table.stdout.starts_with("STAGE  REASON"), "{table:?}");
    for (flags, count) in [
        (&["--stage", "parse"][..], 0),
        (&["--topic", &origin], 1),
        (&["--reason", "line_no_fields", "--from", "-1h"], 2),
        (&["--to", "-1h"], 0),
    ] {
        let rows = answer(&run(&[&["list", "--json"], flags].concat()));
        assert_eq!(rows.as_array().unwrap().len(), count, "{flags:?}");
    }

    let shown = run(&["show", "--topic", &origin]);
    for part in [
        "line/line_no_fields",
        r"detail   nothing\u{1b}[2J",
        &format!("{origin}[1]@1 of 2019-11-17T14:13:20Z"),
        "key      key1",
        "header   mine=yours",
        "original second (6 bytes)",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {shown:?}");
    }
    assert!(
        !shown.stdout.contains('\u{1b}'),
        "without a terminal, there are no colours and no control characters"
    );
    let shown = answer(&run(&["show", "--json", "-n", "1"]));
    assert_eq!(shown[0]["original"], json!("third"));
    assert_eq!(shown[0]["origin"]["topic"], json!(gone));

    let dry = run(&["replay", "--dry-run", "--topic", &origin]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(dry.stdout.contains("nothing was replayed"), "{dry:?}");
    let unasked = run(&["replay", "--topic", &origin]);
    assert_eq!(unasked.code, 2);
    let question = format!(
        "replay 2 dead letters at {}: 2 to {origin}",
        services.get("BROKER")
    );
    assert!(unasked.stderr.contains(&question), "{unasked:?}");
    assert!(held(&services, &origin).is_empty());

    // The dead letter whose topic is gone is kept and reported.
    let replayed = run(&["replay", "--yes", "--json"]);
    assert_eq!(replayed.code, 1, "{replayed:?}");
    let replayed = answer(&replayed);
    assert_eq!(
        (&replayed["replayed"], &replayed["replayed_before"]),
        (&json!(2), &json!(0))
    );
    let obstacles: Vec<&Json> = replayed["plan"]
        .as_array()
        .unwrap()
        .iter()
        .map(|way| &way["obstacle"])
        .collect();
    assert!(obstacles.contains(&&json!("that topic is gone")), "{replayed}");
    let form = "%p %k %s %h\n";
    let read = kafkaefd(&services, &["tail", &origin, "-o", "beginning", "-e", "-f", form]);
    assert_eq!(
        read.stdout,
        format!(
            "1 key0 first mine=yours,replayed-from={dead}/0/0\n1 key1 second mine=yours,replayed-from={dead}/0/1\n"
        )
    );

    let second = answer(&run(&["replay", "--yes", "--json", "--topic", &origin]));
    assert_eq!(
        (&second["replayed"], &second["replayed_before"]),
        (&json!(0), &json!(2))
    );
    assert_eq!(peers::kcat_count(&services, &origin), 2);
    let row = answer(&run(&["list", "--json", "--topic", &origin]));
    assert_eq!(row[0]["replayed"], json!(2));
    let again = answer(&run(&[
        "replay", "--yes", "--json", "--topic", &origin, "--again",
    ]));
    assert_eq!(again["replayed"], json!(2));
    assert_eq!(peers::kcat_count(&services, &origin), 4);
}

/// Behind the last entry of what was replayed, there is the marker of its transaction, in each of the topics.
#[test]
fn several_dead_letter_topics_are_read_at_once() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let all: Vec<(String, String)> = (0..4).map(|_| topics(&services)).collect();
    for (number, (dead, origin)) in all.iter().enumerate() {
        let values = (0..=number).map(|letter| format!("{number} {letter}"));
        write_dead_letters(&services, dead, origin, values);
    }
    let run = |arguments: &[&str]| {
        let chosen: Vec<&str> = all.iter().flat_map(|(dead, _)| ["--in", dead]).collect();
        kafkaefd(&services, &[&["dead-letters"], arguments, &chosen].concat())
    };
    let counts = |key: &str| -> BTreeMap<String, Json> {
        let listed = answer(&run(&["list", "--json"]));
        let rows = listed.as_array().unwrap().iter();
        let count = |row: &Json| {
            let dead = row["dead_letter_topic"].as_str().unwrap();
            (dead.to_owned(), row[key].clone())
        };
        rows.map(count).collect()
    };
    let expected = |count: fn(usize) -> usize| -> BTreeMap<String, Json> {
        let rows = all.iter().enumerate();
        rows.map(|(number, (dead, _))| (dead.clone(), json!(count(number))))
            .collect()
    };
    assert_eq!(counts("letters"), expected(|number| number + 1));
    assert_eq!(counts("replayed"), expected(|_| 0));
    let shown = answer(&run(&["show", "--json", "-n", "1"]));
    let originals: Vec<&Json> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["original"])
        .collect();
    assert_eq!(originals, ["0 0", "1 1", "2 2", "3 3"]);

    let replayed = run(&["replay", "--yes", "--json"]);
    assert_eq!(replayed.code, 0, "{replayed:?}");
    assert_eq!(answer(&replayed)["replayed"], json!(10));
    assert_eq!(counts("replayed"), expected(|number| number + 1));
    assert_eq!(counts("originals"), expected(|number| number + 1));
    let again = answer(&run(&["replay", "--yes", "--json"]));
    assert_eq!(
        (&again["replayed"], &again["replayed_before"]),
        (&json!(0), &json!(10))
    );
}

/// The number of dead letters that a replay set out to replay.
fn planned(ran: &Ran) -> u64 {
    let answer = answer(ran);
    let ways = answer["plan"].as_array().unwrap();
    ways.iter().map(|way| way["letters"].as_u64().unwrap()).sum()
}

/// The number of those that are back in their topic, through this replay or another one.
fn accounted(ran: &Ran) -> u64 {
    let answer = answer(ran);
    answer["replayed"].as_u64().unwrap() + answer["replayed_meanwhile"].as_u64().unwrap()
}

/// Four concurrent replays of one topic, over several transactions each: those that are overtaken report it,
/// and each message is back once.
#[test]
fn concurrent_replays_repeat_nothing() {
    const DEAD_LETTERS: usize = 1_700;
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "KCAT"]) else {
        return;
    };
    let (dead, origin) = topics(&services);
    write_dead_letters(
        &services,
        &dead,
        &origin,
        (0..DEAD_LETTERS).map(|n| format!("letter {n}")),
    );
    let replay = || {
        kafkaefd(
            &services,
            &["dead-letters", "replay", "--in", &dead, "--yes", "--json"],
        )
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..4).map(|_| scope.spawn(replay)).collect();
        for ran in running.into_iter().map(|running| running.join().unwrap()) {
            let overtaken = ran
                .stderr
                .contains("another replay of this dead-letter topic has taken over");
            assert!(ran.code == 0 || overtaken, "{ran:?}");
            if ran.code == 0 {
                assert_eq!(accounted(&ran), planned(&ran), "{ran:?}");
            }
        }
    });
    let last = replay();
    assert_eq!(last.code, 0, "{last:?}");
    let held = held(&services, &origin);
    assert_eq!(held.len(), DEAD_LETTERS);
    assert!(held.values().all(|(times, _)| *times == 1));
}

/// Confirmed on a terminal after another replay has finished: nothing is left to do, nothing is repeated, and
/// there is no error.
#[test]
fn what_another_replay_has_replayed_meanwhile_is_counted() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "KCAT"]) else {
        return;
    };
    let (dead, origin) = topics(&services);
    let letters = ["first", "second", "third"].map(str::to_owned);
    write_dead_letters(&services, &dead, &origin, letters.into_iter());
    let replay = ["dead-letters", "replay", "--in", &dead];
    let mut asked = Running::on_a_terminal(&services, &replay);
    let mut screen = asked.stdout();
    let mut shown = read_until(&mut screen, "[y/N] ");

    let other = kafkaefd(&services, &[&replay[..], &["--yes", "--json"]].concat());
    assert_eq!((other.code, accounted(&other)), (0, planned(&other)), "{other:?}");

    asked.type_line("y");
    screen.read_to_string(&mut shown).unwrap();
    assert_eq!(asked.end().code, 0, "{shown}");
    assert!(shown.contains("0 replayed"), "{shown}");
    assert!(shown.contains("3 by a concurrent replay"), "{shown}");
    assert_eq!(peers::kcat_count(&services, &origin), 3);
}

/// Reads until `text` appears; returns what was read.
fn read_until(screen: &mut impl Read, text: &str) -> String {
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).ends_with(text) {
        let mut byte = [0];
        assert_eq!(screen.read(&mut byte).unwrap(), 1, "no {text} in {shown:?}");
        shown.push(byte[0]);
    }
    String::from_utf8_lossy(&shown).into_owned()
}

/// Killed with transactions committed, one open and more to come: the next replay resumes where the committed
/// ones end.
#[test]
fn a_killed_replay_loses_and_repeats_nothing() {
    const DEAD_LETTERS: usize = 6_000;
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "KCAT"]) else {
        return;
    };
    let (dead, origin) = topics(&services);
    write_dead_letters(
        &services,
        &dead,
        &origin,
        (0..DEAD_LETTERS).map(|n| format!("letter {n}")),
    );
    let killed = Running::spawn(&services, &["dead-letters", "replay", "--in", &dead, "--yes"]);
    until("the first messages are back", 60, || {
        match kafka::message_count(&services, std::slice::from_ref(&origin)) {
            0 => Err("nothing is back".to_owned()),
            _ => Ok(()),
        }
    });
    drop(killed);
    let ran = kafkaefd(
        &services,
        &["dead-letters", "replay", "--in", &dead, "--yes", "--json"],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let held = held(&services, &origin);
    assert_eq!(held.len(), DEAD_LETTERS);
    assert!(held.values().all(|(times, _)| *times == 1), "{ran:?}");
}

/// From end to end: a message whose topic has no schema is a dead letter; the schema is registered, the
/// message is replayed and becomes a record.
#[test]
fn a_repaired_message_is_replayed_into_the_pipeline() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY", "KCAT", "PYTHON"]) else {
        return;
    };
    let runtime = runtime();
    let _inside = runtime.enter();
    let name = unique("mended");
    let input = format!("{name}.Test_telemetry");
    let group = format!("{name}.saltransform");
    runtime.block_on(kafka::create_topics(&services, std::slice::from_ref(&input), 2));
    let transform = stages::saltransform(
        &services,
        &[
            "--subname",
            &name,
            "--group",
            &group,
            "--auto-offset-reset",
            "earliest",
            "--topic",
            &input,
        ],
    );
    let text = "Test_telemetry Test_scalars:( '00000001' , 1795306723.398234 , 1795306723.398234 , 2 , 4321 , 77 , 0 , 'M' , \
                'A' , 347 , 143 , 340 , 897 , 'C' , 25 , 596 , 853 , -20.819000 , -4.368000 , 'mended')";
    kafka::produce(&services, &[(input.clone(), text.as_bytes().to_vec())]);
    wait(&transform, "saltransform_dead_letters_total", 1);
    let dead = format!("{group}.dead-letter");
    let run = |arguments: &[&str]| {
        kafkaefd(
            &services,
            &[&["dead-letters"], arguments, &["--in", &dead]].concat(),
        )
    };
    let shown = answer(&run(&["show", "--json"]));
    assert_eq!(shown[0]["original"], json!(text));
    assert_eq!(shown[0]["origin"]["topic"], json!(input));
    assert_eq!(shown[0]["stage"], json!("schema"), "{shown}");

    // A replay that comes too early: the message is refused again, as a new dead letter that says what it is
    // a replay of.
    let replayed = answer(&run(&["replay", "--yes", "--json"]));
    assert_eq!(replayed["replayed"], json!(1));
    wait(&transform, "saltransform_dead_letters_total", 2);
    let shown = answer(&run(&["show", "--json"]));
    assert_eq!(shown[1]["headers"]["replayed-from"], json!(format!("{dead}/0/0")));
    assert_eq!(
        (&shown[0]["replayed"], &shown[1]["replayed"]),
        (&json!(true), &json!(false))
    );

    // A message that is replayed and refused again stays the same message and is kept until somebody says
    // that it is repaired.
    let passed_over = answer(&run(&["replay", "--yes", "--json"]));
    let numbers = ["replayed", "replayed_before", "refused_again"].map(|name| passed_over[name].clone());
    assert_eq!(numbers, [json!(0), json!(2), json!(1)], "{passed_over}");
    let row = &answer(&run(&["list", "--json"]))[0];
    let numbers = ["letters", "originals", "replayed", "refused_again"].map(|name| row[name].clone());
    assert_eq!(numbers, [json!(2), json!(1), json!(1), json!(1)], "{row}");

    let schemas = root().join("schemas").display().to_string();
    runtime.block_on(stages::saltransform_init(
        &services,
        &[
            "--subname",
            &name,
            "--replication",
            "1",
            "--xml-dir",
            &schemas,
            "--subsystem",
            "Test",
        ],
    ));
    // The registry is asked about a topic at most once a second: the original is replayed until one comes
    // late enough.
    until("a replay becomes a record", 60, || {
        let before = transform.count("saltransform_consumed_total");
        let ran = run(&["replay", "--yes", "--json", "--again"]);
        assert_eq!(answer(&ran)["replayed"], json!(1), "one per original: {ran:?}");
        let ended = || {
            transform.count("saltransform_produced_total")
                + transform.count("saltransform_dead_letters_total")
        };
        until("the replay is transformed or refused", 60, || {
            let consumed = transform.count("saltransform_consumed_total");
            match consumed > before && ended() == consumed {
                true => Ok(()),
                false => Err(transform.state()),
            }
        });
        match transform.count("saltransform_produced_total") {
            0 => Err(format!("{ran:?}, {}", transform.state())),
            _ => Ok(()),
        }
    });
    let records = peers::fastavro(&services, &format!("lsst.{name}.Test_scalars"));
    assert_eq!(records.len(), 1);
    let field = records[0].iter().find(|(name, _)| name == "string0");
    assert_eq!(field.unwrap().1, Value::Text("mended".to_owned()));
    transform.stop();
}
