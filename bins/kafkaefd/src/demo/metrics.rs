//! The stages' metrics at one moment: what the live line, the table and the check are made from.

use std::collections::BTreeMap;
use std::time::Instant;

use prometheus::proto::MetricType;
use stage::service::Service;

use super::stages::Stages;

/// The counts and times of all three stages.
pub(super) struct Sample {
    at: Instant,
    counts: BTreeMap<String, u64>,
    times: BTreeMap<String, Times>,
}

/// A histogram: cumulative counts by upper bound in seconds.
#[derive(Clone, Default, Debug)]
pub(crate) struct Times {
    buckets: Vec<(f64, u64)>,
}

impl Sample {
    /// Reads the metrics of all stages.
    pub(super) fn of(stages: &Stages) -> Self {
        Self::of_services([&stages.salmock, &stages.saltransform, &stages.influxsink].into_iter())
    }

    /// The same of services that run no more. Labels are summed up: the accounts need totals.
    pub(super) fn of_services<'a>(services: impl Iterator<Item = &'a Service>) -> Self {
        let mut sample = Self {
            at: Instant::now(),
            counts: BTreeMap::new(),
            times: BTreeMap::new(),
        };
        for service in services {
            for family in service.metrics.gather() {
                for metric in family.get_metric() {
                    match family.get_field_type() {
                        MetricType::COUNTER => {
                            let count = sample.counts.entry(family.name().to_owned()).or_default();
                            // Counts stay far below 2^53, so that the float that Prometheus keeps is exact.
                            *count += metric.get_counter().get_value() as u64;
                        }
                        MetricType::HISTOGRAM => {
                            let histogram = metric.get_histogram();
                            let buckets = histogram.get_bucket().iter();
                            let mut buckets: Vec<_> =
                                buckets.map(|b| (b.upper_bound(), b.cumulative_count())).collect();
                            buckets.push((f64::INFINITY, histogram.get_sample_count()));
                            sample.times.insert(family.name().to_owned(), Times { buckets });
                        }
                        _ => {}
                    }
                }
            }
        }
        sample
    }

    /// A counter's value, all labels together.
    pub(super) fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// A counter's increase a second since an earlier sample.
    pub(super) fn rate(&self, name: &str, earlier: &Self) -> f64 {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64();
        (self.count(name) - earlier.count(name)) as f64 / seconds.max(1e-9)
    }

    /// A histogram's observations since the start.
    pub(super) fn times(&self, name: &str) -> Times {
        self.times.get(name).cloned().unwrap_or_default()
    }

    /// A histogram's observations since an earlier sample.
    pub(super) fn times_since(&self, name: &str, earlier: &Self) -> Times {
        self.times(name).since(&earlier.times(name))
    }

    /// Whether everything that was produced has come to its end in both stages.
    pub(super) fn has_carried(&self, produced: u64) -> bool {
        let ended = |stage: &str, good: &str| {
            self.count(&format!("{stage}_{good}_total"))
                + self.count(&format!("{stage}_dead_letters_total"))
                + self.count(&format!("{stage}_skipped_total"))
        };
        ended("saltransform", "produced") >= produced
            && ended("influxsink", "written") >= self.count("saltransform_produced_total")
    }
}

impl Times {
    /// Of cumulative counts by upper bound, the bounds rising to infinity.
    pub(crate) fn new(buckets: Vec<(f64, u64)>) -> Self {
        Self { buckets }
    }

    /// What was observed since an earlier moment; all of it if it was counted anew since.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let before = |index: usize| earlier.buckets.get(index).map_or(0, |bucket| bucket.1);
        let is_anew = self
            .buckets
            .iter()
            .enumerate()
            .any(|(index, (_, count))| *count < before(index));
        let buckets = self.buckets.iter().enumerate().map(|(index, (bound, count))| {
            let before = if is_anew { 0 } else { before(index) };
            (*bound, count - before)
        });
        Self {
            buckets: buckets.collect(),
        }
    }

    /// The time below which the share `q` of the observations lie, as Prometheus' `histogram_quantile` estimates it;
    /// `None` without observations.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        let total = self
            .buckets
            .last()
            .map(|bucket| bucket.1)
            .filter(|total| *total > 0)?;
        let rank = q * total as f64;
        let mut lower = (0.0, 0);
        for &(bound, count) in &self.buckets {
            if count as f64 >= rank {
                if bound.is_infinite() {
                    return Some(lower.0);
                }
                let share = (rank - lower.1 as f64) / (count - lower.1).max(1) as f64;
                return Some(lower.0 + (bound - lower.0) * share);
            }
            lower = (bound, count);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated_as_prometheus_does() {
        let times = Times {
            buckets: vec![(0.1, 50), (0.2, 100), (f64::INFINITY, 100)],
        };
        assert_eq!(times.quantile(0.5), Some(0.1));
        assert!((times.quantile(0.75).unwrap() - 0.15).abs() < 1e-12);
        assert_eq!(Times::default().quantile(0.5), None);
        let beyond = Times {
            buckets: vec![(0.1, 0), (f64::INFINITY, 5)],
        };
        assert_eq!(
            beyond.quantile(0.99),
            Some(0.1),
            "what lies beyond the last bound is at least that"
        );
    }
}
