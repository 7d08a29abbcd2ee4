//! What a stage consumed since it started and what became of it: produced or written, a dead letter, skipped, or still in
//! flight. The four add up to what it consumed; nobody else can check that.

use serde::Serialize;

use super::prometheus_text::{Metrics, pairs};

/// What a stage consumed, and what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StageCounts {
    /// Messages that it consumed.
    pub consumed: u64,
    /// Records acknowledged, or points written.
    pub finished: u64,
    /// Messages that became dead letters.
    pub dead_letters: u64,
    /// Messages that carry nothing.
    pub skipped: u64,
    /// Messages consumed and not finished.
    pub in_flight: u64,
}

/// How many messages a step refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterCount {
    /// The step: `parse`.
    pub step: String,
    /// The reason: `bad_header`.
    pub reason: String,
    /// How many.
    pub count: u64,
}

impl StageCounts {
    /// That of a stage's metrics; none of a stage that consumes nothing.
    pub(super) fn read(metrics: &Metrics, stage: &str, input: &str, output: &str) -> Option<Self> {
        // Counts stay far below 2^53 and are therefore exact.
        let count = |name: &str| metrics.sum(name).unwrap_or_default() as u64;
        (!input.is_empty()).then(|| Self {
            consumed: count(input),
            finished: count(output),
            dead_letters: count(&format!("{stage}_dead_letters_total")),
            skipped: count(&format!("{stage}_skipped_total")),
            in_flight: count("kafka_in_flight_messages"),
        })
    }

    /// Messages of which nothing is known: consumed, and neither finished nor in flight. The counters are read one after
    /// the other, so that a few are seen in two states or in none while messages flow.
    pub fn unaccounted(&self) -> i64 {
        let known = self.finished + self.dead_letters + self.skipped + self.in_flight;
        i64::try_from(i128::from(self.consumed) - i128::from(known)).unwrap_or(i64::MAX)
    }

    /// What the counters leave over: consumed and not finished. The gauge of what is in flight is read a moment before or after
    /// them.
    pub fn unfinished(&self) -> u64 {
        let done = self.finished + self.dead_letters + self.skipped;
        self.consumed.saturating_sub(done)
    }

    /// The sum of two processes of one stage.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            consumed: self.consumed + other.consumed,
            finished: self.finished + other.finished,
            dead_letters: self.dead_letters + other.dead_letters,
            skipped: self.skipped + other.skipped,
            in_flight: self.in_flight + other.in_flight,
        }
    }
}

impl DeadLetterCount {
    /// Those of a stage's metrics, the most frequent first; reasons that never occurred are left out.
    pub(super) fn read(text: &str, stage: &str) -> Vec<Self> {
        let found = pairs(text, &format!("{stage}_dead_letters_total"), ["stage", "reason"]);
        let mut counts: Vec<Self> = found
            .into_iter()
            .map(|([step, reason], count)| Self {
                step,
                reason,
                count: count as u64,
            })
            .filter(|found| found.count > 0)
            .collect();
        counts.sort_by(|one, other| other.count.cmp(&one.count).then(one.reason.cmp(&other.reason)));
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_consumed_is_accounted_for() {
        let text = "s_consumed_total 10\ns_produced_total 6\n\
                    s_dead_letters_total{reason=\"a\",stage=\"parse\"} 1\n\
                    s_dead_letters_total{reason=\"b\",stage=\"parse\"} 0\n\
                    s_dead_letters_total{reason=\"c\",stage=\"encode\"} 2\nkafka_in_flight_messages 1\n";
        let counted =
            StageCounts::read(&Metrics::read(text), "s", "s_consumed_total", "s_produced_total").unwrap();
        assert_eq!(counted.dead_letters, 3);
        assert_eq!(counted.unaccounted(), 0);
        let lost = StageCounts {
            consumed: 11,
            ..counted
        };
        assert_eq!(lost.unaccounted(), 1);
        let counts = DeadLetterCount::read(text, "s");
        let counts: Vec<_> = counts
            .iter()
            .map(|found| (found.step.as_str(), found.count))
            .collect();
        assert_eq!(counts, [("encode", 2), ("parse", 1)]);
    }
}
