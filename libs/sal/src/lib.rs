//! SAL without I/O: topic names and interfaces, the Avro schemas of topics, text messages, and the conversion
//! of a text message into a Confluent Avro frame.
//!
//! Data flow by module:
//!
//! ```text
//!  interface files ─▶ interface ─▶ avro ─▶ schema (registry) ─▶ plan ─┐
//!                                                                     ├─▶ encode ─▶ Confluent Avro frame
//!  text message ───────────────────────────────────▶ wire ────────────┘
//! ```
//! `name` and `time` hold the types that all of them share; `record_key` is the Kafka key that goes with a frame; `print`
//! is the reverse direction, from values to text.

pub mod avro;
mod avro_binary;
pub mod encode;
pub mod interface;
pub mod name;
mod notes;
pub mod plan;
pub mod print;
pub mod record_key;
pub mod time;
pub mod wire;
