//! End to end through real services: Apache Kafka, a schema registry, InfluxDB 2 and InfluxDB 1, as started
//! by `make test`. kcat, fastavro and the databases' own query languages judge the results. Each test has its
//! own topics, groups, bucket and database, so that all can run concurrently.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]
#![allow(clippy::approx_constant, reason = "a sample holds 3.141593, as SAL prints it")]

#[allow(dead_code, reason = "another test uses the embedded part")]
mod answers;
#[allow(dead_code, reason = "another test parses the lines")]
mod documented;
mod mocked;
mod operator;
mod processes;
mod real;
mod secured;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use real::expected::{Sample, samples};
use real::influx::{Influx1, Influx2, Points};
use real::stages::{Database, Stage};
use real::value::Value;
use real::{Services, kafka, peers, registry, root, stages, unique, until};
use sal::interface::Interfaces;
use serde_json::Value as Json;

const EVERYTHING: &[&str] = &[
    "BROKER",
    "SCHEMAREGISTRY",
    "INFLUXDB",
    "INFLUXDB1",
    "KCAT",
    "PYTHON",
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// The token in a file that goes with the folder.
fn token_file(services: &Services, folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("token");
    std::fs::write(&path, services.get("INFLUXDB_TOKEN")).unwrap();
    path
}

/// A record as the fields of a point: arrays flattened by index, without what line protocol cannot carry.
fn flattened<'a>(fields: impl Iterator<Item = (&'a str, &'a Value)>) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    for (name, value) in fields {
        match value {
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    flat.extend(item.in_database().map(|item| (format!("{name}{index}"), item)));
                }
            }
            scalar => flat.extend(scalar.in_database().map(|scalar| (name.to_owned(), scalar))),
        }
    }
    flat
}

/// Expects the point of a sample, and nothing else, in the sample's measurement.
fn assert_point(database: &str, sample: &Sample, mut points: Points) {
    let context = format!("{database}, {} {}", sample.label, sample.topic);
    let mut fields = points
        .remove(&sample.time())
        .unwrap_or_else(|| panic!("{context}: no point, but {points:?}"));
    assert!(points.is_empty(), "{context}: more points: {points:?}");
    assert!(
        matches!(fields.remove("kafka_timestamp"), Some(Value::Int(_))),
        "{context}: no kafka_timestamp"
    );
    let expected = flattened(sample.fields.iter().map(|(name, value)| (*name, value)));
    let names = |fields: &BTreeMap<String, Value>| fields.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&fields), names(&expected), "{context}");
    for (name, value) in expected {
        assert_eq!(fields[&name], value, "{context}, field {name}");
    }
}

/// Expects the record read by fastavro to match, field by field.
fn assert_record(sample: &Sample, record: &peers::PeerRecord) {
    let mut record: BTreeMap<_, _> = record
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64;
    match record.remove("kafka_timestamp") {
        Some(Value::Int(millis)) => assert!((now - millis).abs() < 600_000, "{}: {millis}", sample.label),
        other => panic!("{}: kafka_timestamp is {other:?}", sample.label),
    }
    assert_eq!(
        record.len(),
        sample.fields.len(),
        "{}: {:?}",
        sample.label,
        record.keys()
    );
    for (name, value) in &sample.fields {
        assert_eq!(record.get(name), Some(&value), "{}, field {name}", sample.label);
    }
}

/// Every field of samples A1 and B1 to B9, through both InfluxDBs and as read by fastavro. B7 has an unsigned
/// int that its published type cannot hold: first it is a dead letter, then a wider schema is registered
/// while everything runs.
#[test]
fn every_field_of_the_samples_arrives() {
    let (Some(services), Some(samples)) = (Services::with(EVERYTHING), samples()) else {
        return;
    };
    let runtime = runtime();
    let _inside = runtime.enter();
    let name = unique("samples");
    let folder = tempfile::tempdir().unwrap();
    let token = token_file(&services, &folder);
    let (influx2, influx1) = runtime.block_on(async {
        let interfaces = root().join("../shared/sal/ts_xml-2019-01").display().to_string();
        let naming = ["--subname", &name, "--replication", "1", "--partitions", "2"];
        let schemas = ["--wire-extras", "--xml-dir", &interfaces];
        let components: BTreeSet<&str> = samples.iter().map(|sample| sample.component).collect();
        let components = components.into_iter().collect::<Vec<_>>().join(",");
        let flags = [naming.as_slice(), &schemas, &["--subsystem", &components]].concat();
        stages::saltransform_init(&services, &flags).await;
        (
            Influx2::with_bucket(&services, &name).await,
            Influx1::with_database(&services, &name).await,
        )
    });

    // The test has its own input topics, so that they contain no messages of other tests.
    let input = |sample: &Sample| format!("{name}.{}_{}", sample.component, sample.kind);
    let inputs: Vec<String> = samples
        .iter()
        .map(input)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    runtime.block_on(kafka::create_topics(&services, &inputs, 2));
    let group = format!("{name}.saltransform");
    let flags = [
        "--subname",
        &name,
        "--group",
        &group,
        "--auto-offset-reset",
        "earliest",
        "--topic",
    ];
    let topics: Vec<&str> = flags
        .into_iter()
        .chain(inputs.iter().map(String::as_str))
        .collect();
    let transform = stages::saltransform(&services, &topics);
    let pattern = format!("^lsst\\.{name}\\.");
    let sink =
        |version: &str, to| stages::influxsink(&services, &format!("{name}.sink{version}"), &pattern, &to);
    let sinks = [
        sink("2", Database::Influx2(&name, &token)),
        sink("1", Database::Influx1(&name)),
    ];

    let messages: Vec<_> = samples
        .iter()
        .map(|sample| (input(sample), sample.text.clone()))
        .collect();
    kafka::produce(&services, &messages);
    let wide = samples.iter().find(|sample| sample.label == "B7").unwrap();
    let count = samples.len() as u64;
    wait(&transform, "saltransform_dead_letters_total", 1);
    wait(&transform, "saltransform_produced_total", count - 1);
    let letters = kafka::dead_letters(&services, &format!("{group}.dead-letter"));
    let [letter] = letters.as_slice() else {
        panic!("{letters:?}")
    };
    assert_eq!(letter.payload, wide.text);
    assert_eq!(letter.headers["topic"], input(wide));
    assert_eq!(letter.headers["stage"], "encode");
    assert!(letter.headers["detail"].contains("unsignedInt0"), "{letter:?}");

    let subject = format!("lsst.{name}.{}-value", wide.topic);
    runtime.block_on(async {
        let schema = registry::latest(&services, &subject).await;
        registry::register(&services, &subject, &with_long(schema, "unsignedInt0")).await;
    });
    // The registry is asked at most once a second, so the message may have to be sent more than once.
    let mut sent = count;
    while transform.count("saltransform_produced_total") < count {
        kafka::produce(&services, &[(input(wide), wide.text.clone())]);
        sent += 1;
        until("B7 is transformed", 60, || {
            let refused = transform.count("saltransform_dead_letters_total");
            if transform.count("saltransform_produced_total") + refused == sent {
                Ok(())
            } else {
                Err(transform.state())
            }
        });
    }
    assert_eq!(transform.count("saltransform_consumed_total"), sent);
    sinks
        .iter()
        .for_each(|sink| wait(sink, "influxsink_written_total", count));
    transform.stop();
    sinks.into_iter().for_each(Stage::stop);

    for sample in &samples {
        let records = peers::fastavro(&services, &format!("lsst.{name}.{}", sample.topic));
        let [record] = records.as_slice() else {
            panic!("{}: {} records", sample.label, records.len())
        };
        assert_record(sample, record);
        let measurement = format!("lsst.sal.{}", sample.topic);
        assert_point(
            "InfluxDB 2",
            sample,
            runtime.block_on(influx2.points(&measurement)),
        );
        assert_point(
            "InfluxDB 1",
            sample,
            runtime.block_on(influx1.points(&measurement)),
        );
    }
}

/// The standard load, 100 topics at 1 Hz for 20 s, as text: every stage has the same count, and one topic is
/// read with kcat and fastavro and compared with the database value by value.
#[test]
fn a_hundred_topics_add_up_at_every_stage() {
    const TOPICS: usize = 100;
    const SECONDS: usize = 20;
    let Some(services) = Services::with(EVERYTHING) else {
        return;
    };
    let runtime = runtime();
    let _inside = runtime.enter();
    let name = unique("load");
    let folder = tempfile::tempdir().unwrap();
    let token = token_file(&services, &folder);
    let schemas = root().join("schemas").display().to_string();
    let components = Interfaces::read(&devstack::schemas()).components;
    let components: Vec<String> = components.into_iter().map(|component| component.name).collect();
    let influx = runtime.block_on(async {
        let naming = ["--subname", &name, "--replication", "1", "--partitions", "3"];
        stages::saltransform_init(
            &services,
            &[naming.as_slice(), &["--wire-extras", "--xml-dir", &schemas]].concat(),
        )
        .await;
        Influx2::with_bucket(&services, &name).await
    });

    // salmock writes to SAL's own input topics: messages left by an earlier run against the same services are
    // counted too.
    let inputs: Vec<String> = components
        .iter()
        .flat_map(|component| ["telemetry", "logevent", "command"].map(|kind| format!("{component}_{kind}")))
        .collect();
    let before = kafka::message_count(&services, &inputs);
    let group = format!("{name}.saltransform");
    let flags = [
        "--subname",
        &name,
        "--group",
        &group,
        "--auto-offset-reset",
        "earliest",
        "--subsystem",
    ];
    let flags: Vec<&str> = flags
        .into_iter()
        .chain(components.iter().map(String::as_str))
        .collect();
    let transform = stages::saltransform(&services, &flags);
    let pattern = format!("^lsst\\.{name}\\.");
    let sink = stages::influxsink(
        &services,
        &format!("{name}.sink"),
        &pattern,
        &Database::Influx2(&name, &token),
    );

    let (topics, seconds) = (TOPICS.to_string(), SECONDS.to_string());
    let load = [
        "--subname",
        &name,
        "--max-topics",
        &topics,
        "--count",
        &seconds,
        "--period",
        "1",
    ];
    let produced = runtime.block_on(stages::salmock(&services, &load));
    assert_eq!(produced, (TOPICS * SECONDS) as u64);
    let all = before + produced;
    assert_eq!(kafka::message_count(&services, &inputs), all);
    wait(&transform, "saltransform_produced_total", all);
    wait(&sink, "influxsink_written_total", all);
    for (stage, binary) in [(&transform, "saltransform"), (&sink, "influxsink")] {
        assert_eq!(stage.count(&format!("{binary}_consumed_total")), all, "{binary}");
        for other in ["dead_letters", "skipped"] {
            assert_eq!(
                stage.count(&format!("{binary}_{other}_total")),
                0,
                "{binary} {other}"
            );
        }
    }
    transform.stop();
    sink.stop();

    let counts = runtime.block_on(influx.counts("sal_sequence"));
    assert_eq!(counts.values().sum::<u64>(), all, "{counts:?}");
    assert!(counts.len() >= TOPICS, "{} measurements", counts.len());
    let outputs: Vec<String> = counts
        .keys()
        .map(|measurement| in_kafka(measurement, &name))
        .collect();
    assert_eq!(kafka::message_count(&services, &outputs), all);

    let measurement = counts
        .keys()
        .find(|measurement| !measurement.contains("_logevent_") && !measurement.contains("_command_"))
        .unwrap();
    let topic = in_kafka(measurement, &name);
    let records = peers::fastavro(&services, &topic);
    assert_eq!(peers::kcat_count(&services, &topic) as u64, counts[measurement]);
    assert_eq!(records.len() as u64, counts[measurement]);
    let mut points = runtime.block_on(influx.points(measurement));
    for record in &records {
        let flat = flattened(record.iter().map(|(name, value)| (name.as_str(), value)));
        let Some(&Value::Int(millis)) = flat.get("sal_created") else {
            panic!("{topic}: {flat:?}")
        };
        let point = points
            .remove(&(millis * 1_000))
            .unwrap_or_else(|| panic!("{topic}: no point at {millis} ms"));
        assert_eq!(point.len(), flat.len(), "{topic}: {point:?}");
        for (field, value) in flat {
            assert!(
                point[&field].is_same_number(&value),
                "{topic} at {millis} ms, {field}: {:?}, {value:?}",
                point[&field]
            );
        }
    }
}

/// The Kafka topic of a measurement: records are named `lsst.sal.…` regardless of the topics' second part.
fn in_kafka(measurement: &str, subname: &str) -> String {
    measurement.replacen("lsst.sal.", &format!("lsst.{subname}."), 1)
}

/// The schema with one field widened to `long`.
fn with_long(mut schema: Json, field: &str) -> Json {
    let fields = schema["fields"].as_array_mut().unwrap();
    let field = fields.iter_mut().find(|found| found["name"] == field).unwrap();
    field["type"] = "long".into();
    schema
}

fn wait(stage: &Stage, counter: &str, wanted: u64) {
    until(&format!("{counter} {wanted}"), 120, || {
        let reached = stage.count(counter);
        assert!(
            reached <= wanted,
            "{counter} is {reached}, expected {wanted}; {}",
            stage.state()
        );
        if reached == wanted {
            Ok(())
        } else {
            Err(stage.state())
        }
    });
}
