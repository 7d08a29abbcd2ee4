//! Messages as the operator's commands read, decode, choose and show them: what `tail`, `dead-letters`, `produce` and
//! `inject` share.
//!
//! ```text
//!  Kafka ─▶ reader ─▶ message ─▶ decode ─▶ filter ─▶ layout ─▶ a command's output
//! ```

pub mod decode;
pub mod filter;
mod last;
pub mod layout;
pub mod message;
pub mod reader;
pub mod record;
pub mod sender;
