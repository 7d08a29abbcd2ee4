//! The observatory's own reader, `lsst-efd-client`, on an InfluxDB 1.8 that the pipeline has filled: what its notebooks ask
//! for is what was sent.

use std::process::Command;

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Value as Json, json};

use super::kafka::{create_topics, produce};
use super::{Services, registry, root, stages, unique};
use crate::runtime;

/// 2026-11-30, in seconds (UTC) and with the microseconds of a time that is not a multiple of a second.
const START: f64 = 1_796_000_000.25;
/// The samples in a record.
const PACKED: usize = 4;
/// TAI is ahead of UTC.
const TAI: f64 = 37.0;

/// Six records, one a second, of two instances in turn.
#[test]
fn the_observatorys_reader_finds_what_was_sent() {
    let needed = ["BROKER", "SCHEMAREGISTRY", "INFLUXDB1", "EFD_CLIENT"];
    let Some(services) = Services::with(&needed) else {
        return;
    };
    let runtime = runtime();
    let _inside = runtime.enter();
    let database = unique("efd");
    let topic = format!("lsst.{database}.ESS.accelerometer");
    let schema = schema(&database);
    let id = runtime.block_on(async {
        create_topics(&services, std::slice::from_ref(&topic), 1).await;
        registry::register(&services, &format!("{topic}-value"), &schema).await;
        registry::id(&services, &format!("{topic}-value")).await
    });
    let parsed = Schema::parse(&schema).unwrap();
    let records: Vec<_> = (0..6).map(|at| (topic.clone(), frame(id, &parsed, at))).collect();
    produce(&services, &records);

    write(&services, &topic, &database, &[]);
    let told = read(&services, &database, &topic, &[]);
    assert_eq!(told["efds"], json!(["loopback_efd"]));
    assert_eq!(told["topics"], json!([topic]));
    let fields = [
        "acceleration0",
        "acceleration1",
        "acceleration2",
        "acceleration3",
        "count",
        "private_efdStamp",
        "salIndex",
        "status",
        "temperature",
        "timestamp",
    ];
    assert_eq!(told["fields"], json!(fields));
    assert_eq!(told["series"], json!((0..6).map(row).collect::<Vec<_>>()));
    assert_eq!(told["series_of_2"], json!([1, 3, 5].map(row)));
    assert_eq!(told["last_3"], json!([5, 4, 3].map(row)));
    assert_eq!(told["last_of_1"], json!([4].map(row)));
    assert_eq!(told["packed"], json!(unpacked()));
    let field = |name: &str, units: &str, aunits: &str, is_array: &str| json!({"name": name, "units": units, "aunits": aunits, "is_array": is_array, "description": "None"});
    let described = told["schema"].as_array().unwrap();
    assert_eq!(described[3], field("acceleration", "m/s2", "m / s2", "True"));
    assert_eq!(described[4], field("temperature", "deg_C", "deg_C", "False"));
    assert_eq!(described[5], field("count", "unitless", "", "False"));

    // What docs/points.md says of a tag beside the field, and of one in its place.
    let (beside, instead) = (format!("{database}-beside"), format!("{database}-instead"));
    write(&services, &topic, &beside, &["--tag-copy", "salIndex=instance"]);
    let divided = read(&services, &beside, &topic, &[]);
    for same in ["fields", "series", "series_of_2", "packed", "schema"] {
        assert_eq!(divided[same], told[same], "{same}");
    }
    let of_instance = |at: usize| {
        let mut row = row(at);
        row[1]["instance"] = json!(sal_index(at).to_string());
        row
    };
    assert_eq!(divided["last_of_1"], json!([of_instance(4)]));
    let last_3 = [(1, [4, 2, 0]), (2, [5, 3, 1])];
    let last_3 = last_3.map(|(instance, rows)| {
        (
            format!("{topic},instance={instance}"),
            json!(rows.map(of_instance)),
        )
    });
    assert_eq!(divided["last_3"], Json::Object(last_3.into_iter().collect()));

    write(&services, &topic, &instead, &["--tag-field", "salIndex"]);
    let hidden = read(&services, &instead, &topic, &["--series-only"]);
    assert_eq!(hidden["series"].as_array().unwrap().len(), 6);
    assert_eq!(
        (&hidden["series_of_2"], &hidden["last_of_1"]),
        (&json!([]), &json!([]))
    );
}

/// Writes all records into a database that nobody has created.
fn write(services: &Services, topic: &str, database: &str, flags: &[&str]) {
    let group = format!("{database}.sink");
    let own = ["--create-database", "--group", &group, topic];
    let sink = stages::influxsink_into_v1(services, database, &[&own[..], flags].concat());
    sink.wait_until_written(6);
    sink.stop();
}

fn schema(namespace: &str) -> Json {
    let array = json!({"type": "array", "items": "double"});
    json!({
        "type": "record",
        "namespace": format!("lsst.{namespace}.ESS"),
        "name": "accelerometer",
        "fields": [
            {"name": "private_efdStamp", "type": "double", "units": "second"},
            {"name": "salIndex", "type": "int"},
            {"name": "timestamp", "type": "double", "units": "second"},
            {"name": "acceleration", "type": array, "units": "m/s2"},
            {"name": "temperature", "type": "double", "units": "deg_C"},
            {"name": "count", "type": "long", "units": "unitless"},
            {"name": "status", "type": "string"},
        ],
    })
}

fn frame(id: u32, schema: &Schema, at: usize) -> Vec<u8> {
    let samples = (0..PACKED).map(|sample| Avro::Double(acceleration(at, sample)));
    let fields = [
        ("private_efdStamp", Avro::Double(START + at as f64)),
        ("salIndex", Avro::Int(sal_index(at))),
        ("timestamp", Avro::Double(START + TAI + at as f64)),
        ("acceleration", Avro::Array(samples.collect())),
        ("temperature", Avro::Double(temperature(at))),
        ("count", Avro::Long(count(at))),
        ("status", Avro::String(status(at))),
    ];
    let record = fields.map(|(name, value)| (name.to_owned(), value));
    let writer = GenericDatumWriter::builder(schema).build().unwrap();
    let avro = writer.write_value_to_vec(Avro::Record(record.to_vec())).unwrap();
    [&[0][..], &id.to_be_bytes(), &avro].concat()
}

fn sal_index(at: usize) -> i32 {
    1 + (at % 2) as i32
}

fn acceleration(at: usize, sample: usize) -> f64 {
    at as f64 + sample as f64 / 8.0
}

fn temperature(at: usize) -> f64 {
    11.3 - at as f64
}

/// More than a double can hold.
fn count(at: usize) -> i64 {
    (1 << 53) + 1 + at as i64
}

fn status(at: usize) -> String {
    format!("\"open\", {at}")
}

/// A time in microseconds.
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}

/// A record's row, of the fields other than arrays.
fn row(at: usize) -> Json {
    let values = json!({
        "salIndex": sal_index(at), "temperature": temperature(at), "status": status(at), "count": count(at),
    });
    json!([micros(START + at as f64), values])
}

/// The samples of instance 1, whose records are two seconds apart. The client places them by `timestamp`, in UTC.
fn unpacked() -> Vec<Json> {
    let apart = 2.0 / PACKED as f64;
    let samples = [0, 2, 4]
        .into_iter()
        .flat_map(|at| (0..PACKED).map(move |sample| (at, sample)));
    samples
        .map(|(at, sample)| {
            let seconds = START + at as f64 + sample as f64 * apart;
            json!([micros(seconds), {"acceleration": acceleration(at, sample), "times": seconds + TAI}])
        })
        .collect()
}

fn read(services: &Services, database: &str, topic: &str, mode: &[&str]) -> Json {
    let output = Command::new(services.get("EFD_CLIENT"))
        .arg(root().join("tests/system/tests/real/efd_client.py"))
        .args([
            services.get("INFLUXDB1"),
            database,
            services.get("SCHEMAREGISTRY"),
            topic,
        ])
        .args([START - 60.0, START + 60.0].map(|seconds| seconds.to_string()))
        .args(mode)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}
