//! Why a registry schema makes no plan. A retry does not help; every message of the topic is a dead letter until
//! another schema is registered.

/// A schema that cannot be filled from SAL text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No JSON.
    #[error("the schema is no JSON: {0}")]
    Json(String),
    /// Another Avro type than a record.
    #[error(
        "the schema is no SAL record: expected an object with \"type\": \"record\", a name and fields; register the \
         topic's schema with `saltransform init`"
    )]
    NoRecord,
    /// A record without the fields that tell the dialect.
    #[error(
        "the schema of {record} is no SAL record: expected the field kafka_timestamp (dialect efd) or \
         private_sndStamp (dialect ts_xml), found {found}; register the topic's schema with `saltransform init`"
    )]
    NoDialect {
        /// The record's name.
        record: String,
        /// Its first field's name, or what there is.
        found: String,
    },
    /// A field without a name or a type.
    #[error("field {position} of {record}: expected a name and a type")]
    Field {
        /// The record's name.
        record: String,
        /// The position from 0.
        position: usize,
    },
    /// A type that SAL has no text for.
    #[error(
        "field {field} of {record}: SAL has no value for the Avro type {found}; expected boolean, int, long, float, \
         double, string, bytes, an enum, an array of them, or a union of null and one of them"
    )]
    Type {
        /// The record's name.
        record: String,
        /// The field's name.
        field: String,
        /// The type as the schema gives it.
        found: String,
    },
    /// A private field of another type than its dialect gives it.
    #[error("field {field} of {record}: expected the Avro type {expected}, found {found}")]
    PrivateType {
        /// The record's name.
        record: String,
        /// The field's name.
        field: String,
        /// The dialect's type.
        expected: &'static str,
        /// The schema's.
        found: String,
    },
    /// An enum whose `sal_values` are not one integer a symbol.
    #[error(
        "field {field} of {record}: expected one integer in sal_values for each of the {symbols} symbols"
    )]
    EnumValues {
        /// The record's name.
        record: String,
        /// The field's name.
        field: String,
        /// How many symbols there are.
        symbols: usize,
    },
    /// A field that is not on the wire, and that the schema gives no value for.
    #[error("field {field} of {record} is not on the wire: expected a default that fits its type; add one")]
    NoDefault {
        /// The record's name.
        record: String,
        /// The field's name.
        field: String,
    },
    /// `sal_index` on some items only, or twice the same.
    #[error("{record}: expected a different sal_index on each item or on none, not so on {field}")]
    Index {
        /// The record's name.
        record: String,
        /// The first field that breaks the rule.
        field: String,
    },
    /// More readings of the wire than are worth trying.
    #[error(
        "{record} has too many bytes fields that may or may not be on the wire ({layouts} ways to read a message); \
         register the topic's schema with --wire-extras"
    )]
    TooManyLayouts {
        /// The record's name.
        record: String,
        /// How many.
        layouts: usize,
    },
    /// More than the format of plans can number.
    #[error("{record} is too large: a plan has at most {most} {what}")]
    TooLarge {
        /// The record's name.
        record: String,
        /// Of what.
        what: &'static str,
        /// The limit.
        most: usize,
    },
}
