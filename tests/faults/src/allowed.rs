//! Ends that a fault may bring about by itself: with exit code 1, and another process goes on.

use std::time::{Duration, Instant};

use crate::ledger::Stage;

/// For how long a fault may be the reason.
const VALID: Duration = Duration::from_secs(90);

/// How many processes of a stage may end.
#[derive(Debug, Default)]
pub(crate) struct AllowedEnds(Vec<(Stage, Instant)>);

impl AllowedEnds {
    /// From now on, so many more.
    pub(crate) fn add(&mut self, stage: Stage, ends: usize) {
        let until = Instant::now() + VALID;
        self.0.extend(std::iter::repeat_n((stage, until), ends));
    }

    /// Whether one that has ended was allowed to; it is one less then.
    pub(crate) fn take(&mut self, stage: Stage) -> bool {
        self.0.retain(|(_, until)| *until > Instant::now());
        let found = self.0.iter().position(|(of, _)| *of == stage);
        found.map(|place| self.0.swap_remove(place)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_allowed_once() {
        let mut ends = AllowedEnds::default();
        ends.add(Stage::Transform, 1);
        assert!(!ends.take(Stage::Sink));
        assert!(ends.take(Stage::Transform));
        assert!(!ends.take(Stage::Transform));
    }
}
