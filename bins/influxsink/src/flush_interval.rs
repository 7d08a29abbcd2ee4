//! How long a batch that is not full waits for more points: the place between batch and [`crate::in_flight`].
//!
//! Every request costs the database some milliseconds, however few points it has. A wait in proportion to the time of its
//! answers keeps it free for most of the time, without a longer wait than that takes.

use std::time::Duration;

/// The longest wait that follows the database's answers, and the one before its first answer.
const MAX_ADAPTIVE_INTERVAL: Duration = Duration::from_millis(100);
/// The shortest one: points of one Kafka request usually come within it.
const MIN_ADAPTIVE_INTERVAL: Duration = Duration::from_millis(2);
/// A batch waits for this many times as long as an answer takes: the requests of a worker keep the database busy for at
/// most a quarter of the time.
const ANSWERS: u32 = 3;

/// How long the oldest point of a batch waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlushInterval {
    /// As long as the database's answers demand, at most 0.1 s.
    Adaptive,
    /// This long.
    Fixed(Duration),
}

impl FlushInterval {
    /// The shortest wait that is worth looking for.
    #[must_use]
    pub(crate) fn shortest(self) -> Duration {
        match self {
            Self::Fixed(interval) => interval,
            Self::Adaptive => MIN_ADAPTIVE_INTERVAL,
        }
    }

    /// The wait, if the database's answers take this long.
    #[must_use]
    pub(crate) fn after(self, answer_time: Option<Duration>) -> Duration {
        match self {
            Self::Fixed(interval) => interval,
            Self::Adaptive => answer_time.map_or(MAX_ADAPTIVE_INTERVAL, |time| {
                time.saturating_mul(ANSWERS)
                    .clamp(MIN_ADAPTIVE_INTERVAL, MAX_ADAPTIVE_INTERVAL)
            }),
        }
    }
}

/// The time that an answer of the database takes: recent ones count more.
#[derive(Debug, Default)]
pub(crate) struct AnswerTime(Option<Duration>);

impl AnswerTime {
    /// Notes how long a batch was in flight.
    pub(crate) fn note(&mut self, time: Duration) {
        self.0 = Some(
            self.0
                .map_or(time, |so_far| (so_far * 3).saturating_add(time) / 4),
        );
    }

    /// None before the first answer.
    pub(crate) fn get(&self) -> Option<Duration> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_wait_follows_the_answers_up_to_a_limit() {
        let adaptive = FlushInterval::Adaptive;
        assert_eq!(adaptive.after(None), MAX_ADAPTIVE_INTERVAL);
        assert_eq!(adaptive.after(Some(3 * MS)), 9 * MS);
        assert_eq!(adaptive.after(Some(Duration::ZERO)), MIN_ADAPTIVE_INTERVAL);
        assert_eq!(adaptive.after(Some(80 * MS)), MAX_ADAPTIVE_INTERVAL);
        assert_eq!(adaptive.after(Some(Duration::MAX)), MAX_ADAPTIVE_INTERVAL);
        assert_eq!(FlushInterval::Fixed(MS).after(Some(80 * MS)), MS);
    }

    #[test]
    fn one_slow_answer_is_soon_forgotten() {
        let mut time = AnswerTime::default();
        assert_eq!(time.get(), None);
        time.note(4 * MS);
        assert_eq!(time.get(), Some(4 * MS));
        time.note(200 * MS);
        assert!(time.get() > Some(50 * MS));
        for _ in 0..20 {
            time.note(4 * MS);
        }
        assert!(time.get() < Some(5 * MS), "{time:?}");
    }
}
