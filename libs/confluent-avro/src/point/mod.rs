//! A record as the fields of a point. An Avro writer schema is compiled once into a flat [`Plan`]; the plan then walks
//! each record's bytes and hands every value, under its flattened name, to a [`PointSink`]. No value tree is built.
//!
//! How Avro becomes a point, as the EFD's readers expect it:
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
//! | map, decimal, duration, recursive types | the schema is refused: no field holds them faithfully |
//! | a field named `time` | left out and counted: InfluxDB drops such fields in silence |

mod names;
mod plan;
mod run;
mod schema;
pub mod time;

pub use crate::read::{DecodeError, Fault};
pub use names::Key;
pub use plan::{Mapping, Plan};
pub use schema::SchemaError;

use time::TimeFault;

/// The name of a value: `prefix`, then the key's name, then the index. Kept in pieces, so that nothing is put
/// together for a field that is merely copied into a line.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    /// What array elements of records stand under: `outer0`. Empty for all else.
    pub prefix: &'a str,
    /// The name, known since the schema was compiled.
    pub key: &'a Key,
    /// The position in an array.
    pub index: Option<usize>,
}

impl Name<'_> {
    /// The flattened name in one piece.
    #[must_use]
    pub fn flat(&self) -> String {
        match self.index {
            Some(index) => format!("{}{}{index}", self.prefix, self.key.name()),
            None => format!("{}{}", self.prefix, self.key.name()),
        }
    }
}

/// Receives one record's values in the order of the schema.
pub trait PointSink {
    /// A `double`.
    fn double(&mut self, name: Name<'_>, value: f64);
    /// A `float`; kept apart from `double`, as its shortest decimal form is another one.
    fn float(&mut self, name: Name<'_>, value: f32);
    /// An `int` or `long`.
    fn integer(&mut self, name: Name<'_>, value: i64);
    /// A `boolean`.
    fn boolean(&mut self, name: Name<'_>, value: bool);
    /// A `string`, an enum's symbol, or bytes that are UTF-8.
    fn text(&mut self, name: Name<'_>, value: &str);
    /// A value that the operator made a tag. Nulls are not reported.
    fn tag(&mut self, key: &Key, value: &str);
    /// The point's time in microseconds since 1970 UTC, or why there is none. Called at most once.
    fn time(&mut self, time: Result<i64, TimeFault>);
    /// How the record stores that time, and what it has below a microsecond, in nanoseconds. Called before
    /// [`PointSink::time`] for an integer time; a `double` of seconds holds no more than microseconds.
    fn time_detail(&mut self, _unit: time::TimeUnit, _nanos: u16) {}
    /// The value of the field that tells points of one time apart.
    fn tiebreaker(&mut self, _value: i64) {}
    /// A field whose name InfluxDB reserves (`time`) was passed over.
    fn reserved_name(&mut self);
}
