//! The metrics of salmock. A test holds this file and the table of docs/metrics.md together.

use prometheus::{IntCounter, Registry};
use stage::metrics::{MetricsError, Subsystems, counter, sampled_gauges};

/// Handles of the metrics.
#[derive(Debug, Clone)]
pub struct SalmockMetrics {
    /// Messages that the broker has acknowledged.
    pub produced: IntCounter,
    /// By subsystem: the newest acknowledged message.
    pub subsystems: Subsystems,
}

impl SalmockMetrics {
    /// Registers them.
    pub fn register(r: &Registry) -> Result<Self, MetricsError> {
        let subsystems = Subsystems::new(sal::name::subsystem);
        sampled_gauges(
            r,
            "salmock_last_message_timestamp_seconds",
            "Unix time of the newest acknowledged message",
            &["subsystem"],
            subsystems.newest(),
        )?;
        Ok(Self {
            produced: counter(
                r,
                "salmock_produced_total",
                "mock messages acknowledged by the broker",
            )?,
            subsystems,
        })
    }
}
