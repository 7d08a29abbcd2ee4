//! How much of its message a dead letter holds: all of it if the dead-letter topic accepts that. What does not fit is
//! omitted, and remains at the message's origin for as long as that topic's retention keeps it.

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The largest message, in bytes before compression, that the producers send: Kafka's brokers accept requests of 100
/// MiB (`socket.request.max.bytes`), and librdkafka's consumers responses of 100 MB (`receive.message.max.bytes`).
pub const MAX_MESSAGE_BYTES: usize = 32 << 20;

/// `max.message.bytes` of dead-letter topics: [`MAX_MESSAGE_BYTES`] and the batch around it. A broker's default is
/// 1,048,588, and a dead letter is always larger than its message.
pub const TOPIC_LIMIT: &str = "33555456";

/// librdkafka's `batch.size`: a record of at least this size has its own batch.
const BATCH_SIZE: usize = 1_000_000;

/// What a dead letter keeps of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// Key, value and all headers.
    #[default]
    Whole,
    /// Key and value.
    WithoutHeaders,
    /// Key and value if they are short; otherwise only their lengths.
    Reference,
}

impl Extent {
    /// What is omitted, as the metric's label; none for a whole message.
    pub fn omitted(self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::WithoutHeaders => Some("headers"),
            Self::Reference => Some("value"),
        }
    }
}

/// Whether a message was refused because of its size: by the client, or by the broker, which then refused its whole
/// batch.
pub fn is_too_large(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{InvalidMessageSize, MessageBatchTooLarge, MessageSizeTooLarge};
    matches!(
        error.rdkafka_error_code(),
        Some(MessageSizeTooLarge | MessageBatchTooLarge | InvalidMessageSize)
    )
}

/// Whether a message of `bytes` may have shared its batch.
pub fn shares_a_batch(bytes: usize) -> bool {
    bytes < BATCH_SIZE
}

/// Raises the producer's limit from librdkafka's 1,000,000 bytes to what a topic may accept, so that the broker
/// decides. The operator's own setting stays; but the producer's queue must hold the largest message, which would
/// otherwise wait for room for ever.
pub fn allow_large(config: &mut ClientConfig) {
    /// librdkafka's `queue.buffering.max.kbytes`.
    const QUEUE_KIB: usize = 1 << 20;
    let number = |key: &str| {
        config
            .get(key)
            .and_then(|value| value.trim().parse::<usize>().ok())
    };
    let queue_kib = number("queue.buffering.max.kbytes").unwrap_or(QUEUE_KIB);
    match number("message.max.bytes") {
        None => {
            // librdkafka rejects smaller values.
            let most = MAX_MESSAGE_BYTES.min(queue_kib << 10).max(1_000);
            config.set("message.max.bytes", most.to_string());
        }
        Some(most) if most > queue_kib << 10 => {
            config.set("queue.buffering.max.kbytes", most.div_ceil(1 << 10).to_string());
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(settings: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let mut config = ClientConfig::new();
        for (key, value) in settings {
            config.set(*key, *value);
        }
        allow_large(&mut config);
        let get = |key| config.get(key).map(str::to_owned);
        (get("message.max.bytes"), get("queue.buffering.max.kbytes"))
    }

    #[test]
    fn the_queue_holds_the_largest_message() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(allowed(&[]), (text("33554432"), None));
        let small = [("queue.buffering.max.kbytes", "2304")];
        assert_eq!(allowed(&small), (text("2359296"), text("2304")));
        let operators = [("message.max.bytes", "2000000"), small[0]];
        assert_eq!(allowed(&operators), (text("2000000"), text("2304")));
        let both = [("message.max.bytes", "50000001"), small[0]];
        assert_eq!(allowed(&both), (text("50000001"), text("48829")));
    }
}
