//! The points in the InfluxDB stand-in, with InfluxDB's rule: measurement, tags and time identify a point.

use std::collections::{BTreeMap, HashMap};

/// The identity of a point. Writing it again merges the fields; later values win.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PointKey {
    /// The measurement, unescaped.
    pub measurement: String,
    /// The tags by key, unescaped.
    pub tags: BTreeMap<String, String>,
    /// The time in nanoseconds since 1970-01-01 UTC, whatever the precision of the request was.
    pub time_ns: i64,
}

/// A field's value with its InfluxDB type.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// A float, always finite.
    Float(f64),
    /// An integer, written with the suffix `i`.
    Integer(i64),
    /// An unsigned integer, written with the suffix `u`.
    Unsigned(u64),
    /// A boolean, in any of InfluxDB's ten spellings.
    Boolean(bool),
    /// A string, unescaped.
    Text(String),
}

impl FieldValue {
    /// InfluxDB's name for the type, as used in its error messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            FieldValue::Float(_) => "float",
            FieldValue::Integer(_) => "integer",
            FieldValue::Unsigned(_) => "unsigned",
            FieldValue::Boolean(_) => "boolean",
            FieldValue::Text(_) => "string",
        }
    }
}

/// One parsed line.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The identity of the point.
    pub key: PointKey,
    /// The fields; never empty.
    pub fields: BTreeMap<String, FieldValue>,
}

/// All points, as tests read them: identity → fields.
pub type PointMap = BTreeMap<PointKey, BTreeMap<String, FieldValue>>;

/// The counts so far. `accepted` = `created` + `overwritten`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Write requests, including those with an injected fault.
    pub requests: u64,
    /// Lines that were stored.
    pub accepted: u64,
    /// Lines that created a point.
    pub created: u64,
    /// Lines that overwrote an existing point.
    pub overwritten: u64,
    /// Lines that were refused: malformed, in conflict with a field's type, or matching a rule.
    pub rejected: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) points: PointMap,
    pub(crate) counts: Counts,
    /// (measurement, field) → the type with which it was first written.
    types: HashMap<(String, String), &'static str>,
}

impl Store {
    /// InfluxDB's error message if a field of `point` has a different type than when it was first written.
    pub(crate) fn conflict(&self, point: &Point) -> Option<String> {
        let measurement = &point.key.measurement;
        point.fields.iter().find_map(|(field, value)| {
            let known = self.types.get(&(measurement.clone(), field.clone()))?;
            let kind = value.kind();
            (*known != kind).then(|| {
                format!(
                    "field type conflict: input field \"{field}\" on measurement \"{measurement}\" is type {kind}, \
                     already exists as type {known}"
                )
            })
        })
    }

    pub(crate) fn write(&mut self, point: Point) {
        for (field, value) in &point.fields {
            self.types
                .entry((point.key.measurement.clone(), field.clone()))
                .or_insert_with(|| value.kind());
        }
        self.counts.accepted += 1;
        match self.points.get_mut(&point.key) {
            Some(fields) => {
                fields.extend(point.fields);
                self.counts.overwritten += 1;
            }
            None => {
                self.points.insert(point.key, point.fields);
                self.counts.created += 1;
            }
        }
    }
}
