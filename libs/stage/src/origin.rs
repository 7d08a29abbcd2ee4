//! The origin of a message, which accompanies it through every step.

use std::fmt;
use std::sync::Arc;

use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

/// A message's place in Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The topic it was consumed from; shared by all messages of a partition.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset in that partition.
    pub offset: i64,
    /// Kafka's timestamp in milliseconds since 1970 (UTC), if the broker has one.
    pub timestamp_ms: Option<i64>,
}

impl Origin {
    /// The origin of a consumed message, with the partition's shared topic name.
    pub fn of(message: &BorrowedMessage<'_>, topic: &Arc<str>) -> Self {
        Self {
            topic: Arc::clone(topic),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
        }
    }
}

impl fmt::Display for Origin {
    /// `topic[partition]@offset`, the form that Kafka's own tools print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_as_kafkas_tools_do() {
        let origin = Origin {
            topic: "S_telemetry".into(),
            partition: 3,
            offset: 42,
            timestamp_ms: None,
        };
        assert_eq!(origin.to_string(), "S_telemetry[3]@42");
    }
}
