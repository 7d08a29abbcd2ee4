//! A synthetic topic, `Mock_state`: its schema, and its messages as SAL text.

use serde_json::{Value as Json, json};

/// The schema: SAL's private fields, a number and a string.
pub(crate) fn schema() -> Json {
    let stamp = json!({"type": "long", "logicalType": "timestamp-millis"});
    json!({
        "type": "record", "namespace": "lsst.sal", "name": "Mock_state",
        "sal_subsystem": "Mock", "sal_topic_type": "SALTelemetry", "sal_version": "1",
        "fields": [
            {"name": "kafka_timestamp", "type": stamp},
            {"name": "sal_revcode", "type": "string"},
            {"name": "sal_created", "type": stamp},
            {"name": "sal_ingested", "type": stamp},
            {"name": "sal_sequence", "type": "long"},
            {"name": "sal_origin", "type": "int"},
            {"name": "sal_host", "type": "int"},
            {"name": "level", "type": "double", "sal_index": 0},
            {"name": "note", "type": "string", "sal_index": 1},
        ],
    })
}

/// A message as SAL text, created at a time in milliseconds.
pub(crate) fn text(sequence: usize, millis: i64, note: &str) -> String {
    let seconds = millis as f64 / 1e3;
    format!(
        "Mock_telemetry Mock_state:( 'rev' , {seconds:.6} , {seconds:.6} , {sequence} , 1 , 2 , 0.5 , '{note}')"
    )
}
