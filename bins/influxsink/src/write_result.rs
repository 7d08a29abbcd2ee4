//! What a database says of the points that were sent to it: the same for InfluxDB (`write/answer.rs`) and SQLite.

use std::time::Duration;

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// All points are stored.
    Written,
    /// At least one point is invalid; others may already be stored, and writing them again is harmless.
    Rejected {
        /// The database's message.
        message: String,
    },
    /// The request is too large; none of it is stored.
    TooLarge {
        /// The database's own words.
        message: String,
    },
    /// The database cannot store anything: it is unavailable, or not set up yet. Nothing is wrong with the points.
    Away {
        /// A few words for a metric's label.
        reason: &'static str,
        /// For people.
        message: String,
    },
    /// The database is available and asks for a pause.
    Busy {
        /// A few words for a metric's label.
        reason: &'static str,
        /// The requested time, if there is one.
        after: Option<Duration>,
        /// For people.
        message: String,
    },
}
