//! Dead letters: messages that cannot be carried, kept as their original bytes with their origin, the step and the
//! reason.
//!
//! | header | value |
//! |---|---|
//! | `topic` `partition` `offset` | the message's origin |
//! | `timestamp` | Kafka's time stamp of the message in milliseconds since 1970; left out if it has none |
//! | `stage` | the step that refused it: `parse`, `schema`, `encode`, `produce`, `decode`, `line`, `write` |
//! | `reason` | a few words in snake_case, the metric's label |
//! | `detail` | the error, for people: printable, and cut where it is longer than [`MAX_CHARS`](crate::sanitize::MAX_CHARS) |
//! | `group` | the consumer group that refused it |
//! | `omitted-value` `omitted-key` `omitted-headers` | only if the topic does not accept the whole message: the number of bytes that remain only at the origin |
//!
//! Key, value and the original's own headers (each prefixed with `original.`) are unchanged, so that a replay can put
//! the message back where it came from. If a header's name is not UTF-8, all original headers precede those of the dead
//! letter under their own names. A dead letter that is refused again, by a stage that reads it on purpose, keeps its
//! origin and its `original.` headers: they do not nest.
//!
//! ```text
//!  message ─▶ letter ─▶ producer ──▶ <group>.dead-letter
//!                ▲          │ too large: alone in its batch, then without headers, then as a reference (extent)
//!                └──────────┘
//! ```

mod extent;
mod letter;
mod producer;
mod topics;

use rdkafka::error::KafkaError;

use crate::kafka::record_refusal;
use crate::service::Shutdown;

pub use extent::{Extent, MAX_MESSAGE_BYTES, TOPIC_LIMIT, allow_large, is_too_large, shares_a_batch};
pub use letter::{
    Letter, OMITTED_HEADERS, OMITTED_KEY, OMITTED_VALUE, ORIGINAL, Parts, REPLAYED_FROM, is_letter,
};
pub use producer::{DeadLetters, OnDelivered, SharedDeadLetters};
pub use topics::{FeedsOnItself, LetterFilter, REPLAYED_SUFFIX, SUFFIX, topic_of};

/// What to do about a dead-letter topic that does not exist.
pub const MAKE_TOPIC: &str =
    "a stage creates it when it starts: restart it, or create it with kafkaefd admin topics create";

/// A dead letter that cannot be stored must not be skipped: the process ends, and its successor tries again.
pub fn fail(shutdown: &Shutdown, topic: &str, error: &KafkaError) {
    if record_refusal::is_invalid(error) {
        tracing::error!(
            topic,
            error = %crate::chain(error),
            "dead-letter topic is compacted and refuses messages without a key: set its cleanup.policy to delete; stopping, \
             nothing is committed"
        );
        return shutdown.fail();
    }
    tracing::error!(
        topic,
        error = %crate::chain(error),
        "dead-letter topic cannot be written: create it, give this user the right WRITE on it, or allow larger messages \
         there; stopping, nothing is committed"
    );
    shutdown.fail();
}
