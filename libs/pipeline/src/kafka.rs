//! One client context for all Kafka clients of a process: librdkafka's callbacks become log lines and metrics.
//!
//! librdkafka recovers by itself from nearly everything it reports here, so that these lines are for the operator
//! and never steer the pipeline; errors that do are returned by the calls that they belong to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use crate::metrics::KafkaMetrics;
use crate::service::Part;

/// What every producer of ours starts from: a retry sends nothing twice, and nothing is lost on a new partition.
///
/// With more than one request in flight, records were lost on Kafka 4.1: the first batch of a partition that is not
/// there yet is refused, the second, already on its way, is taken (to the broker it is the producer's first), and the
/// retry of the first then looks like a duplicate, which librdkafka reports as delivered.
pub const SAFE_PRODUCER: [(&str, &str); 2] = [
    ("enable.idempotence", "true"),
    ("max.in.flight.requests.per.connection", "1"),
];

/// Implements `ClientContext` for a context by handing each callback to its field `reporter`.
#[macro_export]
macro_rules! reports_to_its_reporter {
    ($context:ty) => {
        impl rdkafka::ClientContext for $context {
            fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
                self.reporter.log(level, facility, message);
            }

            fn stats(&self, statistics: rdkafka::Statistics) {
                self.reporter.stats(statistics);
            }

            fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
                self.reporter.error(error, reason);
            }
        }
    };
}

/// What all clients of a process report to.
#[derive(Clone)]
pub struct Reporter {
    metrics: KafkaMetrics,
    part: Part,
    fatal: Arc<AtomicBool>,
}

impl Reporter {
    /// Reports to these metrics and to the readiness part `kafka`.
    pub fn new(metrics: KafkaMetrics, part: Part) -> Self {
        Self {
            metrics,
            part,
            fatal: Arc::default(),
        }
    }

    /// The metrics.
    pub fn metrics(&self) -> &KafkaMetrics {
        &self.metrics
    }

    /// The readiness part `kafka`.
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// Whether a client met an error from which librdkafka cannot recover.
    pub fn has_met_fatal(&self) -> bool {
        self.fatal.load(Ordering::Relaxed)
    }
}

impl ClientContext for Reporter {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
        // Each lost connection is said three times, `error` below says it once, at the right level; as all clients of a
        // process share the operator's settings, some get those that are not for them; and a broker that has just come
        // up makes producers wait for their id (librdkafka tries again by itself).
        if matches!(facility, "FAIL" | "ERROR" | "CONFWARN" | "GETPID") {
            return tracing::debug!(target: "librdkafka", facility, message);
        }
        match level {
            Emerg | Alert | Critical => tracing::error!(target: "librdkafka", facility, message),
            Error | Warning => tracing::warn!(target: "librdkafka", facility, message),
            Notice | Info => tracing::info!(target: "librdkafka", facility, message),
            Debug => tracing::debug!(target: "librdkafka", facility, message),
        }
    }

    fn stats(&self, statistics: Statistics) {
        for (topic, state) in &statistics.topics {
            for (partition, state) in state
                .partitions
                .iter()
                .filter(|(_, state)| state.consumer_lag >= 0)
            {
                let labels = [topic.as_str(), &partition.to_string()];
                self.metrics
                    .lag
                    .with_label_values(&labels)
                    .set(state.consumer_lag);
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let label = code.map_or_else(|| "other".to_owned(), |code| format!("{code:?}"));
        self.metrics.errors.with_label_values(&[label.as_str()]).inc();
        match code {
            Some(RDKafkaErrorCode::Fatal) => {
                self.fatal.store(true, Ordering::Relaxed);
                tracing::error!(code = label, reason, "kafka client cannot go on");
            }
            Some(RDKafkaErrorCode::AllBrokersDown) => self.part.down("no broker answers"),
            Some(
                RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::SSL,
            ) => {
                self.part.down(format!("kafka refuses us: {reason}"));
                tracing::error!(
                    code = label,
                    reason,
                    "kafka refuses us; check certificates, user and password"
                );
            }
            _ => tracing::warn!(
                code = label,
                reason,
                "kafka client reports an error; it goes on trying"
            ),
        }
    }
}
