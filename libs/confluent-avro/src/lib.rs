//! Confluent-framed Avro, read from untrusted bytes. Every reader of records in this workspace is here, so
//! that all have the same limits. No I/O.
//!
//! ```text
//!                                     ┌─▶ point   a record as flattened fields, for the sink; nothing is allocated per field
//!  a message's value ─▶ frame ─▶ read ┤
//!                              schema ┴─▶ json    a record as JSON and back, exact, for people and programs
//! ```
//! [`point`] also reads records that are JSON themselves, without a schema.
//!
//! [`frame`] is Confluent's wire format, [`schema`] holds the types of a registered schema, [`read`] is
//! Avro's binary encoding of single values.

pub mod frame;
pub mod json;
pub mod point;
pub mod read;
pub mod schema;
