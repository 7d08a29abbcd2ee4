//! The values that each label of a counter can have: a counter is there with 0 from the start for each of them, as
//! `increase()` does not see the first event of a series that comes into being with it.
//!
//! A test (`tests/system/tests/tidy`) holds these lists and the code that counts together.

use sal::encode::Notes;

/// What a rebalance does.
pub(crate) const REBALANCES: &[&[&str]] = &[&["assign"], &["revoke"], &["error"]];

/// How a commit or a transaction with offsets ended.
pub(crate) const COMMITS: &[&[&str]] = &[&["ok"], &["failed"]];

/// The errors that librdkafka reports by itself, by their names in rdkafka. A broker may answer with others; `other` has no
/// code.
pub(crate) const KAFKA_ERRORS: &[&[&str]] = &[
    &["AllBrokersDown"],
    &["Authentication"],
    &["AutoOffsetReset"],
    &["BrokerTransportFailure"],
    &["ClusterAuthorizationFailed"],
    &["CoordinatorNotAvailable"],
    &["Fatal"],
    &["GroupAuthorizationFailed"],
    &["InvalidGroupId"],
    &["MaxPollExceeded"],
    &["MessageSizeTooLarge"],
    &["NotCoordinator"],
    &["OffsetOutOfRange"],
    &["OperationTimedOut"],
    &["Resolve"],
    &["SaslAuthenticationFailed"],
    &["SSL"],
    &["TopicAuthorizationFailed"],
    &["TransactionalIdAuthorizationFailed"],
    &["UnknownMemberId"],
    &["UnknownTopic"],
    &["UnknownTopicOrPartition"],
    &["other"],
];

/// What is left out of a dead letter that does not fit into its topic.
pub(crate) const SHORTENED: &[&[&str]] = &[&["headers"], &["value"]];

/// Stage and reason of saltransform's dead letters.
pub(crate) const TRANSFORM_DEAD_LETTERS: &[&[&str]] = &[
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

/// Why saltransform carries nothing of a message.
pub(crate) const TRANSFORM_SKIPPED: &[&[&str]] = &[&["tombstone"], &["empty"]];

/// What the registry answers to saltransform.
pub(crate) const SCHEMA_LOOKUPS: &[&[&str]] = &[
    &["new"],
    &["unchanged"],
    &["missing"],
    &["reassigned"],
    &["failed"],
    &["unusable"],
];

/// Stage and reason of influxsink's dead letters.
pub(crate) const SINK_DEAD_LETTERS: &[&[&str]] = &[
    &["frame", "value_empty"],
    &["frame", "value_short"],
    &["frame", "value_unframed"],
    &["schema", "schema_unknown"],
    &["schema", "schema_mismatch"],
    &["schema", "schema_not_avro"],
    &["schema", "schema_not_a_record"],
    &["schema", "schema_unsupported"],
    &["schema", "schema_name_collision"],
    &["schema", "schema_too_large"],
    &["decode", "avro_truncated"],
    &["decode", "avro_trailing_bytes"],
    &["decode", "avro_malformed"],
    &["decode", "string_not_utf8"],
    &["decode", "bytes_not_utf8"],
    &["decode", "name_collision"],
    &["line", "time_missing"],
    &["line", "time_zero"],
    &["line", "time_out_of_range"],
    &["line", "no_fields"],
    &["line", "tag_empty"],
    &["line", "tag_control_character"],
    &["line", "tag_backslash"],
    &["line", "line_too_long"],
    &["write", "rejected"],
    &["write", "too_large"],
];

/// What the registry answers to influxsink.
pub(crate) const SINK_SCHEMA_LOOKUPS: &[&[&str]] = &[&["found"], &["missing"], &["mismatch"], &["failed"]];

/// Why influxsink carries nothing of a record.
pub(crate) const SINK_SKIPPED: &[&[&str]] = &[&["tombstone"]];

/// Why a field is left out of a point.
pub(crate) const LEFT_OUT: &[&[&str]] = &[&["not_finite"], &["reserved_name"]];

/// Why a point overwrites another message's.
pub(crate) const OVERWRITTEN: &[&[&str]] = &[&["resolution"], &["same_time"], &["topics"]];

/// Why a request to the database is followed by another.
pub(crate) const RETRIES: &[&[&str]] = &[
    &["rejected"],
    &["too_large"],
    &["unauthorized"],
    &["forbidden"],
    &["not_found"],
    &["too_many_requests"],
    &["unavailable"],
    &["server_error"],
    &["unexpected_status"],
    &["untrusted_certificate"],
    &["timeout"],
    &["connect"],
    &["broken_connection"],
    &["locked"],
    &["disk_full"],
    &["file"],
];

/// What saltransform notes of messages that it carries.
pub(crate) fn notes() -> Vec<&'static [&'static str]> {
    Notes::REASONS.iter().map(std::slice::from_ref).collect()
}
