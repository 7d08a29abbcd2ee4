//! Checks that the counts add up: messages produced, processed by each stage, and stored in the database.

use std::time::Duration;

use super::metrics::Sample;
use super::store::LastValue;

/// One stage's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) struct Stage {
    pub(super) consumed: u64,
    /// Records acknowledged, or points written.
    pub(super) produced: u64,
    pub(super) dead_letters: u64,
    /// Messages that carry nothing.
    pub(super) skipped: u64,
}

/// The result of a demo.
#[derive(serde::Serialize)]
pub(super) struct Reconciliation {
    pub(super) seconds: f64,
    pub(super) salmock_produced: u64,
    pub(super) saltransform: Stage,
    pub(super) influxsink: Stage,
    /// Records in the database.
    pub(super) in_database: u64,
    pub(super) transform_p50_us: Option<f64>,
    pub(super) transform_p99_us: Option<f64>,
    pub(super) age_p50_ms: Option<f64>,
    pub(super) age_p99_ms: Option<f64>,
    pub(super) last_values: Vec<LastValue>,
    /// Counts that do not add up; empty if all do.
    pub(super) faults: Vec<String>,
}

impl Reconciliation {
    pub(super) fn new(
        produced: u64,
        end: Sample,
        in_database: u64,
        last_values: Vec<LastValue>,
        ran: Duration,
    ) -> Self {
        let stage = |name: &str, good: &str| Stage {
            consumed: end.count(&format!("{name}_consumed_total")),
            produced: end.count(&format!("{name}_{good}_total")),
            dead_letters: end.count(&format!("{name}_dead_letters_total")),
            skipped: end.count(&format!("{name}_skipped_total")),
        };
        let quantile = |name: &str, q, unit| end.histogram(name).quantile(q).map(|seconds| seconds * unit);
        let mut reconciliation = Self {
            seconds: ran.as_secs_f64(),
            salmock_produced: produced,
            saltransform: stage("saltransform", "produced"),
            influxsink: stage("influxsink", "written"),
            in_database,
            transform_p50_us: quantile("saltransform_transform_seconds", 0.5, 1e6),
            transform_p99_us: quantile("saltransform_transform_seconds", 0.99, 1e6),
            age_p50_ms: quantile("influxsink_point_age_seconds", 0.5, 1e3),
            age_p99_ms: quantile("influxsink_point_age_seconds", 0.99, 1e3),
            last_values,
            faults: Vec::new(),
        };
        reconciliation.faults = reconciliation.check();
        reconciliation
    }

    /// Whether no record is missing or duplicated.
    pub(super) fn adds_up(&self) -> bool {
        self.faults.is_empty()
    }

    fn check(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut same = |what: &str, left: u64, right: u64| {
            if left != right {
                faults.push(format!("{what}: {left} and {right}"));
            }
        };
        let (transform, sink) = (&self.saltransform, &self.influxsink);
        same(
            "salmock produced and saltransform consumed",
            self.salmock_produced,
            transform.consumed,
        );
        same(
            "saltransform consumed and finished",
            transform.consumed,
            transform.finished(),
        );
        same(
            "saltransform produced and influxsink consumed",
            transform.produced,
            sink.consumed,
        );
        same("influxsink consumed and finished", sink.consumed, sink.finished());
        same(
            "influxsink wrote and the database holds",
            sink.produced,
            self.in_database,
        );
        same(
            "salmock produced and the database holds",
            self.salmock_produced,
            self.in_database,
        );
        if self.salmock_produced == 0 {
            faults.push("nothing was produced".to_owned());
        }
        faults
    }
}

impl Stage {
    fn finished(&self) -> u64 {
        self.produced + self.dead_letters + self.skipped
    }
}
