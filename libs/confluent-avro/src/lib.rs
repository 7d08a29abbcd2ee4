//! Confluent-framed Avro, read from bytes that anybody may have written: every reader of records in this workspace is
//! here, so that all have the same limits. No I/O.
//!
//! ```text
//!  a message's value ─▶ frame ─▶ point   a record as flattened fields, for the sink; nothing is allocated per field
//! ```
//!
//! [`frame`] is Confluent's wire format, [`read`] Avro's binary encoding of single values.

pub mod frame;
pub mod point;
pub mod read;
