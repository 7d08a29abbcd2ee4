//! The text messages of SAL: their header, the grammar of their values, and the errors in them. Bytes from
//! Kafka become a [`Message`]; encode then reads its values with the parsers of `grammar`, in the order of
//! the topic's plan.
//!
//! ```text
//! message = [ S "_" kind " " ] topic ":( " value *( " , " value ) ")"
//! value   = scalar *( ", " scalar )
//! ```
//! Source: the last public generator of the format, `genkafkaefd.tcl` of SAL 3.9.

mod error;
pub(crate) mod grammar;
mod message;
pub(crate) mod number;

pub(crate) use error::Fault;
pub use error::{MAX_MESSAGE_BYTES, Problem, WireError};
pub use message::Message;
