//! `kafkaefd latency`: the steps of records with known timestamps.

use std::time::{Duration, Instant};

use influxsink::metrics::SinkMetrics;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value as Json, json};
use stage::config::ServiceArgs;
use stage::service::Service;

use super::kafkaefd;
use crate::real::{Services, kafka, registry, unique};
use crate::runtime;

/// A `long` in Avro's encoding.
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
    let component = unique("Way");
    let (topic, texts) = (
        format!("lsst.sal.{component}_steps"),
        format!("{component}_telemetry"),
    );
    let stamp = json!({"type": "long", "logicalType": "timestamp-millis"});
    let mut fields: Vec<Json> = ["kafka_timestamp", "sal_created", "sal_ingested"]
        .iter()
        .map(|name| json!({"name": name, "type": stamp}))
        .collect();
    fields.push(json!({"name": "sal_sequence", "type": "long"}));
    let schema = json!({"type": "record", "name": format!("{component}_steps"), "namespace": "lsst.sal", "fields": fields});
    let subject = format!("{topic}-value");
    let id = runtime().block_on(async {
        kafka::create_topics(&services, &[topic.clone(), texts.clone()], 3).await;
        registry::register(&services, &subject, &schema).await;
        registry::id(&services, &subject).await
    });
    let now = stage::unix_micros() / 1_000;
    let record = |number: i64, created: i64, ingested: i64| {
        let moments = [long(now), long(now + created), long(now + ingested), long(number)].concat();
        let frame = [vec![0], id.to_be_bytes().to_vec(), moments].concat();
        let second = |moment: i64| (now + moment) as f64 / 1e3;
        let text = format!(
            "{component}_telemetry {component}_steps:( 'r' , {:.6} , {:.6} , {number} , 1 , 1 , 7 )",
            second(created),
            second(ingested)
        );
        [(texts.clone(), text.into_bytes()), (topic.clone(), frame)]
    };
    // 100 that took 100 ms with SAL and 200 ms afterwards, one that took 5 s, and one that is not a record.
    let mut messages: Vec<_> = (0..100).flat_map(|number| record(number, -300, -200)).collect();
    messages.extend(record(100, -5_300, -300));
    messages.push((topic.clone(), b"text".to_vec()));
    kafka::produce(&services, &messages);
    // A transaction ends with a marker, which has an offset but is not a message.
    let transactional: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", services.get("BROKER"))
        .set("transactional.id", &component)
        .create()
        .unwrap();
    let timeout = Duration::from_secs(60);
    transactional.init_transactions(timeout).unwrap();
    transactional.begin_transaction().unwrap();
    for (topic, message) in record(101, -300, -200) {
        let sent = BaseRecord::<(), [u8]>::to(&topic).payload(&message);
        transactional.send(sent).map_err(|(error, _)| error).unwrap();
    }
    transactional.commit_transaction(timeout).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("latency.svg").display().to_string();
    let filter = format!("^{}$", topic.replace('.', "\\."));
    let flags = ["latency", "--filter", &filter, "--json", "--svg", &svg];
    let begun = Instant::now();
    let ran = kafkaefd(&services, &flags);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(14),
        "it waited for a message that never comes"
    );
    let report: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["records"], 102, "{report}");
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
    // The texts reached Kafka after `now`, although the records claim to be older: 200 ms plus the duration
    // of the test.
    assert_eq!(row["text"]["messages"], 102, "{report}");
    let text = row["text"]["p50"].as_f64().unwrap();
    assert!((0.19..60.0).contains(&text), "{report}");
    assert!(row["total"]["p50"].as_f64().unwrap() >= 0.29, "{report}");
    let drawn = std::fs::read_to_string(&svg).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.contains("_steps"), "{drawn}");

    // With the age of points, as exposed by an influxsink.
    let runtime = runtime();
    let service = runtime.block_on(Service::start(&ServiceArgs::default())).unwrap();
    let sink = SinkMetrics::register(&service.metrics).unwrap();
    sink.point_age_seconds.observe(0.3);
    let address = service.address.unwrap().to_string();
    let ran = kafkaefd(&services, &[flags.as_slice(), &["--metrics", &address]].concat());
    let report: Json = serde_json::from_str(&ran.stdout).unwrap();
    let age = report["database"]["p50"].as_f64().unwrap();
    assert!((0.256..0.512).contains(&age), "{report}");
    let ran = kafkaefd(
        &services,
        &[flags.as_slice(), &["--metrics", "127.0.0.1:1"]].concat(),
    );
    assert_eq!(ran.code, 69, "{ran:?}");

    // Without the texts, with another window, and in human-readable form.
    let ran = kafkaefd(
        &services,
        &["latency", "--filter", &filter, "--json", "--no-text"],
    );
    let report: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["all"]["text"], Json::Null, "{report}");
    near(&report["all"]["sal"]["p50"], 0.1);
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
