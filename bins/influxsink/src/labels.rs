//! The values that each label of influxsink's counters can have: the series of each exists with 0 from the start.
//!
//! A test (`tests/system/tests/tidy.rs`) holds these lists and the code that counts together.

/// Step and reason of dead letters.
pub(crate) const DEAD_LETTERS: &[&[&str]] = &[
    &["frame", "value_empty"],
    &["frame", "value_short"],
    &["frame", "value_unframed"],
    &["schema", "schema_unknown"],
    &["schema", "schema_mismatch"],
    &["schema", "schema_not_avro"],
    &["schema", "schema_references"],
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
    &["decode", "map_key"],
    &["decode", "not_a_record"],
    &["decode", "json_malformed"],
    &["decode", "json_too_large"],
    &["decode", "json_not_an_integer"],
    &["decode", "time_without_unit"],
    &["decode", "time_not_readable"],
    &["decode", "measurement"],
    &["line", "time_missing"],
    &["line", "time_zero"],
    &["line", "time_out_of_range"],
    &["line", "no_fields"],
    &["line", "tag_control_character"],
    &["line", "tag_backslash"],
    &["line", "line_too_long"],
    &["write", "rejected"],
    &["write", "too_large"],
];

/// The registry's answers.
pub(crate) const SCHEMA_LOOKUPS: &[&[&str]] = &[&["found"], &["missing"], &["mismatch"], &["failed"]];

/// Why a record is skipped.
pub(crate) const SKIPPED: &[&[&str]] = &[&["tombstone"], &["fields_excluded"]];

/// Why a field or a tag is left out of a point.
pub(crate) const LEFT_OUT: &[&[&str]] = &[&["not_finite"], &["empty_tag"], &["reserved_name"], &["excluded"]];

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
