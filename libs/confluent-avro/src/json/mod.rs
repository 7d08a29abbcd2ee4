//! Records as JSON and JSON as records, without loss either way: what [`Schema::to_json`] shows, [`Schema::write_json`]
//! writes back byte for byte (of bytes as Avro's own libraries write them: one block an array, no integer longer than it
//! need be).
//!
//! | Avro | JSON |
//! |---|---|
//! | null, boolean, int, long, string, enum, array, record | as they are; integers exact |
//! | float, double | the fewest digits that give the same value back; `"NaN"`, `"Infinity"`, `"-Infinity"`; other NaNs `"-NaN"`, `"NaN(0x7ff8000000000001)"` |
//! | bytes, fixed | a string of the code points 0 to 255, one a byte: Avro's own JSON encoding |
//! | map | an object in the order of the bytes; where a key occurs twice a list of `{"key", "value"}` |
//! | union | the value; where it could be read as another branch `{"<branch>": value}`, Avro's own JSON encoding |
//! | decimal | `"12.34"` |
//! | duration | `"P1M2DT3.004S"` (ISO 8601: months, days, milliseconds) |
//! | uuid | `"01234567-89ab-cdef-0123-456789abcdef"` |
//! | date, time, timestamp, local timestamp | `"2026-11-29"`, `"10:03:00.123"`, `"2026-11-29T10:03:00.123Z"`, the last without `Z` |
//!
//! Where a logical type's text would not give the same bytes back (a date beyond the year 9999, a decimal with needless
//! bytes before it), the value is shown as its underlying type: an integer, or the bytes as a list of numbers. Reading
//! takes these everywhere, too.
//!
//! Bytes that are read have limits: [`MAX_DEPTH`], which holds for JSON, too, and [`MAX_VALUES`].

mod decimal;
mod float;
mod logical;
mod map;
mod misfit;
mod read;
mod scalar;
mod time;
mod union;
mod write;

use serde_json::Value;

pub use misfit::Misfit;

use crate::read::DecodeError;
use crate::schema::Schema;

/// Records, arrays and maps within each other. JSON needs up to three levels for one of them, and serde_json reads 128.
pub const MAX_DEPTH: usize = 40;

/// Values of one record. An array of nulls takes no byte for an item, so that a few bytes could hold any number of them.
pub const MAX_VALUES: usize = 1_000_000;

impl Schema {
    /// A record's bytes (without their frame) as JSON. They must be used up.
    pub fn to_json(&self, avro: &[u8]) -> Result<Value, DecodeError> {
        read::record(self, avro)
    }

    /// Appends what the JSON says in Avro's binary encoding. A field that is missing takes the schema's default, a union
    /// the first branch that fits. After an error `out` holds a part of it.
    pub fn write_json(&self, json: &Value, out: &mut Vec<u8>) -> Result<(), Misfit> {
        write::record(self, json, out)
    }
}
