//! `kafkaefd latency`: the steps of records whose moments are known.

use serde_json::{Value as Json, json};

use super::kafkaefd;
use crate::real::{Services, kafka, registry, unique};
use crate::runtime;

/// A long in Avro's encoding.
fn long(value: i64) -> Vec<u8> {
    let mut zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while zigzag >= 0x80 {
        bytes.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    bytes.push(zigzag as u8);
    bytes
}

#[test]
fn the_steps_of_records_are_measured() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = format!("lsst.{}.Test_way", unique("latency"));
    let stamp = json!({"type": "long", "logicalType": "timestamp-millis"});
    let fields: Vec<Json> = ["kafka_timestamp", "sal_created", "sal_ingested"]
        .iter()
        .map(|name| json!({"name": name, "type": stamp}))
        .collect();
    let schema = json!({"type": "record", "name": "Test_way", "namespace": "lsst.sal", "fields": fields});
    let subject = format!("{topic}-value");
    let id = runtime().block_on(async {
        kafka::create_topics(&services, std::slice::from_ref(&topic), 3).await;
        registry::register(&services, &subject, &schema).await;
        registry::id(&services, &subject).await
    });
    let now = pipeline::unix_micros() / 1_000;
    let record = |created: i64, ingested: i64, transformed: i64| {
        let body = [long(now + transformed), long(now + created), long(now + ingested)].concat();
        let frame = [vec![0], id.to_be_bytes().to_vec(), body].concat();
        (topic.clone(), frame)
    };
    // 100 that took 100 ms with SAL and 200 ms on, one that took 5 s, and one that is no record.
    let mut messages: Vec<_> = (0..100).map(|_| record(-300, -200, 0)).collect();
    messages.push(record(-5_300, -300, 0));
    messages.push((topic.clone(), b"text".to_vec()));
    kafka::produce(&services, &messages);

    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("latency.svg").display().to_string();
    let filter = format!("^{}$", topic.replace('.', "\\."));
    let flags = ["latency", "--filter", &filter, "--json", "--svg", &svg];
    let ran = kafkaefd(&services, &flags);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["records"], 101, "{report}");
    assert_eq!(report["others"], 1);
    let [row] = report["topics"].as_array().unwrap().as_slice() else {
        panic!("{report}")
    };
    assert_eq!(row["topic"], topic.as_str());
    let near = |found: &Json, wanted: f64| {
        let found = found.as_f64().unwrap();
        assert!(
            (found - wanted).abs() <= wanted * 0.02,
            "{found} is not {wanted}: {report}"
        );
    };
    near(&row["sal"]["p50"], 0.1);
    near(&row["sal"]["max"], 5.0);
    near(&row["text"]["p99"], 0.2);
    assert!(row["total"]["p50"].as_f64().unwrap() >= 0.29, "{report}");
    let drawn = std::fs::read_to_string(&svg).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.contains("Test_way"), "{drawn}");

    // Another window, and people.
    let early = kafkaefd(
        &services,
        &["latency", "--filter", &filter, "--from", "-2h", "--to", "-1h"],
    );
    assert!(
        early.code == 0 && early.stderr.contains("none of 1 topic"),
        "{early:?}"
    );
    let people = kafkaefd(&services, &["latency", "--filter", &filter]);
    assert!(people.stdout.contains("created to ingested (SAL)"), "{people:?}");
    let wrong = kafkaefd(&services, &["latency", "--from", "-1h", "--to", "-2h"]);
    assert_eq!(wrong.code, 64, "{wrong:?}");
}
