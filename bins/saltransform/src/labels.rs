//! The values that each label of saltransform's counters can have: the series of each exists with 0 from the start.
//!
//! A test (`tests/system/tests/tidy.rs`) holds these lists and the code that counts together.

use sal::encode::Notes;

/// Step and reason of dead letters.
pub(crate) const DEAD_LETTERS: &[&[&str]] = &[
    &["parse", "message_too_long"],
    &["parse", "bad_header"],
    &["parse", "bad_number"],
    &["parse", "bad_integer"],
    &["parse", "bad_symbol"],
    &["parse", "bad_string"],
    &["parse", "bad_separator"],
    &["parse", "bad_end"],
    &["parse", "value_count"],
    &["parse", "item_count"],
    &["parse", "topic_name"],
    &["encode", "invalid_utf8"],
    &["encode", "out_of_range"],
    &["encode", "bad_boolean"],
    &["encode", "unknown_enumeration_value"],
    &["encode", "bad_time"],
    &["encode", "unclear_bytes"],
    &["schema", "unknown_topic"],
    &["schema", "unusable_schema"],
    &["produce", "refused_by_broker"],
];

/// Why a message is skipped.
pub(crate) const SKIPPED: &[&[&str]] = &[&["tombstone"], &["empty"]];

/// The registry's answers.
pub(crate) const SCHEMA_LOOKUPS: &[&[&str]] = &[
    &["new"],
    &["unchanged"],
    &["missing"],
    &["reassigned"],
    &["failed"],
    &["unusable"],
];

/// Reasons of notes on transformed messages.
pub(crate) fn notes() -> Vec<&'static [&'static str]> {
    Notes::REASONS.iter().map(std::slice::from_ref).collect()
}
