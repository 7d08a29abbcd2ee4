//! Creates a metric and registers it. The names are in the `metrics.rs` of the crate that counts.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
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

/// One series of a sampled metric: the values of its labels, and its own.
pub type Sample = (Vec<String>, f64);

/// A gauge with labels whose series are those that `sample` returns when it is scraped: what is gone has no series.
pub fn sampled_gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    sample: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
) -> Result<(), MetricsError> {
    let opts = Opts::new(name, help);
    let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    let gauges = move |opts: &Opts, labels: &[String]| {
        let names: Vec<&str> = labels.iter().map(String::as_str).collect();
        let gauges = GaugeVec::new(opts.clone(), &names)?;
        for (values, value) in sample() {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            gauges.get_metric_with_label_values(&values)?.set(value);
        }
        Ok(gauges.collect())
    };
    register(registry, opts, labels, gauges)
}

/// A counter that something else counts: its value is what `sample` returns when it is scraped.
pub(super) fn sampled_counter(
    registry: &Registry,
    name: &str,
    help: &str,
    sample: impl Fn() -> Option<f64> + Send + Sync + 'static,
) -> Result<(), MetricsError> {
    let counter = move |opts: &Opts, _: &[String]| {
        let Some(value) = sample() else {
            return Ok(Vec::new());
        };
        let counter = Counter::with_opts(opts.clone())?;
        counter.inc_by(value.max(0.0));
        Ok(counter.collect())
    };
    register(registry, Opts::new(name, help), Vec::new(), counter)
}

fn register<F>(registry: &Registry, opts: Opts, labels: Vec<String>, families: F) -> Result<(), MetricsError>
where
    F: Fn(&Opts, &[String]) -> Result<Vec<MetricFamily>, MetricsError> + Send + Sync + 'static,
{
    let desc = Desc::new(
        opts.name.clone(),
        opts.help.clone(),
        labels.clone(),
        Default::default(),
    )?;
    registry.register(Box::new(Sampled {
        desc,
        opts,
        labels,
        families,
    }))
}

/// A metric that exists only while it is scraped.
struct Sampled<F> {
    desc: Desc,
    opts: Opts,
    labels: Vec<String>,
    families: F,
}

impl<F> Collector for Sampled<F>
where
    F: Fn(&Opts, &[String]) -> Result<Vec<MetricFamily>, MetricsError> + Send + Sync,
{
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // The names were checked when the metric was registered, and the number of labels is the code's.
        (self.families)(&self.opts, &self.labels).unwrap_or_default()
    }
}
