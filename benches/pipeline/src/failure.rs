//! Why a run cannot go on. What is merely slow is no failure: that is in its report.

use std::error::Error;

/// The harness itself, or a process that it needs, does not do what it must.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something that was tried.
    #[error("cannot {doing}")]
    Cannot {
        /// What it was.
        doing: String,
        /// Why not.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Anything else that was not expected, in words.
    #[error("{0}")]
    Unexpected(String),
}

/// What most functions here answer.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Says of any error what was tried.
pub(crate) trait Doing<T> {
    /// `what` follows "cannot".
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
