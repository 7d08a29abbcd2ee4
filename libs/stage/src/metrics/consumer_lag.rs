//! The metric of the lag by partition. An observatory has thousands of topics, so that the number of series is limited:
//! beyond the limit, the partitions with the least lag share one series.
//!
//! The partition with the most lag always has a series of its own, and the sum over all series is the lag of all
//! partitions. Otherwise a partition keeps its series until another is more than twice as far behind, plus a margin: lags
//! of a few messages come and go with each scrape, and series that do so make a time series database slow.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::OTHER;
use super::register::Sample;
use crate::lock;

/// The default of `--max-lag-series`.
pub const MAX_LAG_SERIES: usize = 1_000;
/// Differences of this many messages take no partition its series.
const MARGIN: i64 = 100;

/// The lags of all assigned partitions, and which of them have a series of their own.
#[derive(Debug, Clone)]
pub struct ConsumerLag(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// By topic and partition.
    partitions: Mutex<BTreeMap<(String, i32), Lag>>,
    max_series: AtomicUsize,
}

#[derive(Debug, Default)]
struct Lag {
    messages: i64,
    has_series: bool,
}

impl Default for ConsumerLag {
    fn default() -> Self {
        Self(Arc::new(Shared {
            partitions: Mutex::default(),
            max_series: MAX_LAG_SERIES.into(),
        }))
    }
}

impl ConsumerLag {
    /// Limits the number of partitions with a series of their own.
    pub fn limit(&self, max_series: usize) {
        self.0.max_series.store(max_series, Ordering::Relaxed);
    }

    /// Sets the lag of a partition.
    pub fn set(&self, topic: &str, partition: i32, messages: i64) {
        let mut partitions = lock(&self.0.partitions);
        partitions
            .entry((topic.to_owned(), partition))
            .or_default()
            .messages = messages;
    }

    /// The lag of a partition, if it is known.
    pub fn get(&self, topic: &str, partition: i32) -> Option<i64> {
        let partitions = lock(&self.0.partitions);
        partitions
            .get(&(topic.to_owned(), partition))
            .map(|lag| lag.messages)
    }

    /// A partition is no longer assigned.
    pub fn remove(&self, topic: &str, partition: i32) {
        lock(&self.0.partitions).remove(&(topic.to_owned(), partition));
    }

    /// The series, by topic and partition.
    pub(super) fn sample(&self) -> Vec<Sample> {
        let mut partitions = lock(&self.0.partitions);
        let max_series = self.0.max_series.load(Ordering::Relaxed);
        let worst = partitions
            .iter()
            .max_by_key(|(place, lag)| (lag.messages, lag.has_series, Reverse(*place)))
            .map(|(place, _)| place.clone());
        let mut ranked: Vec<_> = partitions.iter_mut().collect();
        // Unless there are too many, all have one, in the order of their names.
        if ranked.len() > max_series {
            ranked.sort_by_cached_key(|(place, lag)| {
                let rank = if lag.has_series {
                    lag.messages.saturating_mul(2).saturating_add(MARGIN)
                } else {
                    lag.messages
                };
                let is_worst = Some(*place) == worst.as_ref();
                Reverse((is_worst, rank, lag.has_series, Reverse((*place).clone())))
            });
        }
        let mut samples = Vec::new();
        let mut others = None;
        for (index, ((topic, partition), lag)) in ranked.into_iter().enumerate() {
            lag.has_series = index < max_series;
            if lag.has_series {
                samples.push((vec![topic.clone(), partition.to_string()], lag.messages as f64));
            } else {
                *others.get_or_insert(0.0) += lag.messages as f64;
            }
        }
        samples.extend(others.map(|sum| (vec![OTHER.to_owned(), String::new()], sum)));
        samples
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PARTITIONS: i32 = 10_000;

    /// Topics of two partitions.
    fn place(number: i32) -> (String, i32) {
        (format!("lsst.sal.Test_{:04}", number / 2), number % 2)
    }

    fn set(lags: &ConsumerLag, number: i32, messages: i64) {
        let (topic, partition) = place(number);
        lags.set(&topic, partition, messages);
    }

    fn names(samples: &[Sample]) -> BTreeSet<Vec<String>> {
        samples.iter().map(|(labels, _)| labels.clone()).collect()
    }

    fn name(number: i32) -> Vec<String> {
        let (topic, partition) = place(number);
        vec![topic, partition.to_string()]
    }

    fn total(samples: &[Sample]) -> f64 {
        samples.iter().map(|(_, lag)| lag).sum()
    }

    #[test]
    fn ten_thousand_partitions_have_a_thousand_series_the_worst_among_them() {
        let lags = ConsumerLag::default();
        for number in 0..PARTITIONS {
            set(&lags, number, i64::from(number));
        }
        let samples = lags.sample();
        assert_eq!(samples.len(), MAX_LAG_SERIES + 1);
        assert_eq!(total(&samples), f64::from(PARTITIONS * (PARTITIONS - 1) / 2));
        let (labels, rest) = samples.last().unwrap();
        assert_eq!(labels, &[OTHER, ""]);
        assert_eq!(*rest, f64::from((0..9_000).sum::<i32>()));
        let worst: BTreeSet<_> = (9_000..PARTITIONS).map(name).collect();
        assert!(names(&samples).is_superset(&worst));
    }

    #[test]
    fn series_stay_while_lags_change_a_little() {
        let lags = ConsumerLag::default();
        let jitter = |turn: i32| {
            for number in 0..PARTITIONS {
                set(&lags, number, i64::from((number * 7 + turn * 13) % 90));
            }
        };
        jitter(0);
        let first = names(&lags.sample());
        assert_eq!(names(&lags.sample()), first, "a second scrape sees the same");
        for turn in 1..20 {
            jitter(turn);
            // The worst always has a series.
            let changed = names(&lags.sample()).difference(&first).count();
            assert!(
                changed <= turn as usize,
                "{changed} series are new after {turn} turns"
            );
        }
        set(&lags, 9_999, 500);
        assert!(
            names(&lags.sample()).contains(&name(9_999)),
            "far behind the others"
        );
        lags.remove(&place(9_999).0, place(9_999).1);
        assert!(
            !names(&lags.sample()).contains(&name(9_999)),
            "it is no longer assigned"
        );
    }

    #[test]
    fn the_limit_can_be_any_number() {
        let lags = ConsumerLag::default();
        for number in 0..3 {
            set(&lags, number, 5);
        }
        assert_eq!(lags.sample().len(), 3, "none is left for the others");
        lags.limit(2);
        let samples = lags.sample();
        assert_eq!(samples[2], (vec![OTHER.to_owned(), String::new()], 5.0));
        lags.limit(0);
        assert_eq!(lags.sample(), [(vec![OTHER.to_owned(), String::new()], 15.0)]);
        assert_eq!(lags.get("lsst.sal.Test_0000", 1), Some(5));
        for number in 0..3 {
            lags.remove(&place(number).0, place(number).1);
        }
        assert!(lags.sample().is_empty());
    }
}
