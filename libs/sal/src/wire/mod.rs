//! The text messages of SAL: their header, the grammar of their values, and what is wrong with a bad one.
//! First in the transform: bytes come from Kafka, [`Message`] goes to encode, which reads the values with the
//! parsers of `grammar` as the topic's plan says.
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
pub use error::{Problem, WireError};
pub use message::{MAX_MESSAGE_BYTES, Message};
