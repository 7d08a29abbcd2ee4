//! `kafkaefd produce`, checked with kcat and fastavro, and with `tail`.

use serde_json::{Value as Json, json};

use super::{json_lines, kafkaefd, kafkaefd_with, sorted, topic};
use crate::real::value::Value;
use crate::real::{Services, peers, registry};
use crate::runtime;

const NEEDED: &[&str] = &["BROKER", "SCHEMAREGISTRY", "KCAT"];

/// A record with every kind of field, through `produce --avro`, fastavro, `tail` and its filters.
#[test]
fn avro_records_are_produced_and_read_back() {
    let needed = [NEEDED, &["PYTHON"]].concat();
    let Some(services) = Services::with(&needed) else {
        return;
    };
    let topic = topic(&services, "avro-", 1);
    let schema = json!({"type": "record", "name": "Reading", "fields": [
        {"name": "n", "type": "long"},
        {"name": "x", "type": "float"},
        {"name": "a", "type": {"type": "array", "items": "double"}, "default": []},
        {"name": "note", "type": ["null", "string"], "default": null},
        {"name": "yes", "type": "boolean", "default": true},
    ]});
    runtime().block_on(registry::register(&services, &format!("{topic}-value"), &schema));
    let lines = (0..10)
        .map(|n| format!("{{\"n\": {n}, \"x\": 0.1, \"a\": [1, {n}.5], \"note\": \"n{n}\"}}\n"))
        .collect::<String>();
    let sent = kafkaefd_with(&services, &["produce", &topic, "--avro"], lines.as_bytes());
    assert_eq!((sent.code, sent.stderr.as_str()), (0, "10 delivered\n"));

    let records = peers::fastavro(&services, &topic);
    assert_eq!(records.len(), 10);
    assert_eq!(records[3][0], ("n".to_owned(), Value::Int(3)));
    let tail = |more: &[&str]| kafkaefd(&services, &[&["tail", &topic, "-e", "-o", "0"], more].concat());
    let lines = json_lines(&tail(&["-f", "json"]).stdout);
    assert_eq!(lines[3]["form"], json!("avro"));
    assert_eq!(
        lines[3]["value"],
        json!({"n": 3, "x": 0.1, "a": [1.0, 3.5], "note": "n3", "yes": true})
    );
    for (filter, found) in [
        ("n >= 3 and n < 5", "3 4"),
        ("note =~ '[79]$' or offset == 0", "0 7 9"),
        ("not (a[1] > 1 and yes == true)", "0"),
        ("value.n == 2 and x < 0.2", "2"),
        ("missing == null and n == 1", "1"),
    ] {
        let ran = tail(&["--filter", filter, "-f", "%o "]);
        assert_eq!(ran.stdout.trim(), found, "{filter}");
    }
    let sampled = tail(&["--filter", "n > 0", "--sample", "1/4", "-f", "%o "]);
    assert_eq!(sampled.stdout.trim(), "1 5 9");

    let input = b"{\"n\": 1, \"x\": 2}\n{\"n\": \"one\", \"x\": 2}\n\n{\"n\": 1, \"x\": 2, \"nOte\": \"\"}\nnot json\n{\"n\": 2, \"x\": 2}\n";
    let stopped = kafkaefd_with(&services, &["produce", &topic, "--avro"], input);
    assert_eq!(stopped.code, 1);
    let expected = "line 2: field n: expected an integer of 64 bits, found \"one\"";
    assert!(stopped.stderr.contains(expected), "{stopped:?}");
    assert!(
        stopped
            .stderr
            .contains("1 delivered, 1 refused; stopped after line 2"),
        "{stopped:?}"
    );
    let went_on = kafkaefd_with(
        &services,
        &["produce", &topic, "--avro", "--keep-going", "--json"],
        input,
    );
    assert_eq!(went_on.code, 1);
    let answer: Json = serde_json::from_str(&went_on.stdout).unwrap();
    assert_eq!(answer["delivered"], json!(2));
    let refused = answer["refused"].as_array().unwrap();
    let lines: Vec<u64> = refused
        .iter()
        .map(|refused| refused["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [2, 4, 5]);
    assert!(
        refused[1]["reason"].as_str().unwrap().contains("is it note?"),
        "{answer}"
    );
    assert_eq!(peers::kcat_count(&services, &topic), 13);
}

#[test]
fn produce_sends_lines_with_keys_and_headers() {
    let Some(services) = Services::with(NEEDED) else {
        return;
    };
    let topic = topic(&services, "lines-", 2);
    let arguments = [
        "produce", &topic, "-K", "::", "-H", "a=1", "-H", "b=x=y", "-p", "1",
    ];
    let ran = kafkaefd_with(&services, &arguments, b"k::v::w\n\n::\nlast::no line end");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "3 delivered\n"));
    let read = peers::kcat(
        &services,
        &["-C", "-q", "-e", "-t", &topic, "-f", "%p %o %k %s %h\n"],
        b"",
    );
    assert_eq!(
        sorted(&read),
        [
            "1 0 k v::w a=1,b=x=y",
            "1 1   a=1,b=x=y",
            "1 2 last no line end a=1,b=x=y"
        ]
    );
    let large = vec![b'x'; 2_000_000];
    let ran = kafkaefd_with(&services, &["produce", &topic], &large);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("line 1: ") && ran.stderr.contains("size too large"),
        "{ran:?}"
    );
    let unknown = kafkaefd_with(
        &services,
        &["produce", &topic, "--avro", "--subject", "no-such"],
        b"",
    );
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("there is no subject no-such"),
        "{unknown:?}"
    );
}
