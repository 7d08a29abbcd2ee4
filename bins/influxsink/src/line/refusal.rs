//! Why a record is not written as a line. Each is permanent: the message goes to the dead-letter topic.

use super::MAX_LINE_BYTES;
use confluent_avro::point::time::TimeFault;
use confluent_avro::point::{DecodeError, JsonError};

/// A record that line protocol cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its bytes do not fit its schema.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It is JSON that cannot be a point.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It has no usable time.
    #[error(
        "{0}; --time-field names the field, or kafka.timestamp for records that have none; --time-from-kafka uses Kafka's \
         timestamp instead of a time that cannot be used"
    )]
    Time(TimeFault),
    /// All of its fields are null, NaN, infinite, or tags.
    #[error("no field is left: all are null, not finite, or tags")]
    NoFields,
    /// A tag's value holds a line break or another control character.
    #[error("tag {tag:?} holds a control character, which a tag cannot")]
    TagControl {
        /// The tag's name.
        tag: String,
    },
    /// A tag's value ends in a backslash, or has one before a comma, an equals sign or a space.
    #[error("tag {tag:?} has a backslash where it would be taken for an escape")]
    TagBackslash {
        /// The tag's name.
        tag: String,
    },
    /// The line would be longer than [`MAX_LINE_BYTES`].
    #[error("the record's line would be longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
}

impl Refusal {
    /// A few words for a metric's label.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::Decode(error) => error.fault.reason(),
            Refusal::Json(error) => error.fault.reason(),
            Refusal::Time(fault) => fault.reason(),
            Refusal::NoFields => "no_fields",
            Refusal::TagControl { .. } => "tag_control_character",
            Refusal::TagBackslash { .. } => "tag_backslash",
            Refusal::TooLong => "line_too_long",
        }
    }

    /// The step of the sink that refused it.
    #[must_use]
    pub fn step(&self) -> &'static str {
        match self {
            Refusal::Decode(_) | Refusal::Json(_) => "decode",
            _ => "line",
        }
    }
}
