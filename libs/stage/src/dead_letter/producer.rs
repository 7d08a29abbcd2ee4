//! The producer of dead letters, for stages that do not produce in transactions.
//!
//! A dead letter that the topic does not accept returns to the thread that serves the delivery reports, which sends it
//! again: first alone in its batch, because a broker refuses a batch as a whole, then with less of the message
//! ([`Extent`]).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::extent::{Extent, allow_large, is_too_large, shares_a_batch};
use super::letter::Letter;
use super::{MAKE_TOPIC, fail};
use crate::intake::Receipt;
use crate::kafka::{
    AnyClient, PolledProducer, Probe, Progress, Reporter, SAFE_PRODUCER, TopicProbe, Watched,
};
use crate::lock;
use crate::reason::Reason;
use crate::retry::Backoff;
use crate::service::Shutdown;

/// How long one wait for records in flight lasts before the shutdown is checked again.
const SETTLE_INTERVAL: Duration = Duration::from_millis(200);

/// The producer of dead letters. Share it in an `Arc`.
pub struct DeadLetters {
    producer: PolledProducer<Context>,
    config: ClientConfig,
    /// Whether dead letters are delivered.
    probe: Arc<TopicProbe>,
}

/// Shared by all workers of a stage.
pub type SharedDeadLetters = Arc<DeadLetters>;

/// Called when a dead letter is delivered.
pub type OnDelivered = Box<dyn Fn(&Reason) + Send + Sync>;

struct Context {
    reporter: Reporter,
    topic: String,
    group: String,
    shutdown: Shutdown,
    on_delivered: OnDelivered,
    /// The number of delivery reports.
    reported: AtomicU64,
    /// Dead letters that are neither delivered nor given up.
    outstanding: Arc<AtomicUsize>,
    /// Dead letters that were too large, to be sent again.
    returned: Mutex<VecDeque<Returned>>,
    /// Read-locked to send, write-locked to send a record alone.
    alone: RwLock<()>,
}

struct InFlight {
    receipt: Receipt,
    letter: Letter,
    extent: Extent,
    /// Whether nothing else was in its batch.
    is_alone: bool,
    /// Whether it is the probe of its topic.
    probe: Option<Probe>,
    _outstanding: Outstanding,
}

/// Counts a dead letter as outstanding while it exists.
struct Outstanding(Arc<AtomicUsize>);

/// A dead letter that was refused, in the form that is sent next.
struct Returned {
    in_flight: Box<InFlight>,
    headers: OwnedHeaders,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

type Record<'r> = BaseRecord<'r, [u8], [u8], Box<InFlight>>;

impl DeadLetters {
    /// Creates a separate producer: dead letters must not wait behind the records of the stage.
    ///
    /// `on_delivered` counts them; the message's receipt is finished right afterwards.
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
        // Without limit: an unavailable broker is waited for, and the input's offset does not move.
        config
            .set("message.timeout.ms", "0")
            .set("compression.type", "lz4");
        allow_large(&mut config);
        let context = Context {
            reporter,
            topic: topic.to_owned(),
            group: group.to_owned(),
            shutdown: shutdown.clone(),
            on_delivered,
            reported: AtomicU64::new(0),
            outstanding: Arc::default(),
            returned: Mutex::default(),
            alone: RwLock::default(),
        };
        let probe = context.reporter.unacknowledged().topic(topic, MAKE_TOPIC);
        Ok(Self {
            probe,
            producer: PolledProducer::new(&config, context, &shutdown, send_again)?,
            config,
        })
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.context().topic
    }

    /// Sends a message as a dead letter. Its receipt is finished when the broker has it; until then the offset holds.
    pub fn send(&self, message: &BorrowedMessage<'_>, receipt: Receipt, reason: Reason) {
        let context = self.context();
        context.reporter.dead_letter(&receipt.origin(), &reason);
        let letter = Letter::new(message, receipt.origin(), reason);
        let (key, value) = (message.key_len(), message.payload_len());
        let mut in_flight = Box::new(InFlight {
            receipt,
            letter,
            extent: Extent::Whole,
            is_alone: false,
            probe: self.probe.probe(),
            _outstanding: Outstanding::of(&context.outstanding),
        });
        // Repeats only while librdkafka itself refuses the letter as too large.
        loop {
            let parts = in_flight.letter.parts(message, &context.group, in_flight.extent);
            let (error, mut back) = match self.hand_over(record(
                &context.topic,
                in_flight,
                parts.headers,
                parts.key,
                parts.value,
            )) {
                Some(refused) => refused,
                None => return,
            };
            match back.letter.shorter(back.extent, key, value) {
                Some(extent) if is_too_large(&error) => back.extent = extent,
                _ => return fail(&context.shutdown, &context.topic, &error),
            }
            in_flight = back;
        }
    }

    /// Whether everything sent is delivered. Waits at most `timeout`.
    pub fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let is_outstanding = || self.context().outstanding.load(Ordering::Acquire) > 0;
        let _ = self.producer.flush(timeout);
        // Dead letters to send again are with the thread that serves the reports.
        while is_outstanding() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        !is_outstanding()
    }

    /// Hands a dead letter to librdkafka; waits while its queue is full. Returns what librdkafka itself refuses.
    fn hand_over(&self, mut record: Record<'_>) -> Option<(KafkaError, Box<InFlight>)> {
        let context = self.context();
        let mut backoff = Backoff::default();
        loop {
            let sent = {
                let _among_others = context.alone.read().unwrap_or_else(PoisonError::into_inner);
                self.producer.send(record)
            };
            let (error, returned) = sent.err()?;
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Some((error, returned.delivery_opaque));
            }
            if !backoff.wait(None, &context.shutdown) {
                return None;
            }
            record = returned;
        }
    }

    fn context(&self) -> &Context {
        self.producer.client().context()
    }
}

impl Watched for DeadLetters {
    fn name(&self) -> &'static str {
        "dead letters"
    }

    fn progress(&self) -> Progress {
        match self.producer.in_flight_count() {
            0 => Progress::Idle,
            _ => Progress::At(self.context().reported.load(Ordering::Relaxed)),
        }
    }

    fn client(&self) -> &dyn AnyClient {
        self.producer.client()
    }

    fn config(&self) -> &ClientConfig {
        &self.config
    }
}

/// Sends refused dead letters again, each alone. On the thread that serves the reports.
fn send_again(producer: &BaseProducer<Context>) {
    let context = producer.client().context();
    let settle = || {
        while producer.flush(SETTLE_INTERVAL).is_err() {
            if context.shutdown.given_up() {
                return false;
            }
        }
        true
    };
    loop {
        let Some(returned) = lock(&context.returned).pop_front() else {
            return;
        };
        let _by_itself = context.alone.write().unwrap_or_else(PoisonError::into_inner);
        if !settle() {
            return;
        }
        let mut in_flight = returned.in_flight;
        in_flight.is_alone = true;
        let record = record(
            &context.topic,
            in_flight,
            returned.headers,
            returned.key.as_deref(),
            returned.value.as_deref(),
        );
        if let Err((error, _)) = producer.send(record) {
            return fail(&context.shutdown, &context.topic, &error);
        }
        if !settle() {
            return;
        }
    }
}

fn record<'r>(
    topic: &'r str,
    in_flight: Box<InFlight>,
    headers: OwnedHeaders,
    key: Option<&'r [u8]>,
    value: Option<&'r [u8]>,
) -> Record<'r> {
    let mut record: Record<'_> = BaseRecord::with_opaque_to(topic, in_flight).headers(headers);
    (record.key, record.payload) = (key, value);
    record
}

impl Context {
    /// A dead letter that the broker refused because of its size: the next form to send, unless it is as short as
    /// possible.
    fn take_back(&self, letter: &BorrowedMessage<'_>, mut in_flight: Box<InFlight>) -> Option<Returned> {
        let (key, value) = (letter.key_len(), letter.payload_len());
        let (kept_key, kept_value) = (letter.key(), letter.payload());
        let owned = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
        if !in_flight.is_alone && shares_a_batch(in_flight.letter.bytes(key, value)) {
            return Some(Returned {
                in_flight,
                headers: letter.headers().map(BorrowedHeaders::detach).unwrap_or_default(),
                key: owned(kept_key),
                value: owned(kept_value),
            });
        }
        let extent = in_flight.letter.shorter(in_flight.extent, key, value)?;
        in_flight.extent = extent;
        let parts = in_flight.letter.parts(letter, &self.group, extent);
        Some(Returned {
            headers: parts.headers,
            key: owned(parts.key),
            value: owned(parts.value),
            in_flight,
        })
    }
}

crate::reports_to_its_reporter!(Context);

impl ProducerContext for Context {
    type DeliveryOpaque = Box<InFlight>;

    fn delivery(&self, result: &DeliveryResult<'_>, in_flight: Box<InFlight>) {
        self.reported.fetch_add(1, Ordering::Relaxed);
        match result {
            Ok(_) => {
                self.reporter
                    .shortened(&in_flight.receipt.origin(), in_flight.extent.omitted());
                (self.on_delivered)(&in_flight.letter.reason);
                if let Some(probe) = in_flight.probe {
                    probe.acknowledged();
                }
                in_flight.receipt.finish();
            }
            Err((
                KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight),
                _,
            )) => {}
            Err((error, letter)) if is_too_large(error) => match self.take_back(letter, in_flight) {
                Some(returned) => lock(&self.returned).push_back(returned),
                None => fail(&self.shutdown, &self.topic, error),
            },
            Err((error, _)) => fail(&self.shutdown, &self.topic, error),
        }
    }
}

impl Outstanding {
    fn of(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl std::fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetters")
            .field("topic", &self.topic())
            .finish_non_exhaustive()
    }
}
