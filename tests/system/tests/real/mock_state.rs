//! The synthetic topic on real services, and its records as Avro frames with the given times and sizes.

use sal::encode::Encoder;
use sal::plan::Plan;
use sal::time::TimeScale;
use sal::wire::Message;

use super::{Services, kafka, registry};
use crate::mocked::schema;
pub(crate) use crate::mocked::text;

/// Registers the schema and creates the topic; returns the schema id.
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
