//! What a registry may answer that is neither its data nor one of its own errors.

use reqwest::StatusCode;

use crate::address::Address;

/// An unexpected answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Odd {
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("it answers 404, and not as a registry does: Apicurio's address ends in /apis/ccompat/v7")]
    NoRegistry,
    #[error("it answers {status}: {message}")]
    Refusal { status: StatusCode, message: String },
    #[error("its address {0} cannot have a path")]
    Address(Address),
}
