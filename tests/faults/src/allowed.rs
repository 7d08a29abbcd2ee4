//! Process exits that a fault is allowed to cause: the process ends with exit code 1 and another one takes
//! over.

use std::time::{Duration, Instant};

use crate::ledger::Stage;

/// How long a fault can be the cause of an exit.
const VALID: Duration = Duration::from_secs(90);

/// The number of processes of each stage that may still end.
#[derive(Debug, Default)]
pub(crate) struct AllowedEnds(Vec<(Stage, Instant)>);

impl AllowedEnds {
    /// Allows this many more exits from now on.
    pub(crate) fn add(&mut self, stage: Stage, ends: usize) {
        let until = Instant::now() + VALID;
        self.0.extend(std::iter::repeat_n((stage, until), ends));
    }

    /// Whether an exit is allowed; if so, it is used up.
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
    fn each_exit_is_allowed_once() {
        let mut ends = AllowedEnds::default();
        ends.add(Stage::Transform, 1);
        assert!(!ends.take(Stage::Sink));
        assert!(ends.take(Stage::Transform));
        assert!(!ends.take(Stage::Transform));
    }
}
