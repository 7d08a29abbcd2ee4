//! Messages to load the pipeline with: salmock's plausible values, printed once and timestamped whenever they
//! are sent. The sender thus costs next to nothing compared with what is measured, and no two messages have
//! the same time and number.

use std::io::Write as _;

use sal::name::{Dialect, TopicName};
use sal::time::TimeScale;
use salmock::timestamp::Timestamp;
use salmock::topic_schema::TopicShape;
use salmock::values::Values;

use crate::failure::{Doing, Failure, Outcome};

/// A timestamp and a sequence number that are replaced later.
const CUT: Timestamp = Timestamp {
    utc_micros: 1_234_567_890_123_456,
    sequence: 7_654_321,
    scale: TimeScale::Utc,
};
const CUT_TEXT: &str = "1234567890.123456 , 1234567890.123456 , 7654321";

/// A topic with its schema.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    /// The SAL topic.
    pub(crate) name: TopicName,
    /// The Kafka topic of its records.
    pub(crate) kafka_topic: String,
    /// The subject of its schema.
    pub(crate) subject: String,
    /// The schema.
    pub(crate) schema: String,
    dialect: Dialect,
}

/// Texts of one topic, without time and number.
#[derive(Debug)]
pub(crate) struct Templates {
    texts: Vec<(Vec<u8>, Vec<u8>)>,
    /// How far the wire's clock is ahead of UTC, in microseconds.
    ahead: i64,
}

impl Topic {
    /// A topic with this name.
    pub(crate) fn new(name: &str, schema: String, dialect: Dialect) -> Outcome<Self> {
        let name = TopicName::new(name).doing(format!("name a topic {name}"))?;
        Ok(Self {
            kafka_topic: dialect.kafka_topic(&name, "sal"),
            subject: dialect.subject(&name, "sal"),
            name,
            schema,
            dialect,
        })
    }

    /// Different messages of the topic.
    pub(crate) fn templates(&self, count: usize) -> Outcome<Templates> {
        let shape = TopicShape::read(&self.schema, &self.kafka_topic)
            .doing(format!("read the schema of {}", self.name))?;
        let mut values = Values::new(&shape, 1);
        let mut text = Vec::new();
        let texts = (0..count).map(|_| {
            salmock::text::message(&mut text, &shape, &mut values, &CUT, "0a1b2c3d");
            let length = CUT_TEXT.len();
            let at = text
                .windows(length)
                .position(|window| window == CUT_TEXT.as_bytes());
            let at = at.ok_or_else(|| {
                Failure::Unexpected(format!("a message of {} is not printed as expected", self.name))
            })?;
            let (head, tail) = (text.get(..at), text.get(at + length..));
            Ok((
                head.unwrap_or_default().to_vec(),
                tail.unwrap_or_default().to_vec(),
            ))
        });
        let now = stage::unix_micros() as f64 / 1e6;
        Ok(Templates {
            texts: texts.collect::<Outcome<_>>()?,
            ahead: match self.dialect {
                Dialect::Efd => 0,
                Dialect::TsXml => sal::time::tai_minus_utc(now) * 1_000_000,
            },
        })
    }
}

impl Templates {
    /// Replaces `out` with the message of this number; the different ones take turns.
    pub(crate) fn write(&self, number: u64, utc_micros: i64, out: &mut Vec<u8>) {
        let at = number as usize % self.texts.len().max(1);
        let Some((head, tail)) = self.texts.get(at) else {
            return;
        };
        out.clear();
        out.extend_from_slice(head);
        let wire = utc_micros + self.ahead;
        let (seconds, micros) = (wire / 1_000_000, wire % 1_000_000);
        let sequence = number % 2_000_000_000 + 1;
        // Writing to memory does not fail.
        let _ = write!(out, "{seconds}.{micros:06} , {seconds}.{micros:06} , {sequence}");
        out.extend_from_slice(tail);
    }

    /// The mean length of a message.
    pub(crate) fn mean_bytes(&self) -> f64 {
        let all: usize = self
            .texts
            .iter()
            .map(|(head, tail)| head.len() + CUT_TEXT.len() + tail.len())
            .sum();
        all as f64 / self.texts.len().max(1) as f64
    }
}
