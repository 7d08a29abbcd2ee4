//! One made-up topic: its schema, its messages as SAL text, and its records as Avro frames with times and sizes as asked.

use sal::encode::Encoder;
use sal::plan::Plan;
use sal::time::TimeScale;
use sal::wire::Message;
use serde_json::{Value as Json, json};

use super::{Services, kafka, registry};

/// The schema: SAL's private fields, a number and a text.
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

/// SAL text, created at a time in milliseconds.
pub(crate) fn text(sequence: usize, millis: i64, note: &str) -> String {
    let seconds = millis as f64 / 1e3;
    format!(
        "Mock_telemetry Mock_state:( 'rev' , {seconds:.6} , {seconds:.6} , {sequence} , 1 , 2 , 0.5 , '{note}')"
    )
}

/// Registers the schema and makes the topic; the schema's id.
pub(crate) async fn prepare(services: &Services, topic: &str, partitions: i32) -> u32 {
    let subject = format!("{topic}-value");
    registry::register(services, &subject, &schema()).await;
    kafka::create_topics(services, &[topic.to_owned()], partitions).await;
    registry::id(services, &subject).await
}

/// Makes records as saltransform does.
pub(crate) struct Frames {
    plan: Plan,
    encoder: Encoder,
    id: u32,
}

impl Frames {
    pub(crate) fn new(id: u32) -> Self {
        Self {
            plan: Plan::compile(&schema().to_string(), TimeScale::Utc).unwrap(),
            encoder: Encoder::new(),
            id,
        }
    }

    pub(crate) fn frame(&mut self, sequence: usize, millis: i64, note: &str) -> Vec<u8> {
        let text = text(sequence, millis, note);
        let message = Message::parse(text.as_bytes()).unwrap();
        let mut frame = Vec::new();
        self.encoder
            .encode(&self.plan, &message, self.id, millis * 1_000, &mut frame)
            .unwrap();
        frame
    }
}
