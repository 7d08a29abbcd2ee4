//! Records as JSON and JSON as records, lossless both ways: [`Schema::write_json`] restores what
//! [`Schema::to_json`] shows byte for byte (provided that the bytes are written as Avro's own libraries write
//! them: one block per array, no overlong integers).
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
//! If the text of a logical type would not give the same bytes back (a date after the year 9999, a decimal
//! with redundant leading bytes), the value is shown as its underlying type: an integer, or the bytes as a
//! list of numbers. Reading accepts these forms everywhere, too.
//!
//! Limits apply to what is read: [`MAX_DEPTH`], also for JSON, and [`MAX_VALUES`].

mod binary;
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

pub use crate::read::{MAX_DEPTH, MAX_VALUES};

use crate::read::DecodeError;
use crate::schema::Schema;

impl Schema {
    /// Decodes a record's bytes (without the frame) as JSON. All of them must be used.
    pub fn to_json(&self, avro: &[u8]) -> Result<Value, DecodeError> {
        read::record(self, avro)
    }

    /// The same with the branch of every union named, as in Avro's own JSON encoding: `{"long": 5}`, and null as it is.
    pub fn to_typed_json(&self, avro: &[u8]) -> Result<Value, DecodeError> {
        read::typed_record(self, avro)
    }

    /// Appends the JSON in Avro's binary encoding. A missing field takes the schema's default, a union the
    /// first branch that fits. After an error `out` holds part of the record.
    pub fn write_json(&self, json: &Value, out: &mut Vec<u8>) -> Result<(), Misfit> {
        write::record(self, json, out)
    }
}
