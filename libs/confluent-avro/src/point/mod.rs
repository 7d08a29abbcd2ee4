//! A record as the fields of a point. An Avro writer schema is compiled once into a flat [`Plan`]; the plan
//! then walks each record's bytes and hands every value, under its flattened name, to a [`PointSink`]. No
//! value tree is built.
//!
//! The mapping from Avro to a point, as readers of the EFD expect it:
//!
//! | Avro | point |
//! |---|---|
//! | record | measurement = the record's full name |
//! | boolean, int, long, float, double, string | a field of the same name |
//! | `T` in a union with null | the field, or nothing where null; other unions: the branch that is there |
//! | array | `name0`, `name1`, … with no separator |
//! | nested record | `outer_inner`, as Telegraf does; in an array `outer0_inner`; arrays in arrays `name0_1` |
//! | enum | its symbol, a string |
//! | bytes, fixed | a string, if it is UTF-8; otherwise the record is refused |
//! | date, time and timestamp types | the integer that is stored, in its own unit |
//! | uuid | the string that is stored |
//! | map | `name_key`, as Telegraf does; a record in which two values get one name is refused |
//! | a union of one record with other types, as the whole schema | the record; another branch is refused |
//! | decimal, duration, recursive types | the schema is refused: no field holds them faithfully |
//! | a field named `time` | left out and counted, because InfluxDB drops such fields silently |

mod distinct;
mod flatten;
mod mapping;
mod names;
mod plain_json;
mod plan;
mod run;
mod schema;
mod step;
mod tag_or_field;
pub mod time;

pub use crate::read::{DecodeError, Fault};
pub use mapping::{Mapping, TagCopy};
pub use names::Key;
pub use plain_json::{JsonError, JsonFault, NameTest, PlainJson};
pub use plan::Plan;
pub use schema::SchemaError;

use std::sync::Arc;

use time::TimeFault;

/// Records as they come in one topic: how the bytes of one become the values of its point.
pub trait Records {
    /// Why the bytes of a record cannot be read. Permanent: a retry does not help.
    type Error;

    /// The measurement, unless the record itself names one ([`PointSink::measurement`]).
    fn measurement(&self) -> &Arc<str>;

    /// Reads one record to exactly the last byte and hands its values to `sink`. After an error the sink has received
    /// part of the record.
    fn read<S: PointSink>(&self, record: &[u8], sink: &mut S) -> Result<(), Self::Error>;
}

/// The name of a value: `prefix`, the key's name, and the index. Kept in pieces, so that nothing is
/// concatenated for a field that is merely copied into a line.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    /// The prefix of values within arrays of records and within maps, such as `outer0`; otherwise empty. It holds
    /// the keys of maps, which may have characters that line protocol escapes; none is a control character, a
    /// quote or a backslash.
    pub prefix: &'a str,
    /// The name, known since the schema was compiled.
    pub key: &'a Key,
    /// The position in an array.
    pub index: Option<usize>,
}

impl Name<'_> {
    /// The flattened name as one string.
    #[must_use]
    pub fn flat(&self) -> String {
        let mut flat = String::new();
        self.flatten_into(&mut flat);
        flat
    }

    /// Replaces the content of `flat` by the flattened name, for a caller that keeps the buffer.
    pub fn flatten_into(&self, flat: &mut String) {
        flat.clear();
        flat.push_str(self.prefix);
        flat.push_str(self.key.name());
        if let Some(index) = self.index {
            flat.push_str(itoa::Buffer::new().format(index));
        }
    }
}

/// Receives the values of one record in schema order.
pub trait PointSink {
    /// Receives a `double`.
    fn double(&mut self, name: Name<'_>, value: f64);
    /// Receives a `float`; separate from `double`, because its shortest decimal form differs.
    fn float(&mut self, name: Name<'_>, value: f32);
    /// Receives an `int` or `long`.
    fn integer(&mut self, name: Name<'_>, value: i64);
    /// Receives a `boolean`.
    fn boolean(&mut self, name: Name<'_>, value: bool);
    /// Receives a `string`, an enum's symbol, or UTF-8 bytes.
    fn text(&mut self, name: Name<'_>, value: &str);
    /// Receives a value that the operator made a tag; nulls are not reported. A NaN or an infinity comes as the
    /// field that it would be.
    fn tag(&mut self, name: Name<'_>, value: &str);
    /// Receives the point's time in microseconds since 1970 UTC, or why there is none. Called at most once.
    fn time(&mut self, time: Result<i64, TimeFault>);
    /// Receives the unit of an integer time and what it is beyond its microsecond, in nanoseconds from -500 to
    /// 499. Called before [`PointSink::time`]; not for a `double` of seconds, which has no more than microseconds.
    fn time_detail(&mut self, _unit: time::TimeUnit, _nanos: i16) {}
    /// Receives the point's measurement, if the record names it. It needs no escaping in line protocol.
    fn measurement(&mut self, _name: &str) {}
    /// Receives the value of the field that keeps points with the same time apart.
    fn tiebreaker(&mut self, _value: i64) {}
    /// Called for a field that was skipped because InfluxDB reserves its name (`time`).
    fn reserved_name(&mut self);
}
