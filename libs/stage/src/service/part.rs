//! A part of a process that does the same work as other parts of it, such as one of a sink's outputs: its metrics have a
//! label that says which, and its dependencies are its own.

use std::collections::HashMap;

use prometheus::Registry;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::Service;
use crate::metrics::{MetricsError, register_readiness};

impl Service {
    /// The service of the part called `name`. It ends with the process. Its metrics are shown among the process's own,
    /// with the label `label`, and the process is ready only if the part is.
    pub fn part(&self, label: &str, name: &str) -> Result<Service, MetricsError> {
        let labels = HashMap::from([(label.to_owned(), name.to_owned())]);
        let metrics = Registry::new_custom(None, Some(labels.clone()))?;
        // Distinguishes the collectors of parts from one another; it is not a metric.
        let desc = Desc::new("part".to_owned(), "a part".to_owned(), Vec::new(), labels)?;
        self.metrics.register(Box::new(PartMetrics {
            metrics: metrics.clone(),
            desc,
        }))?;
        let readiness = self.readiness.part(name);
        let states = readiness.clone();
        register_readiness(&metrics, move || states.states())?;
        Ok(Service {
            shutdown: self.shutdown.clone(),
            readiness,
            metrics,
            address: self.address,
        })
    }
}

/// A part's registry, as a collector of the process's.
struct PartMetrics {
    metrics: Registry,
    desc: Desc,
}

impl Collector for PartMetrics {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.metrics.gather()
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;
    use crate::config::ServiceArgs;

    #[test]
    fn parts_count_with_their_label_and_are_waited_for() {
        let service = Service::embedded(&ServiceArgs::default());
        service.readiness.dependency("registry").up();
        let mut counts = Vec::new();
        for (name, count) in [("primary", 3), ("standby", 4)] {
            let part = service.part("output", name).unwrap();
            part.readiness.dependency("database");
            let counter = prometheus::IntCounter::new("lines_total", "lines").unwrap();
            part.metrics.register(Box::new(counter.clone())).unwrap();
            counter.inc_by(count);
            counts.push(part.count("lines_total"));
        }
        assert_eq!(
            (counts.as_slice(), service.count("lines_total")),
            (&[3, 4][..], 7)
        );
        assert!(!service.readiness.is_ready());
        let text = TextEncoder::new()
            .encode_to_string(&service.metrics.gather())
            .unwrap();
        for series in [
            "lines_total{output=\"primary\"} 3",
            "lines_total{output=\"standby\"} 4",
            "kafka_efd_ready{dependency=\"registry\"} 1",
            "kafka_efd_ready{dependency=\"database\",output=\"standby\"} 0",
        ] {
            assert!(text.contains(series), "{series} is not in {text}");
        }
        assert_eq!(text.matches("# TYPE lines_total").count(), 1);
        assert!(service.part("output", "standby").is_err(), "twice");
    }
}
