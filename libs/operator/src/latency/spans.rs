//! How long each step took: a distribution for each step of each topic.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::timestamps::Timestamps;

/// Most timestamps are truncated to milliseconds, so the later of two within one millisecond may appear to be the earlier.
const ROUNDING: i64 = 2_000;

/// A step of a message between SAL and its Avro topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// From SAL's creation of the message to SAL's Kafka producer.
    Sal,
    /// From there to Kafka's timestamp of the text.
    Text,
    /// From there to saltransform's record.
    Transform,
    /// From there to Kafka's timestamp of the record.
    Avro,
    /// From SAL's creation of the message to Kafka's timestamp of the record.
    Total,
}

impl Step {
    /// All steps in their order; the total last.
    pub const ALL: [Self; 5] = [Self::Sal, Self::Text, Self::Transform, Self::Avro, Self::Total];

    /// What it begins and ends with.
    pub fn description(self) -> &'static str {
        match self {
            Self::Sal => "created to ingested (SAL)",
            Self::Text => "ingested to text topic",
            Self::Transform => "text topic to transformed (saltransform)",
            Self::Avro => "transformed to Avro topic",
            Self::Total => "created to Avro topic (in all)",
        }
    }

    fn of(self, times: &Timestamps) -> Option<i64> {
        let (from, to) = match self {
            Self::Sal => (times.created, times.ingested),
            Self::Text => (times.ingested, times.text),
            Self::Transform => (times.text, times.transformed),
            Self::Avro => (times.transformed, times.produced),
            Self::Total => (times.created, times.produced),
        };
        to?.checked_sub(from?)
    }
}

/// Distributions by step, in microseconds.
#[derive(Debug, Default)]
pub struct Spans {
    /// Records that were read.
    pub records: u64,
    steps: BTreeMap<Step, Distribution>,
}

#[derive(Debug, Clone)]
struct Distribution {
    micros: Histogram<u64>,
    backwards: u64,
}

/// A distribution in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Quantiles {
    /// Messages with both timestamps of the step.
    pub messages: u64,
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The longest.
    pub max: f64,
    /// Messages whose later timestamp is before the earlier one, as two clocks differ. They count as 0 seconds.
    pub backwards: u64,
}

impl Spans {
    /// Adds a record.
    pub fn add(&mut self, times: &Timestamps) {
        self.records += 1;
        for step in Step::ALL {
            let Some(micros) = step.of(times) else { continue };
            let Some(found) = self.distribution(step) else {
                continue;
            };
            found.backwards += u64::from(micros < -ROUNDING);
            // The histogram grows as needed; what exceeds its limit is longer than any machine has run.
            let _ = found.micros.record(u64::try_from(micros).unwrap_or(0));
        }
    }

    /// Adds those of another topic.
    pub fn merge(&mut self, other: &Self) {
        self.records += other.records;
        for (step, theirs) in &other.steps {
            let Some(ours) = self.distribution(*step) else {
                continue;
            };
            ours.backwards += theirs.backwards;
            // Both grow as needed, so that this cannot fail.
            let _ = ours.micros.add(&theirs.micros);
        }
    }

    /// The quantiles of a step; none if no record has both of its timestamps.
    pub fn quantiles(&self, step: Step) -> Option<Quantiles> {
        let Distribution { micros, backwards } = self.steps.get(&step)?;
        let seconds = |micros: u64| micros as f64 / 1e6;
        Some(Quantiles {
            messages: micros.len(),
            p50: seconds(micros.value_at_quantile(0.5)),
            p90: seconds(micros.value_at_quantile(0.9)),
            p99: seconds(micros.value_at_quantile(0.99)),
            max: seconds(micros.max()),
            backwards: *backwards,
        })
    }

    /// How many messages took between `from` and `to` seconds.
    pub fn between(&self, step: Step, from: f64, to: f64) -> u64 {
        let Some(Distribution { micros, .. }) = self.steps.get(&step) else {
            return 0;
        };
        micros
            .iter_recorded()
            .filter(|value| {
                let seconds = value.value_iterated_to() as f64 / 1e6;
                from <= seconds && seconds < to
            })
            .map(|value| value.count_at_value())
            .sum()
    }

    fn distribution(&mut self, step: Step) -> Option<&mut Distribution> {
        match self.steps.entry(step) {
            Entry::Occupied(found) => Some(found.into_mut()),
            Entry::Vacant(empty) => {
                // Two significant digits keep the memory for each topic small.
                let mut micros = Histogram::new_with_max(1_000_000, 2).ok()?;
                micros.auto(true);
                Some(empty.insert(Distribution { micros, backwards: 0 }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_its_own_span() {
        let mut spans = Spans::default();
        spans.add(&Timestamps {
            created: Some(1_000_000),
            ingested: Some(1_010_000),
            text: Some(1_000_000),
            transformed: Some(1_200_000),
            produced: Some(1_500_000),
            sequence: None,
        });
        spans.add(&Timestamps {
            created: Some(1_000_000),
            ..Timestamps::default()
        });
        assert_eq!(spans.records, 2);
        let sal = spans.quantiles(Step::Sal).unwrap();
        assert_eq!((sal.messages, sal.backwards), (1, 0));
        assert!((sal.p50 - 0.01).abs() < 2e-4, "{sal:?}");
        let text = spans.quantiles(Step::Text).unwrap();
        assert_eq!((text.backwards, text.max), (1, 0.0), "the clocks differ");
        assert!((spans.quantiles(Step::Total).unwrap().p99 - 0.5).abs() < 0.01);
        let mut all = Spans::default();
        all.merge(&spans);
        all.merge(&spans);
        assert_eq!(all.quantiles(Step::Avro).unwrap().messages, 2);
        assert_eq!(all.between(Step::Total, 0.4, 0.6), 2);
        assert_eq!(all.between(Step::Total, 0.6, 1.0), 0);
    }
}
