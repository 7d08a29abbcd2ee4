//! A sample of the stages' metrics, from which the live line, the table and the reconciliation are computed.

use std::time::Instant;

use operator::histogram::BucketHistogram;
use operator::stages::Metrics;
use prometheus::TextEncoder;
use stage::service::Service;

/// The metrics of all three stages at one time.
pub(super) struct Sample {
    at: Instant,
    metrics: Metrics,
}

impl Sample {
    /// Reads the metrics of services, which may have ended.
    pub(super) fn of_services<'a>(services: impl Iterator<Item = &'a Service>) -> Self {
        let families: Vec<_> = services.flat_map(|service| service.metrics.gather()).collect();
        // What a registry gathers can always be encoded.
        let text = TextEncoder::new().encode_to_string(&families).unwrap_or_default();
        Self {
            at: Instant::now(),
            metrics: Metrics::read(&text),
        }
    }

    /// A counter's value, summed over its labels.
    pub(super) fn count(&self, name: &str) -> u64 {
        // Counts stay far below 2^53 and are therefore exact.
        self.metrics.sum(name).unwrap_or_default() as u64
    }

    /// A counter's increase per second since an earlier sample.
    pub(super) fn rate(&self, name: &str, earlier: &Self) -> f64 {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64();
        (self.count(name) - earlier.count(name)) as f64 / seconds.max(1e-9)
    }

    /// A histogram's observations since the start.
    pub(super) fn histogram(&self, name: &str) -> BucketHistogram {
        self.metrics.histogram(name)
    }

    /// A histogram's observations since an earlier sample.
    pub(super) fn histogram_since(&self, name: &str, earlier: &Self) -> BucketHistogram {
        self.histogram(name).since(&earlier.histogram(name))
    }

    /// Whether both stages have finished everything that was produced.
    pub(super) fn has_processed(&self, produced: u64) -> bool {
        let finished = |stage: &str, good: &str| {
            self.count(&format!("{stage}_{good}_total"))
                + self.count(&format!("{stage}_dead_letters_total"))
                + self.count(&format!("{stage}_skipped_total"))
        };
        finished("saltransform", "produced") >= produced
            && finished("influxsink", "written") >= self.count("saltransform_produced_total")
    }
}
