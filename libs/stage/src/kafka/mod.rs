//! One client context for all Kafka clients of a process: librdkafka's callbacks become log lines, metrics and the
//! state of Kafka in `/ready`.
//!
//! librdkafka recovers by itself from nearly everything that it reports here, so these lines are for the operator and
//! never steer the pipeline; errors that do are returned by the calls that they belong to. The one exception is a
//! client that cannot continue ([`Reporter::has_met_fatal`]).

mod alerts;
mod complaints;
mod group_offsets;
mod handle_producer;
pub(crate) mod native;
mod parts;
mod polled_producer;
mod preflight;
pub(crate) mod record_refusal;
mod refusal;
mod token;
mod topic_prefetch;
mod unacknowledged;
mod watch;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use self::alerts::{Alert, Alerts};
use self::complaints::{Complaints, LeftOut, said_once};
use self::refusal::Refusal;
use crate::metrics::KafkaMetrics;
use crate::origin::Origin;
use crate::reason::Reason;
use crate::service::Dependency;

pub use group_offsets::{Committed, MAX_GROUPS, committed_by_groups};
pub use handle_producer::HandleProducer;
pub use parts::{MAX_PARTITIONS, parts};
pub use polled_producer::{POLL_EXCESS_DURATION, PolledProducer};
pub use preflight::{OneShotContext, ReachError, reach};
pub use record_refusal::record_refusal;
pub use topic_prefetch::TopicPrefetch;
pub use unacknowledged::{Probe, TopicProbe, Unacknowledged};
pub use watch::{AnyClient, GivenUp, Limits, Progress, Silence, Watched, watch};

/// Basic settings of every producer: a retry sends nothing twice, and nothing is lost on a new partition.
///
/// With more than one request in flight, records were lost on Kafka 4.1: the first batch of a partition that does not
/// exist yet is refused, the second, already sent, is accepted (to the broker it is the producer's first), and the
/// retry of the first then looks like a duplicate, which librdkafka reports as delivered.
pub const SAFE_PRODUCER: [(&str, &str); 2] = [
    ("enable.idempotence", "true"),
    ("max.in.flight.requests.per.connection", "1"),
];

/// Implements `ClientContext` for a context by passing each callback to its field `reporter`. An optional function sees
/// the statistics first.
#[macro_export]
macro_rules! reports_to_its_reporter {
    ($context:ty) => {
        $crate::reports_to_its_reporter!($context, |_, _| {});
    };
    ($context:ty, $look:expr) => {
        impl rdkafka::ClientContext for $context {
            const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

            fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
                self.reporter.log(level, facility, message);
            }

            fn stats(&self, statistics: rdkafka::Statistics) {
                let look: fn(&Self, &rdkafka::Statistics) = $look;
                look(self, &statistics);
                self.reporter.stats(statistics);
            }

            fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
                self.reporter.error(error, reason);
            }

            fn generate_oauth_token(
                &self,
                config: Option<&str>,
            ) -> Result<rdkafka::client::OAuthToken, Box<dyn std::error::Error>> {
                self.reporter.generate_oauth_token(config)
            }
        }
    };
}

/// Receives the reports of all clients of a process.
#[derive(Clone)]
pub struct Reporter {
    metrics: KafkaMetrics,
    dependency: Dependency,
    fatal: Arc<AtomicBool>,
    alerts: Arc<Alerts>,
    complaints: Arc<Complaints>,
    /// Whether the dependency is down because of an alert.
    shown: Arc<AtomicBool>,
    unacknowledged: Unacknowledged,
}

impl Reporter {
    /// Reports to these metrics and to the dependency `kafka`.
    pub fn new(metrics: KafkaMetrics, dependency: Dependency) -> Self {
        Self {
            metrics,
            dependency,
            fatal: Arc::default(),
            alerts: Arc::default(),
            complaints: Arc::default(),
            shown: Arc::default(),
            unacknowledged: Unacknowledged::default(),
        }
    }

    /// A reporter for clients that replace the current ones: fatal errors of those do not count for these.
    pub fn renewed(&self) -> Self {
        self.unacknowledged.forget();
        self.with_own_fatal()
    }

    /// A reporter for a client whose fatal errors its owner handles: they do not count for the others.
    pub fn with_own_fatal(&self) -> Self {
        Self {
            fatal: Arc::default(),
            ..self.clone()
        }
    }

    /// The metrics.
    pub fn metrics(&self) -> &KafkaMetrics {
        &self.metrics
    }

    /// The dependency `kafka`.
    pub fn dependency(&self) -> &Dependency {
        &self.dependency
    }

    /// Whether a client met an error from which librdkafka cannot recover.
    pub fn has_met_fatal(&self) -> bool {
        self.fatal.load(Ordering::Relaxed)
    }

    /// Kafka works: the dependency is up, unless something that a working connection does not mend was refused recently.
    pub fn connected(&self) {
        self.alerts.connected();
        match self.alerts.now() {
            None => {
                self.shown.store(false, Ordering::Relaxed);
                self.dependency.up();
            }
            Some(alert) => self.dependency.down(alert),
        }
    }

    /// Notes an error of a client or a call, such as a record that was not accepted; `about` names the topic or group.
    /// Errors of one kind are logged at most twice a minute; `/ready` shows refusals until they have not recurred for a
    /// while.
    pub fn note(&self, code: RDKafkaErrorCode, about: &str) {
        // Errors that differ only in client or duration are the same.
        let about = about.split(" (after ").next().unwrap_or_default();
        let repeated = self.complaints.note(&format!("{code:?}"), about);
        if let Some(refusal) = Refusal::of(code, about) {
            let (refused_by, advice) = (refusal.layer(), refusal.advice());
            let alert = Alert {
                text: format!("{refused_by}: {advice} ({about})"),
                is_refusal: true,
                is_of_connections: refusal.is_of_connections(),
            };
            self.show(&format!("{code:?} {about}"), alert);
            match repeated {
                Some(repeated) if refusal.is_sure() => tracing::error!(
                    refused_by,
                    advice,
                    about,
                    ?code,
                    repeated,
                    "kafka refuses us; what needs it waits, nothing is lost"
                ),
                Some(repeated) => {
                    tracing::warn!(
                        advice,
                        about,
                        repeated,
                        "a broker closes the connection; librdkafka keeps trying"
                    );
                }
                None => {}
            }
        } else if code == RDKafkaErrorCode::AllBrokersDown {
            let alert = Alert {
                text: "no broker answers".to_owned(),
                is_refusal: false,
                is_of_connections: true,
            };
            self.show("AllBrokersDown", alert);
            if let Some(repeated) = repeated {
                tracing::warn!(about, repeated, "no broker answers; librdkafka keeps trying");
            }
        } else if let Some(repeated) = repeated {
            tracing::warn!(
                ?code,
                about,
                repeated,
                "kafka client reports an error and keeps trying"
            );
        }
    }

    /// A message becomes a dead letter. Logged at most twice a minute for each step and reason, because someone has to look
    /// at them.
    pub fn dead_letter(&self, origin: &Origin, why: &Reason) {
        let Reason { step, reason, detail } = why;
        tracing::debug!(%origin, stage = step, reason, detail, "dead letter");
        let complaint = (
            format!("dead letter {step} {reason}"),
            format!("{origin}: {detail}"),
        );
        if let Some(repeated) = self.complaints.note_one_kind(&complaint.0, &complaint.1) {
            tracing::warn!(
                %origin, stage = step, reason, detail, repeated,
                "message is not carried, its bytes are kept; `kafkaefd dead-letters show` shows all of them"
            );
        }
    }

    /// A dead letter is stored. If part of the message was omitted from it, it is counted and logged, because its topic should
    /// accept more.
    pub fn shortened(&self, origin: &Origin, omitted: Option<&'static str>) {
        let Some(omitted) = omitted else { return };
        self.metrics.shortened.with_label_values(&[omitted]).inc();
        let complaint = (
            format!("shortened {omitted}"),
            format!("{origin}: without its {omitted}"),
        );
        if let Some(repeated) = self.complaints.note_one_kind(&complaint.0, &complaint.1) {
            tracing::warn!(
                %origin, omitted, repeated,
                "dead letter does not fit into its topic whole: what is left out is only at its origin, as long as that topic \
                 keeps it; raise max.message.bytes of the dead-letter topic"
            );
        }
    }

    fn show(&self, key: &str, alert: Alert) {
        self.alerts.note(key, alert);
        if let Some(now) = self.alerts.now() {
            self.shown.store(true, Ordering::Relaxed);
            self.dependency.down(now);
        }
    }
}

impl ClientContext for Reporter {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Info, Notice};
        // Each lost connection is reported three times, and `error` below logs it once, at the right level. As all
        // clients of a process share the operator's settings, some receive settings that do not apply to them. A broker
        // that has just started makes producers wait for their id, which librdkafka retries.
        if matches!(facility, "FAIL" | "ERROR" | "CONFWARN" | "GETPID") {
            // Only this line reports a broker that closes the connection because it does not understand the client.
            if facility == "FAIL" && refusal::is_hung_up_on(message) {
                let about = message.split_once(": ").map_or(message, |(_thread, about)| about);
                self.note(RDKafkaErrorCode::BrokerTransportFailure, about);
            }
            return tracing::debug!(target: "librdkafka", facility, message);
        }
        // The event of a fatal error carries the code of its cause, which does not distinguish it from a transient one.
        // This line is for fatal errors only.
        if facility == "FATAL" {
            self.fatal.store(true, Ordering::Relaxed);
        }
        let message = &*said_once(message);
        if facility == "SSL" && message.contains("No matching issuer") {
            return self.note(RDKafkaErrorCode::SSL, message);
        }
        if let Debug = level {
            return tracing::debug!(target: "librdkafka", facility, message);
        }
        let Some(repeated) = self.complaints.note(facility, message) else {
            return;
        };
        match level {
            Notice | Info => tracing::info!(target: "librdkafka", facility, message, repeated),
            Emerg | Alert | Critical => tracing::error!(target: "librdkafka", facility, message, repeated),
            _ => tracing::warn!(target: "librdkafka", facility, message, repeated),
        }
    }

    fn stats(&self, statistics: Statistics) {
        for LeftOut { latest, count } in self.complaints.left_out() {
            tracing::warn!(latest, count, "more complaints of a kind that was logged before");
        }
        // A member of a group has a broker that accepts its credentials; without partitions, its topics may be missing.
        if statistics.cgrp.is_some_and(|group| {
            let is_member = group.state == "up" && group.join_state == "steady";
            is_member && (group.assignment_size > 0 || self.shown.load(Ordering::Relaxed))
        }) {
            self.connected();
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let label = code.map_or_else(|| "other".to_owned(), |code| format!("{code:?}"));
        self.metrics.errors.with_label_values(&[label.as_str()]).inc();
        if let Some(code) = code {
            self.note(code, &said_once(reason));
        }
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        token::read(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;
    use crate::service::{Readiness, logged_by};

    /// What a consumer and a producer reported when 1,500 topics were deleted.
    #[test]
    fn the_deletion_of_many_topics_is_a_few_lines() {
        let said = logged_by("info", LogFormat::Text, false, || {
            let metrics = KafkaMetrics::register(&prometheus::Registry::new()).expect("names are used once");
            let reporter = Reporter::new(metrics, Readiness::default().dependency("kafka"));
            let gone = RDKafkaErrorCode::UnknownTopicOrPartition;
            for number in 0..1_500 {
                let topic = format!("lsst.sal.Test_{number}");
                let line = format!("[thrd:main]: Topic {topic} partition count changed from 1 to 0");
                reporter.log(RDKafkaLogLevel::Notice, "PARTCNT", &line);
                let reason =
                    format!("Subscribed topic not available: {topic}: Broker: Unknown topic or partition");
                reporter.error(KafkaError::Global(gone), &reason);
                reporter.note(gone, &format!("records for topic {topic}"));
            }
        });
        assert_eq!(said.lines().count(), 3, "{said}");
        assert!(!said.contains("[thrd:main]"), "{said}");
    }

    /// Ten thousand refused messages a second must not become as many lines.
    #[test]
    fn dead_letters_of_one_kind_are_logged_once() {
        let said = logged_by("info", LogFormat::Text, false, || {
            let metrics = KafkaMetrics::register(&prometheus::Registry::new()).expect("names are used once");
            let reporter = Reporter::new(metrics, Readiness::default().dependency("kafka"));
            for offset in 0..100 {
                let origin = Origin {
                    topic: "Test_telemetry".into(),
                    partition: 0,
                    offset,
                    timestamp_ms: None,
                };
                for reason in ["bad_header", "bad_value"] {
                    let detail = "expected a header".to_owned();
                    reporter.dead_letter(
                        &origin,
                        &Reason {
                            step: "parse",
                            reason,
                            detail,
                        },
                    );
                }
            }
        });
        assert_eq!(said.matches("WARN").count(), 2, "{said}");
        assert!(
            said.contains("Test_telemetry[0]@0") && said.contains("bad_value"),
            "{said}"
        );
    }
}
