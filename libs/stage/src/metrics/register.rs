//! Creates a metric and registers it. The names are in the `metrics.rs` of the crate that counts.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::MetricsError;

/// Buckets for the work on one message: 0.5 µs to 16 ms, doubling.
pub fn work_buckets() -> Vec<f64> {
    prometheus::exponential_buckets(0.5e-6, 2.0, 16).unwrap_or_default()
}

/// Buckets for the time through brokers and networks: 0.5 ms to about 4 minutes, doubling.
pub fn transit_buckets() -> Vec<f64> {
    prometheus::exponential_buckets(0.5e-3, 2.0, 20).unwrap_or_default()
}

/// A counter.
pub fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
    let metric = IntCounter::new(name, help)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// A counter with labels. The series `from_start` exist with 0 from the start.
pub fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    from_start: &[&[&str]],
) -> Result<IntCounterVec, MetricsError> {
    let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    for values in from_start {
        metric.get_metric_with_label_values(values)?;
    }
    Ok(metric)
}

/// A gauge.
pub fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
    let metric = IntGauge::new(name, help)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// A gauge with labels.
pub fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, MetricsError> {
    let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// A histogram.
pub fn histogram(
    registry: &Registry,
    name: &str,
    help: &str,
    buckets: Vec<f64>,
) -> Result<Histogram, MetricsError> {
    let metric = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
