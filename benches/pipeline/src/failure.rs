//! Why a run cannot continue. Slowness is not a failure: it is reported.

use std::error::Error;

/// The harness itself, or a process that it needs, does not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// An operation failed.
    #[error("cannot {doing}")]
    Cannot {
        /// The operation.
        doing: String,
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Any other unexpected situation, as text.
    #[error("{0}")]
    Unexpected(String),
}

/// The result of most functions here.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Adds the attempted operation to any error.
pub(crate) trait Doing<T> {
    /// `what` completes a sentence that starts with "cannot".
    fn doing(self, what: impl Into<String>) -> Outcome<T>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Outcome<T> {
        self.map_err(|source| Failure::Cannot {
            doing: what.into(),
            source: source.into(),
        })
    }
}
