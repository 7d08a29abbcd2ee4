//! What the brokers report about each message that `produce` has sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use prometheus::IntCounter;
use rdkafka::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use stage::kafka::{Reporter, TopicProbe, record_refusal};
use stage::metrics::{Subsystem, Subsystems};

/// The remedy for a topic that does not exist.
const MAKE_TOPIC: &str = "saltransform init creates it";

/// The counts kept by the delivery callback.
pub(crate) struct Tally {
    acknowledged: Vec<AtomicU64>,
    /// Whether the messages of each topic arrive.
    probes: Vec<Arc<TopicProbe>>,
    /// The subsystem of each topic.
    subsystems: Vec<Arc<Subsystem>>,
    failed: AtomicU64,
    warned: AtomicBool,
}

impl Tally {
    /// For these Kafka topics.
    pub(crate) fn new(topics: &[&str], reporter: &Reporter, subsystems: &Subsystems) -> Tally {
        let probe = |topic: &&str| reporter.unacknowledged().topic(topic, MAKE_TOPIC);
        Tally {
            acknowledged: topics.iter().map(|_| AtomicU64::new(0)).collect(),
            probes: topics.iter().map(probe).collect(),
            subsystems: topics.iter().map(|topic| subsystems.of_topic(topic)).collect(),
            failed: AtomicU64::new(0),
            warned: AtomicBool::new(false),
        }
    }

    /// The opaque value of a message of this topic: its index, and whether the message is its topic's probe.
    pub(crate) fn opaque(&self, topic: usize) -> usize {
        let is_probe = self.probes.get(topic).is_some_and(|probe| probe.begin());
        topic << 1 | usize::from(is_probe)
    }

    /// Records that a message of this topic cannot be sent at the moment.
    pub(crate) fn waits(&self, opaque: usize) {
        if let Some(probe) = self.probes.get(opaque >> 1) {
            probe.waits();
        }
    }

    /// Acknowledged messages of this topic.
    pub(crate) fn acknowledged(&self, topic: usize) -> u64 {
        let count = self.acknowledged.get(topic);
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// All acknowledged messages, and those that were refused or not acknowledged in time.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let counts = self
            .acknowledged
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        (counts.sum(), self.failed.load(Ordering::Relaxed))
    }
}

/// The producer's context: it receives the delivery reports.
pub(crate) struct Context {
    pub(crate) reporter: Reporter,
    pub(crate) produced: IntCounter,
    pub(crate) tally: Arc<Tally>,
}

impl Context {
    /// The number of messages that were delivered or returned.
    pub(crate) fn reported(&self) -> u64 {
        let (produced, failed) = self.tally.totals();
        produced + failed
    }
}

stage::reports_to_its_reporter!(Context);

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let (topic, is_probe) = (opaque >> 1, opaque & 1 == 1);
        let probe = self.tally.probes.get(topic).filter(|_| is_probe);
        match result {
            Ok(message) => {
                self.produced.inc();
                if let Some(subsystem) = self.tally.subsystems.get(topic)
                    && let Some(timestamp) = message.timestamp().to_millis()
                {
                    subsystem.finished(timestamp);
                }
                if let Some(count) = self.tally.acknowledged.get(topic) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                if let Some(probe) = probe {
                    probe.arrived();
                    self.reporter.connected();
                }
            }
            Err((error, message)) => {
                if let Some(probe) = probe {
                    probe.came_back();
                }
                self.tally.failed.fetch_add(1, Ordering::Relaxed);
                // One log line is enough: every report has the number of failed messages.
                if !self.tally.warned.swap(true, Ordering::Relaxed) {
                    let topic = message.topic();
                    let error = record_refusal(error, topic, message.key().is_some());
                    tracing::warn!(error, topic, "a message was not delivered");
                }
            }
        }
    }
}
