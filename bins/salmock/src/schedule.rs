//! When each message is due: the n-th message of a topic at start + offset + n × period, regardless of
//! delays.
//!
//! The times depend only on the start, so a late message does not delay later ones and the rate does not
//! drift. The topics are spread evenly over the period: 100 topics at 1 Hz are one message every 10 ms
//! instead of 100 at once.

use std::time::Duration;

/// A message that is due: its topic and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The index of the topic.
    pub topic: usize,
    /// The time since the start.
    pub at: Duration,
}

/// All messages in the order in which they are due; endless unless a count is set.
#[derive(Debug)]
pub struct Schedule {
    topics: u64,
    period: Duration,
    next: u64,
    end: Option<u64>,
}

impl Schedule {
    /// `count` messages for each of `topics` topics, one per `period`.
    pub fn new(topics: usize, period: Duration, count: Option<u64>) -> Schedule {
        let topics = topics as u64;
        Schedule {
            topics,
            period,
            next: 0,
            end: count.map(|count| count.saturating_mul(topics)),
        }
    }
}

impl Iterator for Schedule {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        if self.topics == 0 || self.end.is_some_and(|end| self.next >= end) {
            return None;
        }
        let (round, topic) = (self.next / self.topics, self.next % self.topics);
        self.next += 1;
        // In nanoseconds with 128 bits: exact, however long it runs.
        let nanos = self.period.as_nanos() * u128::from(round)
            + self.period.as_nanos() * u128::from(topic) / u128::from(self.topics);
        let at = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Some(Due {
            topic: usize::try_from(topic).unwrap_or(usize::MAX),
            at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_spread_over_the_period() {
        let due: Vec<_> = Schedule::new(4, Duration::from_secs(1), Some(2))
            .map(|due| (due.topic, due.at.as_millis()))
            .collect();
        assert_eq!(
            due,
            [
                (0, 0),
                (1, 250),
                (2, 500),
                (3, 750),
                (0, 1000),
                (1, 1250),
                (2, 1500),
                (3, 1750)
            ]
        );
    }

    #[test]
    fn the_nth_message_is_due_at_n_periods() {
        // The period per topic is not a whole number of nanoseconds: the remainder must not accumulate.
        let period = Duration::from_millis(100);
        let last = Schedule::new(3, period, Some(1_000_000))
            .filter(|due| due.topic == 2)
            .last()
            .unwrap();
        assert_eq!(last.at, period * 999_999 + Duration::from_nanos(66_666_666));
    }

    #[test]
    fn without_topics_nothing_is_due() {
        assert_eq!(Schedule::new(0, Duration::from_secs(1), None).next(), None);
    }
}
