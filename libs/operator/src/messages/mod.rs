//! Messages as the operator's commands read, decode, choose and show them: what `tail`, `dead-letters`, `produce` and
//! `inject` share.
//!
//! ```text
//!  Kafka ─▶ reader ─▶ message ─▶ decode ─▶ filter ─▶ what a command or a page shows
//! ```

pub mod decode;
pub mod filter;
pub mod json_to_avro;
mod last;
pub mod message;
pub mod reader;
pub mod sender;
