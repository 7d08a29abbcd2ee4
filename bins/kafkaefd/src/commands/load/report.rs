//! What a load came to: rates, latency, and whether anything was lost.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::terminal::{Cell, Table, bad, count, good, span};
use operator::failure::Failure;

/// The report of a run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) topics: usize,
    pub(super) producers: usize,
    pub(super) size: usize,
    /// How long was sent, in seconds.
    pub(super) seconds: f64,
    /// Whether somebody ended it early.
    pub(super) ended_early: bool,
    /// Messages a second: what was asked for, what the brokers took, what came out again.
    pub(super) wanted_per_second: f64,
    pub(super) acknowledged_per_second: f64,
    pub(super) received_per_second: f64,
    /// Messages.
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    /// Those that the brokers did not take.
    pub(super) failed: u64,
    pub(super) received: u64,
    /// Those that came more than once.
    pub(super) repeated: u64,
    /// Those that were sent and never came.
    pub(super) lost: u64,
    pub(super) latency: Latency,
}

/// Seconds from the moment that a message was due until a consumer had it; null where none came.
#[derive(Debug, Default, Serialize)]
pub(super) struct Latency {
    pub(super) p50: Option<f64>,
    pub(super) p90: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) max: Option<f64>,
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
    /// Whether all that was sent has come.
    pub(super) fn is_whole(&self) -> bool {
        self.lost == 0 && self.failed == 0
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut rates = Table::new(["", "MESSAGES", "PER SECOND", "MB/S"]);
        let mut row = |name: &str, messages: u64, rate: f64| {
            rates.row([
                Cell::text(name),
                Cell::count(messages),
                Cell::right(format!("{rate:.1}")),
                Cell::right(format!("{:.2}", rate * self.size as f64 / 1e6)),
            ]);
        };
        row("wanted", self.sent, self.wanted_per_second);
        row("acknowledged", self.acknowledged, self.acknowledged_per_second);
        row("received", self.received, self.received_per_second);
        let mut latency = Table::new(["LATENCY", "P50", "P90", "P99", "MAX"]);
        let cell = |seconds: Option<f64>| Cell::right(seconds.map_or_else(|| "-".to_owned(), span));
        latency.row([
            Cell::text("due to received"),
            cell(self.latency.p50),
            cell(self.latency.p90),
            cell(self.latency.p99),
            cell(self.latency.max),
        ]);
        format!("{rates}\n\n{latency}\n\n{}", self.verdict())
    }

    fn verdict(&self) -> String {
        let mut parts = Vec::new();
        if self.failed > 0 {
            parts.push(bad(format!("{} not taken by the brokers", count(self.failed))));
        }
        if self.lost > 0 {
            parts.push(bad(format!("{} lost", count(self.lost))));
        }
        if self.repeated > 0 {
            parts.push(format!("{} came more than once", count(self.repeated)));
        }
        if parts.is_empty() {
            parts.push(good("nothing was lost"));
        }
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_is_missing() {
        let mut report = Report {
            latency: Latency::of(&histogram().unwrap()),
            ..Report::default()
        };
        assert!(report.is_whole() && report.table().contains("nothing was lost"));
        assert_eq!(report.latency.p50, None);
        report.lost = 1_234;
        assert!(!report.is_whole() && report.table().contains("1,234 lost"));
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
