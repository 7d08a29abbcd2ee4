//! Why a registry schema cannot be compiled. A retry does not help: every message of the topic is a dead
//! letter until another schema is registered.

/// A schema that cannot be filled from SAL text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The text is not JSON.
    #[error("the schema is not JSON: {0}")]
    Json(String),
    /// Not an Avro record.
    #[error(
        "the schema is not a SAL record: expected an object with \"type\": \"record\", a name and fields; register the \
         topic's schema with `saltransform init`"
    )]
    NoRecord,
    /// A record without the fields that identify the dialect.
    #[error(
        "the schema of {record} is not a SAL record: expected the field kafka_timestamp (dialect efd) or \
         private_sndStamp (dialect ts_xml), found {found}; register the topic's schema with `saltransform init`"
    )]
    NoDialect {
        /// The record's name.
        record: String,
        /// The name of its first field, or a note that there is none.
        found: String,
    },
    /// A field without a name or a type.
    #[error("field {position} of {record}: expected a name and a type")]
    Field {
        /// The record's name.
        record: String,
        /// The position, counted from 0.
        position: usize,
    },
    /// A type that has no SAL text.
    #[error(
        "field {field} of {record}: SAL has no value for the Avro type {found}; expected boolean, int, long, float, \
         double, string, bytes, an enum, an array of them, or a union of null and one of them"
    )]
    Type {
        /// The record's name.
        record: String,
        /// The field's name.
        field: String,
        /// The type in the schema.
        found: String,
    },
    /// A private field whose type differs from the dialect's.
    #[error("field {field} of {record}: expected the Avro type {expected}, found {found}")]
    PrivateType {
        /// The record's name.
        record: String,
        /// The field's name.
        field: String,
        /// The dialect's type.
        expected: &'static str,
        /// The schema's type.
        found: String,
    },
    /// An enum whose `sal_values` do not have one integer per symbol.
    #[error(
        "field {field} of {record}: expected one integer in sal_values for each of the {symbols} symbols"
    )]
    EnumValues {
        /// The record's name.
        record: String,
        /// The field's name.
        field: String,
        /// The number of symbols.
        symbols: usize,
    },
    /// A field that is not on the wire and has no usable default.
    #[error("field {field} of {record} is not on the wire: expected a default that fits its type; add one")]
    NoDefault {
        /// The record's name.
        record: String,
        /// The field's name.
        field: String,
    },
    /// `sal_index` is on some items only, or two items have the same one.
    #[error("{record}: expected a different sal_index on each item or on none, but {field} breaks this")]
    Index {
        /// The record's name.
        record: String,
        /// The first field that breaks the rule.
        field: String,
    },
    /// Too many possible layouts.
    #[error(
        "{record} has too many bytes fields that may or may not be on the wire ({layouts} ways to read a message); \
         register the topic's schema with --wire-extras"
    )]
    TooManyLayouts {
        /// The record's name.
        record: String,
        /// The number of layouts.
        layouts: usize,
    },
    /// More fields, steps or items than a plan can number.
    #[error("{record} is too large: a plan has at most {max} {what}")]
    TooLarge {
        /// The record's name.
        record: String,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}
