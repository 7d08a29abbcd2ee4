//! The time of a run in which no fault explains that something waits.

use std::time::{Duration, Instant};

/// A stopwatch that runs between faults.
#[derive(Debug, Default)]
pub(crate) struct Undisturbed {
    past: Duration,
    since: Option<Instant>,
}

impl Undisturbed {
    /// The last fault is over.
    pub(crate) fn start(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// A fault begins.
    pub(crate) fn stop(&mut self) {
        self.past = self.total();
        self.since = None;
    }

    /// Whether no fault is in progress.
    pub(crate) fn runs(&self) -> bool {
        self.since.is_some()
    }

    /// The total so far.
    pub(crate) fn total(&self) -> Duration {
        self.past + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}
