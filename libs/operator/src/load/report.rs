//! The result of a load: rates, latency, and whether anything was lost.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::failure::Failure;

/// The report of a run.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How many topics there were.
    pub topics: usize,
    /// How many producers sent.
    pub producers: usize,
    /// The size of a message in bytes.
    pub size: usize,
    /// How long messages were sent, in seconds.
    pub seconds: f64,
    /// Whether it was stopped before its end.
    pub ended_early: bool,
    /// Messages per second that were requested.
    pub wanted_per_second: f64,
    /// Messages per second that the brokers acknowledged.
    pub acknowledged_per_second: f64,
    /// Messages per second that the consumers received.
    pub received_per_second: f64,
    /// Messages that were sent.
    pub sent: u64,
    /// Messages that the brokers acknowledged.
    pub acknowledged: u64,
    /// Messages that the brokers did not acknowledge.
    pub failed: u64,
    /// Different messages that the consumers received.
    pub received: u64,
    /// Messages that they received more than once.
    pub repeated: u64,
    /// Messages that were acknowledged and never received.
    pub lost: u64,
    /// How long messages took.
    pub latency: Latency,
}

/// Seconds from when a message was due until a consumer received it; none if no message arrived.
#[derive(Debug, Default, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: Option<f64>,
    /// The 90th percentile.
    pub p90: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

impl Latency {
    pub(super) fn of(micros: &Histogram<u64>) -> Self {
        let at = |value: u64| (!micros.is_empty()).then_some(value as f64 / 1e6);
        Self {
            p50: at(micros.value_at_quantile(0.5)),
            p90: at(micros.value_at_quantile(0.9)),
            p99: at(micros.value_at_quantile(0.99)),
            max: at(micros.max()),
        }
    }
}

/// For microseconds up to an hour, with three digits.
pub(super) fn histogram() -> Result<Histogram<u64>, Failure> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3).map_err(|error| Failure::Usage(error.to_string()))
}

impl Report {
    /// Whether all messages that were sent have arrived.
    pub fn is_whole(&self) -> bool {
        self.lost == 0 && self.failed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_knows_what_is_missing() {
        let mut report = Report {
            latency: Latency::of(&histogram().unwrap()),
            ..Report::default()
        };
        assert!(report.is_whole());
        assert_eq!(report.latency.p50, None);
        report.lost = 1_234;
        assert!(!report.is_whole());
    }

    #[test]
    fn quantiles_are_in_seconds() {
        let mut micros = histogram().unwrap();
        for value in 1..=100 {
            micros.saturating_record(value * 1_000);
        }
        let latency = Latency::of(&micros);
        assert!((latency.p50.unwrap() - 0.05).abs() < 1e-3);
        assert!((latency.max.unwrap() - 0.1).abs() < 1e-3);
    }
}
