//! docs/metrics.md: the columns of its table that the code knows, and the values of the labels.

use std::collections::{BTreeMap, BTreeSet};

use influxsink::metrics::SinkMetrics;
use prometheus::proto::MetricType;
use salmock::metrics::SalmockMetrics;
use saltransform::metrics::TransformMetrics;
use stage::config::ServiceArgs;
use stage::metrics::KafkaMetrics;
use stage::service::Service;

/// Labels whose values depend on what runs.
const OPEN: [&str; 8] = [
    "subsystem",
    "topic",
    "partition",
    "client",
    "code",
    "dependency",
    "version",
    "revision",
];

/// Gauges by subsystem that have series only while messages are in flight.
const IN_FLIGHT: [&str; 2] = ["saltransform_lag_seconds", "influxsink_lag_seconds"];

/// What the code knows of a metric.
#[derive(Default)]
struct Metric {
    kind: &'static str,
    help: String,
    /// The values of each label that exist from the start.
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// The page with the table and the values of labels as the code has them; the meanings are those of the page.
pub(crate) fn page(page: &str) -> String {
    let exposed = exposed();
    let mut lines = Vec::new();
    let mut written = BTreeSet::new();
    let mut place = Place::Elsewhere;
    for line in page.lines() {
        place = match (place, line) {
            (_, "<!-- metrics: begin -->") => Place::Table,
            (_, "<!-- labels: begin -->") => {
                lines.push(line.to_owned());
                lines.extend(values(&exposed));
                Place::Values
            }
            (Place::Table, "<!-- metrics: end -->") => {
                let missing = exposed.iter().filter(|(name, _)| !written.contains(*name));
                for (name, metric) in missing {
                    lines.push(row(&format!("`{name}`"), metric, &metric.help));
                }
                Place::Elsewhere
            }
            (Place::Values, "<!-- labels: end -->") => Place::Elsewhere,
            (place, _) => place,
        };
        match place {
            Place::Table if line.starts_with("| `") => {
                let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
                let (names, meaning) = (cells[0], cells[cells.len() - 1]);
                let named: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
                // What is no longer exposed has no row.
                if let Some(metric) = named.first().and_then(|name| exposed.get(*name)) {
                    written.extend(named.iter().map(|name| (*name).to_owned()));
                    lines.push(row(names, metric, meaning));
                }
            }
            Place::Values => {}
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}

#[derive(Clone, Copy)]
enum Place {
    Table,
    Values,
    Elsewhere,
}

fn row(names: &str, metric: &Metric, meaning: &str) -> String {
    let labels: Vec<String> = metric.labels.keys().map(|name| format!("`{name}`")).collect();
    format!(
        "| {names} | {} | {} | {meaning} |",
        metric.kind,
        labels.join(", ")
    )
}

fn values(exposed: &BTreeMap<String, Metric>) -> Vec<String> {
    let mut lines = vec![
        "| metric | label | values |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    for (name, metric) in exposed {
        for (label, values) in &metric.labels {
            if OPEN.contains(&label.as_str()) {
                continue;
            }
            let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            lines.push(format!("| `{name}` | `{label}` | {} |", values.join(", ")));
        }
    }
    lines
}

fn exposed() -> BTreeMap<String, Metric> {
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    for stage in 0..3 {
        // Each binary has a registry of its own.
        let service = Service::embedded(&ServiceArgs::default());
        service.readiness.dependency("kafka");
        let registry = service.metrics;
        // Series that exist only once there is a topic.
        let kafka = KafkaMetrics::register(&registry).unwrap();
        kafka.lag.set("t", 0, 0);
        kafka.lost_to_retention.of("t");
        kafka.recreated.of("t");
        for remedy in ["bootstrap", "given_up", "remade"] {
            kafka.stuck.with_label_values(&["consumer", remedy]);
        }
        let subsystems = match stage {
            0 => SalmockMetrics::register(&registry).unwrap().subsystems,
            1 => TransformMetrics::register(&registry).unwrap().subsystems,
            _ => SinkMetrics::register(&registry).unwrap().subsystems,
        };
        subsystems.of_topic("Test_telemetry").finished(0);
        for family in registry.gather() {
            let metric = metrics.entry(family.name().to_owned()).or_default();
            metric.kind = match family.get_field_type() {
                MetricType::COUNTER => "counter",
                MetricType::HISTOGRAM => "histogram",
                _ => "gauge",
            };
            metric.help = family.help().to_owned();
            for label in family.get_metric().iter().flat_map(|metric| metric.get_label()) {
                let values = metric.labels.entry(label.name().to_owned()).or_default();
                values.insert(label.value().to_owned());
            }
        }
    }
    for name in IN_FLIGHT {
        let metric = metrics.entry(name.to_owned()).or_default();
        metric.kind = "gauge";
        metric.labels.entry("subsystem".to_owned()).or_default();
    }
    metrics
}
