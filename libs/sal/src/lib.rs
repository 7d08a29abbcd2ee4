//! SAL itself, with no I/O: its names and interfaces, the Avro schemas of its topics, its text messages, and the
//! way from a text message to a Confluent Avro frame.
//!
//! The data's way, module by module:
//!
//! ```text
//!  interface files ─▶ interface ─▶ avro ─▶ schema (registry) ─▶ plan ─┐
//!                                                                     ├─▶ encode ─▶ Confluent Avro frame
//!  text message ───────────────────────────────────▶ wire ────────────┘
//! ```
//! `name` and `time` are what all of them speak in; `print` is the way back, from values to text.

pub mod avro;
pub mod encode;
pub mod interface;
pub mod name;
pub mod plan;
pub mod print;
pub mod time;
pub mod wire;
