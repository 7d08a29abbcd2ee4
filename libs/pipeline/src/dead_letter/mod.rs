//! Dead letters: what cannot be carried, kept as the original bytes with where, why and since when.
//!
//! | header | value |
//! |---|---|
//! | `topic` `partition` `offset` | the message's origin |
//! | `timestamp` | Kafka's time stamp of the message in milliseconds since 1970; left out if it has none |
//! | `stage` | the stage that refused it: `parse`, `schema`, `encode`, `produce`, `decode`, `line`, `write` |
//! | `reason` | a few words in snake_case, the metric's label |
//! | `detail` | the error, for people: printable, and cut where it is longer than [`LONGEST`](crate::printable::LONGEST) |
//! | `group` | the consumer group that refused it |
//!
//! Key, value and the original's own headers (each with `original.` before its name) are untouched, so that a replay
//! can put the message back where it came from. Where a name among those is no UTF-8, all of them stand before ours,
//! under their own names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext};

use crate::headers::OwnHeaders;
use crate::intake::Receipt;
use crate::kafka::{
    Look, Probe, Progress, Reporter, SAFE_PRODUCER, ServedProducer, TopicProbe, Watched, bootstrap_again,
    is_answered,
};
use crate::printable::Printable;
use crate::retry::Backoff;
use crate::service::Shutdown;

/// Why a message is a dead letter.
#[derive(Debug, Clone)]
pub struct Reason {
    /// The stage that refused it.
    pub stage: &'static str,
    /// A few words in snake_case, bounded in number: a metric's label.
    pub reason: &'static str,
    /// The whole error, for people.
    pub detail: String,
}

/// The way to the dead-letter topic. Share it in an `Arc`.
pub struct DeadLetters {
    producer: ServedProducer<Context>,
    config: ClientConfig,
    topic: String,
    group: String,
    shutdown: Shutdown,
    /// Whether letters arrive.
    probe: Arc<TopicProbe>,
}

/// What to do about a dead-letter topic that does not exist.
pub const MAKE_TOPIC: &str =
    "a stage makes it when it starts: restart it, or make it with kafkaefd admin topics create";

/// Called once the broker has a dead letter.
pub type OnDelivered = Box<dyn Fn(&Reason) + Send + Sync>;

struct Context {
    reporter: Reporter,
    topic: String,
    shutdown: Shutdown,
    on_delivered: OnDelivered,
    /// Letters that arrived or came back.
    reported: AtomicU64,
}

struct Letter {
    receipt: Receipt,
    reason: Reason,
    probe: Option<Probe>,
}

impl DeadLetters {
    /// A producer of its own: dead letters must not wait behind the records of the stage.
    ///
    /// `on_delivered` counts them; the message's receipt is finished right after it.
    pub fn new(
        config: &ClientConfig,
        group: &str,
        topic: &str,
        reporter: Reporter,
        shutdown: Shutdown,
        on_delivered: OnDelivered,
    ) -> Result<Self, KafkaError> {
        let mut config = config.clone();
        config.extend(SAFE_PRODUCER.map(|(key, value)| (key.to_owned(), value.to_owned())));
        // Without an end: a broker that is away is waited for, the input's offset stays where it is.
        config
            .set("message.timeout.ms", "0")
            .set("compression.type", "lz4");
        let context = Context {
            reporter,
            topic: topic.to_owned(),
            shutdown: shutdown.clone(),
            on_delivered,
            reported: AtomicU64::new(0),
        };
        let probe = context.reporter.unacknowledged().topic(topic, MAKE_TOPIC);
        Ok(Self {
            probe,
            producer: ServedProducer::new(&config, context, &shutdown)?,
            config,
            topic: topic.to_owned(),
            group: group.to_owned(),
            shutdown,
        })
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Sends a message on its last way. Its receipt is finished when the broker has it; until then the offset holds.
    pub fn send(&self, message: &BorrowedMessage<'_>, receipt: Receipt, reason: Reason) {
        self.producer
            .context()
            .reporter
            .buried(&receipt.origin(), &reason);
        let headers = headers(message, &self.group, &reason);
        let letter = Letter {
            receipt,
            reason,
            probe: self.probe.probe(),
        };
        let mut record = BaseRecord::with_opaque_to(&self.topic, Box::new(letter)).headers(headers);
        if let Some(key) = message.key() {
            record = record.key(key);
        }
        if let Some(payload) = message.payload() {
            record = record.payload(payload);
        }
        let mut backoff = Backoff::default();
        while let Err((error, returned)) = self.producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                fail(&self.shutdown, &self.topic, &error);
                return;
            }
            if !backoff.wait(None, &self.shutdown) {
                return;
            }
            record = returned;
        }
    }

    /// Whether all that was sent has arrived. Waits at most `timeout`.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.producer.flush(timeout).is_ok()
    }
}

impl Watched for DeadLetters {
    fn name(&self) -> &'static str {
        "dead letters"
    }

    fn progress(&self) -> Progress {
        match self.producer.in_flight_count() {
            0 => Progress::Idle,
            _ => Progress::At(self.producer.context().reported.load(Ordering::Relaxed)),
        }
    }

    fn is_answered(&self, patience: Duration) -> bool {
        is_answered(self.producer.client(), patience)
    }

    fn bootstrap_again(&self) {
        bootstrap_again(self.producer.client(), &self.config);
    }

    fn look(&self) -> Look {
        Look {
            config: self.config.clone(),
            group: None,
        }
    }
}

crate::reports_to_its_reporter!(Context);

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Letter>;

    fn delivery(&self, result: &DeliveryResult<'_>, letter: Box<Letter>) {
        self.reported.fetch_add(1, Ordering::Relaxed);
        match result {
            Ok(_) => {
                (self.on_delivered)(&letter.reason);
                if let Some(probe) = letter.probe {
                    probe.acknowledged();
                }
                letter.receipt.finish();
            }
            Err((
                KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight),
                _,
            )) => {}
            Err((error, _)) => fail(&self.shutdown, &self.topic, error),
        }
    }
}

/// The dead-letter topic of a group: the one that was asked for, or `<group>.dead-letter`.
pub fn topic_of(group: &str, asked: Option<&str>) -> String {
    asked.map_or_else(|| format!("{group}.dead-letter"), str::to_owned)
}

/// A dead letter that cannot be kept must not be passed over: the process ends, and its successor tries again.
pub fn fail(shutdown: &Shutdown, topic: &str, error: &KafkaError) {
    tracing::error!(
        topic,
        error = %crate::chain(error),
        "dead-letter topic cannot be written: create it, give this user the right WRITE on it, or allow larger messages \
         there; stopping, nothing is committed"
    );
    shutdown.fail();
}

/// The headers of a dead letter.
pub fn headers(message: &BorrowedMessage<'_>, group: &str, reason: &Reason) -> OwnedHeaders {
    let original = OwnHeaders::of(message);
    let mut headers = match &original {
        OwnHeaders::Readable(own) => OwnedHeaders::new_with_capacity(8 + own.len()),
        OwnHeaders::Unreadable(own) => own.detach(),
    };
    let mut add = |key: &str, value: &str| {
        headers = std::mem::take(&mut headers).insert(Header {
            key,
            value: Some(value),
        });
    };
    add("topic", message.topic());
    add("partition", &message.partition().to_string());
    add("offset", &message.offset().to_string());
    if let Some(timestamp) = message.timestamp().to_millis() {
        add("timestamp", &timestamp.to_string());
    }
    add("stage", reason.stage);
    add("reason", reason.reason);
    add("detail", &Printable(&reason.detail).to_string());
    add("group", group);
    let OwnHeaders::Readable(original) = original else {
        return headers;
    };
    for header in original {
        let key = format!("original.{}", header.key);
        headers = headers.insert(Header {
            key: &key,
            value: header.value,
        });
    }
    headers
}

impl std::fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetters")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// Shared by all lanes of a stage.
pub type SharedDeadLetters = Arc<DeadLetters>;
