//! The points that the InfluxDB stand-in keeps, with InfluxDB's rule: measurement, tags and time are a point's identity.

use std::collections::{BTreeMap, HashMap};

/// What makes a point the same point. Writing it again merges the fields, the later value winning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PointKey {
    /// Unescaped.
    pub measurement: String,
    /// Unescaped, by key.
    pub tags: BTreeMap<String, String>,
    /// Since 1970-01-01 UTC, whatever the precision of the request was.
    pub time_ns: i64,
}

/// A field's value with its InfluxDB type.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// Always finite.
    Float(f64),
    /// Written with the suffix `i`.
    Integer(i64),
    /// Written with the suffix `u`.
    Unsigned(u64),
    /// One of InfluxDB's ten spellings.
    Boolean(bool),
    /// Unescaped.
    Text(String),
}

impl FieldValue {
    /// InfluxDB's own name of the type, as it stands in its messages.
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
    /// Its identity.
    pub key: PointKey,
    /// Never empty.
    pub fields: BTreeMap<String, FieldValue>,
}

/// Every point, as tests read it: identity → fields.
pub type PointMap = BTreeMap<PointKey, BTreeMap<String, FieldValue>>;

/// What happened so far. `accepted` = `created` + `overwritten`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Write requests, those answered with an injected fault included.
    pub requests: u64,
    /// Lines that were stored.
    pub accepted: u64,
    /// Lines that made a new point.
    pub created: u64,
    /// Lines that hit a point that was there already.
    pub overwritten: u64,
    /// Lines that were refused: malformed, in conflict with a field's type, or hit by a rule.
    pub rejected: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) points: PointMap,
    pub(crate) counts: Counts,
    /// (measurement, field) → the type it was first written with.
    types: HashMap<(String, String), &'static str>,
}

impl Store {
    /// InfluxDB's message when a field of `point` has another type than it was first written with.
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
