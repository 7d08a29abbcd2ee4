//! The stages' metrics at one moment: what the live line, the table and the check are made from.

use std::collections::BTreeMap;
use std::time::Instant;

use operator::histogram::Times;
use prometheus::proto::MetricType;
use stage::service::Service;

use super::stages::Stages;

/// The counts and times of all three stages.
pub(super) struct Sample {
    at: Instant,
    counts: BTreeMap<String, u64>,
    times: BTreeMap<String, Times>,
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
                            sample.times.insert(family.name().to_owned(), Times::new(buckets));
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
