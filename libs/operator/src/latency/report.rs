//! Quantiles of each step, for all topics together and for each.

use serde::Serialize;

use super::Query;
use super::read::Window;
use super::spans::{Quantiles, Spans, Step};
use crate::histogram::BucketHistogram;

/// What a window held.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it begins, RFC 3339 in UTC.
    pub from: String,
    /// Where it ends, RFC 3339 in UTC.
    pub to: String,
    /// SAL records of all topics.
    pub records: u64,
    /// Messages that are not SAL records.
    pub others: u64,
    /// Partitions that were not read to their end.
    pub unread_partitions: usize,
    /// All topics together.
    pub all: Steps,
    /// None if influxsink was not asked, or has written nothing.
    pub database: Option<Age>,
    /// By name; only topics with SAL records.
    pub topics: Vec<TopicRow>,
}

/// How old points were when the database stored them, in seconds: all since influxsink started.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Age {
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
}

/// The quantiles of each [`Step`]; none where no record has both timestamps.
#[derive(Debug, Serialize)]
pub struct Steps {
    sal: Option<Quantiles>,
    text: Option<Quantiles>,
    transform: Option<Quantiles>,
    avro: Option<Quantiles>,
    total: Option<Quantiles>,
}

/// One topic.
#[derive(Debug, Serialize)]
pub struct TopicRow {
    /// Its name.
    pub topic: String,
    /// Its SAL records.
    pub records: u64,
    /// Their steps.
    #[serde(flatten)]
    pub steps: Steps,
}

impl Age {
    fn of(age: &BucketHistogram) -> Option<Self> {
        Some(Self {
            p50: age.quantile(0.5)?,
            p90: age.quantile(0.9)?,
            p99: age.quantile(0.99)?,
        })
    }
}

impl Steps {
    fn of(spans: &Spans) -> Self {
        Self {
            sal: spans.quantiles(Step::Sal),
            text: spans.quantiles(Step::Text),
            transform: spans.quantiles(Step::Transform),
            avro: spans.quantiles(Step::Avro),
            total: spans.quantiles(Step::Total),
        }
    }

    /// The quantiles of a step.
    pub fn get(&self, step: Step) -> Option<&Quantiles> {
        match step {
            Step::Sal => self.sal.as_ref(),
            Step::Text => self.text.as_ref(),
            Step::Transform => self.transform.as_ref(),
            Step::Avro => self.avro.as_ref(),
            Step::Total => self.total.as_ref(),
        }
    }
}

impl Report {
    /// Summarizes a window; `age` is that of [`crate::stages::point_age`].
    pub fn new(query: &Query, window: &Window, age: &BucketHistogram) -> Self {
        let mut all = Spans::default();
        window.topics.values().for_each(|spans| all.merge(spans));
        Self {
            from: query.from.to_string(),
            to: query.to.to_string(),
            records: all.records,
            others: window.others,
            unread_partitions: window.unread,
            all: Steps::of(&all),
            database: Age::of(age),
            topics: window
                .topics
                .iter()
                .map(|(topic, spans)| TopicRow {
                    topic: topic.clone(),
                    records: spans.records,
                    steps: Steps::of(spans),
                })
                .collect(),
        }
    }
}
