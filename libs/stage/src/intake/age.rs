//! How old the oldest unfinished message of each assigned partition is: the metric of the lag in seconds.
//!
//! | the oldest unfinished message | its time |
//! |---|---|
//! | is in flight, or has arrived and waits for a worker | Kafka's timestamp; with transactions, until its transaction is committed |
//! | is on a broker or in librdkafka's queue, and was there when the message before it was still waiting | the timestamp of that message, which is not younger |
//! | is there for any other reason (the consumer is paused, the partition is blocked, the process has just started) | when this process first saw the partition's end behind it |
//!
//! The last one is a lower bound: the brokers do not tell the timestamp of a message that is not fetched. It grows all the
//! same while nothing moves, and is right within seconds for messages that were produced since the process started.

use std::sync::{Arc, Weak};

use super::context::IntakeContext;
use crate::metrics::{Subsystems, Unfinished};

/// What the ends of a partition tell about the message at its position, which has not arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The end that was seen last, and when.
    seen: Option<(i64, i64)>,
    /// A position before that end, and since when the message there has been waiting.
    oldest: Option<(i64, i64)>,
}

impl Waiting {
    /// The partition ends at `end` and is finished up to `position`; `passed_ms` is the timestamp of the message before it.
    pub(super) fn observe(&mut self, position: i64, end: i64, passed_ms: Option<i64>, now_ms: i64) {
        self.oldest = (position < end).then(|| (position, self.since(position, passed_ms).unwrap_or(now_ms)));
        self.seen = Some((end, now_ms));
    }

    /// Since when the message at `position` has been waiting, if one is known to be there.
    pub(super) fn since(&self, position: i64, passed_ms: Option<i64>) -> Option<i64> {
        let (_, seen_ms) = self.seen.filter(|(end, _)| position < *end)?;
        match self.oldest {
            Some((oldest, since)) if oldest == position => Some(since),
            _ => Some(passed_ms.unwrap_or(seen_ms)),
        }
    }
}

/// From now on, the metrics show what this consumer has not finished.
pub(super) fn show(subsystems: &Subsystems, context: &Arc<IntakeContext>) {
    let context: Weak<IntakeContext> = Arc::downgrade(context);
    subsystems.watch(context);
}

impl Unfinished for IntakeContext {
    fn each(&self, look: &mut dyn FnMut(&str, Option<i64>)) {
        self.assigned.each(|topic, number, known| {
            let partition = self.assignments.find(topic, number);
            let arrived = partition.as_ref().and_then(|partition| partition.oldest_ms());
            let waiting = || {
                // A time range is not read to the end.
                if self.range.is_some() {
                    return None;
                }
                let position = partition.as_ref().and_then(|partition| partition.position());
                let passed = partition.as_ref().and_then(|partition| partition.passed_ms());
                known.waiting.since(position.or(known.start)?, passed)
            };
            look(topic, arrived.or_else(waiting));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_not_fetched_waits_since_it_was_first_seen() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.since(5, None), None, "the end is not known");
        waiting.observe(5, 5, Some(900), 1_000);
        assert_eq!(waiting.since(5, Some(900)), None, "nothing waits");
        waiting.observe(5, 7, Some(900), 2_000);
        waiting.observe(5, 9, Some(900), 3_000);
        assert_eq!(
            waiting.since(5, Some(900)),
            Some(2_000),
            "and not since the one before it"
        );
        waiting.observe(9, 9, Some(2_900), 4_000);
        assert_eq!(waiting.since(9, Some(2_900)), None);
    }

    #[test]
    fn what_was_there_when_its_predecessor_waited_is_as_old() {
        let mut waiting = Waiting::default();
        // The backlog of a process that has just started.
        waiting.observe(0, 100, None, 9_000);
        assert_eq!(waiting.since(0, None), Some(9_000));
        assert_eq!(waiting.since(40, Some(1_040)), Some(1_040));
        waiting.observe(40, 100, Some(1_040), 10_000);
        waiting.observe(40, 100, Some(1_040), 11_000);
        assert_eq!(waiting.since(40, Some(1_040)), Some(1_040));
        // Caught up; what came since was not there before.
        waiting.observe(100, 103, Some(1_100), 12_000);
        assert_eq!(waiting.since(100, Some(1_100)), Some(12_000));
        assert_eq!(
            waiting.since(102, None),
            Some(12_000),
            "offsets without messages were passed"
        );
    }
}
