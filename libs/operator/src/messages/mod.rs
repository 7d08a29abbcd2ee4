//! Messages: read, decoded, filtered and sampled; and made from JSON and sent.
//!
//! ```text
//!  Kafka ─▶ reader ─▶ message ─▶ decode ─▶ filter ─▶ sample ─▶ json, or what else a command or a page shows
//!  Kafka ◀─ sender ◀─ json_to_avro ◀─ JSON
//! ```

pub mod decode;
pub mod filter;
pub mod json;
pub mod json_to_avro;
mod last;
pub mod message;
pub mod reader;
pub mod sample;
pub mod sender;
mod transient;
