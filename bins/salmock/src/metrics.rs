//! The metrics of salmock. A test holds this file and the README's table together.

use prometheus::{IntCounter, Registry};
use stage::metrics::{MetricsError, counter};

/// Handles of the metrics.
#[derive(Debug, Clone)]
pub struct SalmockMetrics {
    /// Messages that the broker has acknowledged.
    pub produced: IntCounter,
}

impl SalmockMetrics {
    /// Registers them.
    pub fn register(r: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            produced: counter(
                r,
                "salmock_produced_total",
                "mock messages acknowledged by the broker",
            )?,
        })
    }
}
