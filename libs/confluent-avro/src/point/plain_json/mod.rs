//! Records that are JSON themselves, without a schema registry, as the fields of a point.
//!
//! | JSON | point |
//! |---|---|
//! | object | the record; within it `outer_inner` |
//! | array | `name0`, `name1`, …; objects in it `name0_inner`, arrays in it `name0_1` |
//! | number | a float field, or an integer if it is named as one |
//! | true, false, string | a field |
//! | null | left out |
//! | the time, the measurement | not a field |
//!
//! JSON does not tell integers from floats: a sender writes `1` for `1.0`, and a database refuses a field whose type
//! changes. Therefore the type depends on the name alone. A space in a key is written `_`.

mod reading;
mod scalar;
mod state;

use std::sync::Arc;

use super::mapping::Mapping;
use super::names::Key;
use super::{PointSink, Records};
use crate::read::MAX_VALUES;

/// The limit on the total length of a record's flattened names.
const MAX_NAME_BYTES: usize = 4 << 20;

/// The limit on the length of a measurement that a record names.
const MAX_MEASUREMENT_BYTES: usize = 1_000;

/// Says which fields are integers, by their flattened names.
pub type NameTest = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// How the JSON records of one topic become points.
#[derive(Clone)]
pub struct PlainJson {
    measurement: Arc<str>,
    measurement_field: Option<String>,
    mapping: Mapping,
    is_integer: Option<NameTest>,
    /// Names are not known before there is a record: each is the prefix of this one.
    nothing: Key,
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// The bytes are not JSON.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// JSON, but no object.
    #[error("expected an object, because only objects have fields")]
    NotAnObject,
    /// A key that cannot be part of a field's name.
    #[error(
        "a key is empty, or has a control character, a quote or a backslash, which no field's name can have"
    )]
    Key,
    /// Two values have one name.
    #[error("two values of the record have this name")]
    SameName,
    /// More than any real record has.
    #[error("more than {MAX_VALUES} values, or {MAX_NAME_BYTES} bytes of names")]
    TooLarge,
    /// The field is named as an integer, or as a tiebreaker, which is one.
    #[error("expected an integer of 64 bits")]
    NotAnInteger,
    /// The time has no unit.
    #[error("a time that is a number has no unit, and none is guessed: --time-unit says which it is")]
    NoTimeUnit,
    /// The time is something else.
    #[error("expected a time: a number of --time-unit, or a string such as 2026-11-21T10:00:00Z")]
    NotATime,
    /// The record names no measurement, or one that cannot be.
    #[error(
        "expected a measurement: a string of at most {MAX_MEASUREMENT_BYTES} bytes without spaces, commas, equals signs, \
         quotes, backslashes and control characters"
    )]
    Measurement,
}

/// Why a record cannot become a point. Permanent: a retry does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("JSON, byte {byte}, field {field:?}: {fault}")]
pub struct JsonError {
    /// The field's flattened name; empty if there is none.
    pub field: String,
    /// Where in the message's value, from 0.
    pub byte: usize,
    /// What is wrong.
    pub fault: JsonFault,
}

impl JsonFault {
    /// The error as a metric label.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            JsonFault::Syntax(_) => "json_malformed",
            JsonFault::NotAnObject => "not_a_record",
            JsonFault::Key => "map_key",
            JsonFault::SameName => "name_collision",
            JsonFault::TooLarge => "json_too_large",
            JsonFault::NotAnInteger => "json_not_an_integer",
            JsonFault::NoTimeUnit => "time_without_unit",
            JsonFault::NotATime => "time_not_readable",
            JsonFault::Measurement => "measurement",
        }
    }
}

impl std::fmt::Debug for PlainJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlainJson")
            .field("measurement", &self.measurement)
            .finish_non_exhaustive()
    }
}

impl PlainJson {
    /// Records whose points have this measurement, which needs no escaping in line protocol. Numbers are floats.
    #[must_use]
    pub fn new(measurement: &str, mapping: Mapping) -> Self {
        Self {
            measurement: measurement.into(),
            measurement_field: None,
            mapping,
            is_integer: None,
            nothing: Key::new(""),
        }
    }

    /// The same for another measurement.
    #[must_use]
    pub fn of(&self, measurement: &str) -> Self {
        Self {
            measurement: measurement.into(),
            ..self.clone()
        }
    }

    /// The same, with the measurement in this string of each record.
    #[must_use]
    pub fn with_measurement_in(self, field: Option<String>) -> Self {
        Self {
            measurement_field: field,
            ..self
        }
    }

    /// The same, with integers where the test says so.
    #[must_use]
    pub fn with_integers(self, is_integer: Option<NameTest>) -> Self {
        Self { is_integer, ..self }
    }
}

impl Records for PlainJson {
    type Error = JsonError;

    fn measurement(&self) -> &Arc<str> {
        &self.measurement
    }

    fn read<S: PointSink>(&self, record: &[u8], sink: &mut S) -> Result<(), JsonError> {
        reading::read(self, record, sink)
    }
}
