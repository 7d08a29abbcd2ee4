//! Why a message cannot be carried: what every part of a stage can say of it, and what its dead letter records.

/// Why a message is a dead letter.
#[derive(Debug, Clone)]
pub struct Reason {
    /// The step that refused it: the header and the metric label `stage`.
    pub step: &'static str,
    /// A few words in snake_case, bounded in number: a metric's label.
    pub reason: &'static str,
    /// The whole error, for people.
    pub detail: String,
}
