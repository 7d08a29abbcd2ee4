//! Shared by the wire tests: encodes a message and decodes it with apache-avro, an independent
//! implementation.
// Each test file uses only some of it.
#![allow(dead_code, unreachable_pub, missing_docs)]

use std::path::PathBuf;

use apache_avro::types::Value;
use sal::encode::{Encoder, Notes};
use sal::plan::Plan;
use sal::time::TimeScale;
use sal::wire::{Message, WireError};

/// The time passed to the encoder: 2023-11-14T22:13:20.123456Z.
pub const NOW: i64 = 1_700_000_000_123_456;
pub const ID: u32 = 0x0102_0304;

/// A file or folder of `../shared/sal`. If it is absent, the test prints that it is skipped.
pub fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/sal")
        .join(path);
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

/// Encodes with a plan, checks the frame's header and decodes with apache-avro.
pub fn record(schema: &str, plan: &Plan, text: &[u8]) -> Result<(Vec<(String, Value)>, Notes), WireError> {
    let message = Message::parse(text)?;
    let mut out = Vec::new();
    let notes = match Encoder::new().encode(plan, &message, ID, NOW, &mut out) {
        Ok(notes) => notes,
        Err(error) => {
            assert!(out.is_empty());
            return Err(error);
        }
    };
    Ok((decoded(schema, &out), notes))
}

/// Decodes a Confluent frame with apache-avro; every byte must be used.
pub fn decoded(schema: &str, frame: &[u8]) -> Vec<(String, Value)> {
    assert_eq!(frame[..5], [0, 1, 2, 3, 4]);
    let schema = apache_avro::Schema::parse_str(schema).unwrap();
    let mut rest = &frame[5..];
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema)
        .build()
        .unwrap();
    let value = reader.read_value(&mut rest).unwrap();
    assert!(rest.is_empty(), "{} bytes are left", rest.len());
    match value {
        Value::Record(fields) => fields,
        other => panic!("{other:?}"),
    }
}

/// [`record`] with the plan of the schema in UTC.
pub fn encode(schema: &str, text: &[u8]) -> Result<(Vec<(String, Value)>, Notes), WireError> {
    record(schema, &Plan::compile(schema, TimeScale::Utc).unwrap(), text)
}

/// The record, which must come with exactly these notes.
pub fn encoded(schema: &str, text: &[u8], notes: &[(&str, u32)]) -> Vec<(String, Value)> {
    match encode(schema, text) {
        Ok((record, found)) => {
            assert_eq!(found.iter().collect::<Vec<_>>(), notes);
            record
        }
        Err(error) => panic!("{error}"),
    }
}

pub fn refused(schema: &str, text: &[u8]) -> WireError {
    encode(schema, text).map(|(record, _)| record).unwrap_err()
}

/// A schema of dialect efd: the first seven fields, `fields` as JSON objects, and attributes of the record.
pub fn efd(name: &str, attributes: &str, fields: &[String]) -> String {
    let time = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
    let first = format!(
        r#"{{"name":"kafka_timestamp","type":{time}}},{{"name":"sal_revcode","type":"string"}},
        {{"name":"sal_created","type":{time}}},{{"name":"sal_ingested","type":{time}}},
        {{"name":"sal_sequence","type":"long"}},{{"name":"sal_origin","type":"int"}},{{"name":"sal_host","type":"int"}}"#
    );
    let fields: String = fields.iter().map(|field| format!(",{field}")).collect();
    format!(
        r#"{{"type":"record","name":"{name}","namespace":"lsst.sal"{attributes},"fields":[{first}{fields}]}}"#
    )
}

/// A schema of dialect ts_xml: private fields, `fields` as JSON objects, and attributes of the record.
pub fn ts_xml(name: &str, attributes: &str, indexed: bool, fields: &[String]) -> String {
    let index = if indexed {
        r#"{"name":"salIndex","type":"int","default":0},"#
    } else {
        ""
    };
    let mut first = String::from(index);
    for stamp in ["snd", "rcv", "efd", "kafka"] {
        first += &format!(r#"{{"name":"private_{stamp}Stamp","type":"double","default":0.0}},"#);
    }
    first += r#"{"name":"private_seqNum","type":"int"},{"name":"private_revCode","type":"string"},
        {"name":"private_identity","type":"string","default":""},{"name":"private_origin","type":"int"}"#;
    let fields: String = fields.iter().map(|field| format!(",{field}")).collect();
    format!(
        r#"{{"type":"record","name":"{name}","namespace":"lsst.sal.Test"{attributes},"fields":[{first}{fields}]}}"#
    )
}

/// An item of a wire-extras schema: name, Avro type as JSON, SAL type, position.
pub fn item(index: usize, name: &str, avro: &str, sal_type: &str) -> String {
    format!(r#"{{"name":"{name}","type":{avro},"sal_index":{index},"sal_idl_type":"{sal_type}"}}"#)
}

/// An item of a published schema.
pub fn plain(index: usize, name: &str, avro: &str) -> String {
    format!(r#"{{"name":"{name}","type":{avro},"sal_index":{index}}}"#)
}

/// The first seven fields of every synthetic message.
pub fn first() -> Vec<(String, Value)> {
    named([
        ("kafka_timestamp", Value::TimestampMillis(1_700_000_000_123)),
        ("sal_revcode", Value::String("d7bf9a83".into())),
        ("sal_created", Value::TimestampMillis(1_556_000_000_125)),
        ("sal_ingested", Value::TimestampMillis(1_556_000_000_127)),
        ("sal_sequence", Value::Long(17)),
        ("sal_origin", Value::Int(4321)),
        ("sal_host", Value::Int(77)),
    ])
}

/// The text that goes with [`first`], up to the values after the preamble.
pub const PREAMBLE: &str = "'d7bf9a83' , 1556000000.125000 , 1556000000.127185 , 17 , 4321 , 77";

/// A message of Test_`topic` with values after the preamble.
pub fn message(topic: &str, values: &str) -> Vec<u8> {
    format!("{topic}:( {PREAMBLE}{values})").into_bytes()
}

pub fn named<const N: usize>(fields: [(&str, Value); N]) -> Vec<(String, Value)> {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// [`first`] followed by these.
pub fn expected<const N: usize>(fields: [(&str, Value); N]) -> Vec<(String, Value)> {
    first().into_iter().chain(named(fields)).collect()
}

/// Here NaN equals NaN, and 0 differs from -0.
pub fn assert_same(found: &[(String, Value)], expected: &[(String, Value)]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    }
}

pub fn array<T>(items: impl IntoIterator<Item = T>, value: impl Fn(T) -> Value) -> Value {
    Value::Array(items.into_iter().map(value).collect())
}
