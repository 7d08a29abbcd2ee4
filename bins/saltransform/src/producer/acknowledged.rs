//! At least once: an idempotent producer. A message's receipt is finished when the broker has acknowledged its record;
//! until then the message is kept, so that a refused record becomes a dead letter with the original bytes.

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use stage::dead_letter::{DeadLetters, is_too_large, shares_a_batch};
use stage::intake::{Consumed, Receipt};
use stage::kafka::{
    AnyClient, HandleProducer, Progress, Reporter, TopicPrefetch, Unacknowledged, Watched, record_refusal,
};
use stage::lock;
use stage::reason::Reason;
use stage::service::Shutdown;

use super::Outgoing;
use super::alone::Alone;
use super::reports::{Reports, serve};
use super::sent::Sent;
use crate::metrics::TransformMetrics;

/// How long a refused record waits before it is sent again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The time for one metadata request.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);
/// Topics that are requested at once.
const MAX_ASKED: usize = 8;

/// A record that the broker refused.
pub(crate) enum Returned<'m> {
    /// Permanently: too large, invalid, or against a policy. With why.
    Refused(Sent<'m>, String),
    /// Its batch was too large; alone it may not be.
    Crowded(Sent<'m>),
    /// Temporarily: a missing permission, or the named topic does not exist.
    Later(Sent<'m>, Instant, Option<String>),
}

/// The idempotent producer, shared by all workers.
pub(crate) struct Acknowledged<'m> {
    producer: HandleProducer<Context<'m>>,
    config: ClientConfig,
    dead_letters: Arc<DeadLetters>,
    shutdown: Shutdown,
    topics: TopicPrefetch,
    unacknowledged: Unacknowledged,
    /// When the topics of returned records were last requested.
    asked: Mutex<Option<Instant>>,
    alone: Alone,
}

struct Context<'m> {
    reporter: Reporter,
    metrics: TransformMetrics,
    /// Acknowledged messages, to be finished together.
    arrived: Mutex<Vec<Sent<'m>>>,
    returned: Mutex<Vec<Returned<'m>>>,
    warned: Mutex<Option<Instant>>,
    reports: Reports,
}

/// Records of one topic that wait for this long count as a stall, even if others advance.
const STALLED_AFTER: Duration = Duration::from_secs(60);

type Record<'r, 'm> = BaseRecord<'r, [u8], [u8], Box<Sent<'m>>>;

impl<'m> Acknowledged<'m> {
    pub(crate) fn new(
        config: &ClientConfig,
        dead_letters: DeadLetters,
        reporter: Reporter,
        metrics: TransformMetrics,
        shutdown: Shutdown,
    ) -> Result<Self, KafkaError> {
        let unacknowledged = reporter.unacknowledged().clone();
        let context = Context {
            reporter,
            metrics,
            arrived: Mutex::default(),
            returned: Mutex::default(),
            warned: Mutex::default(),
            reports: Reports::default(),
        };
        Ok(Self {
            producer: HandleProducer::new(config.create_with_context(context)?),
            config: config.clone(),
            dead_letters: Arc::new(dead_letters),
            shutdown,
            topics: TopicPrefetch::unknown(),
            unacknowledged,
            asked: Mutex::default(),
            alone: Alone::default(),
        })
    }

    /// Hands a record to librdkafka, which copies it. Waits while the queue is full, unless the service gives up; the
    /// message is then read again by the next process.
    pub(super) fn send(&self, outgoing: Outgoing<'_>, sent: Sent<'m>) {
        self.topics.learn(self.producer.client(), &self.unacknowledged);
        let key = outgoing.key_beside(&sent);
        let Outgoing { topic, frame, .. } = outgoing;
        let sent = Box::new(sent);
        let mut record: Record<'_, 'm> = BaseRecord::with_opaque_to(topic, sent).payload(frame);
        if let Some(key) = &key {
            record = record.key(key);
        }
        while let Some((error, back)) = self.hand_over(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                self.producer.client().context().return_it(
                    error,
                    topic,
                    key.is_some(),
                    frame.len(),
                    *back.delivery_opaque,
                );
                return;
            }
            if self.shutdown.given_up() {
                return;
            }
            self.poll(Duration::from_millis(10));
            record = back;
        }
    }

    /// Gives librdkafka a record and returns it if it is refused. One that is sent alone waits for all others first,
    /// unless its message is void by then.
    fn hand_over<'r>(&self, record: Record<'r, 'm>) -> Option<(KafkaError, Record<'r, 'm>)> {
        if !record.delivery_opaque.is_alone {
            return self.alone.among_others(|| self.producer.send(record));
        }
        let is_revoked = |record: &Record<'_, 'm>| record.delivery_opaque.consumed.receipt.is_revoked();
        let is_void =
            |record: Option<&Record<'_, 'm>>| self.shutdown.given_up() || record.is_some_and(is_revoked);
        let send = |record| self.producer.send(record);
        self.alone
            .by_itself(&self.producer, record, is_void, send)
            .flatten()
    }

    pub(super) fn dead_letter(&self, consumed: Consumed<'m>, reason: Reason) {
        self.dead_letters
            .send(&consumed.message, consumed.receipt, reason);
    }

    pub(super) fn skip(&self, consumed: Consumed<'m>, reason: &'static str) {
        let skipped = &self.producer.client().context().metrics.skipped;
        skipped.with_label_values(&[reason]).inc();
        consumed.receipt.finish();
    }

    /// The dead letters' own client.
    pub(super) fn letters(&self) -> Arc<DeadLetters> {
        Arc::clone(&self.dead_letters)
    }

    pub(super) fn flush_letters(&self, timeout: Duration) {
        self.dead_letters.flush(timeout);
    }

    /// Serves the delivery reports that are there, and those that come within `timeout`.
    pub(super) fn poll(&self, timeout: Duration) {
        let context = self.producer.client().context();
        serve(&self.producer, &context.reports, timeout);
        context.finish_arrived();
    }

    /// Returned records that are due.
    pub(super) fn take_returned(&self) -> Vec<Returned<'m>> {
        let mut returned = lock(&self.producer.client().context().returned);
        let is_due = |one: &Returned<'m>| match one {
            Returned::Refused(..) | Returned::Crowded(_) => true,
            Returned::Later(_, since, _) => since.elapsed() >= RETRY_AFTER,
        };
        if !returned.iter().any(is_due) {
            return Vec::new();
        }
        let (due, later): (Vec<_>, _) = returned.drain(..).partition(is_due);
        *returned = later;
        drop(returned);
        self.look_for_topics(&due);
        due
    }

    /// librdkafka refuses records for a topic that was missing until it requests it again, which may take minutes.
    fn look_for_topics(&self, due: &[Returned<'m>]) {
        let gone: BTreeSet<&str> = due
            .iter()
            .filter_map(|one| match one {
                Returned::Later(_, _, topic) => topic.as_deref(),
                Returned::Refused(..) | Returned::Crowded(_) => None,
            })
            .collect();
        let mut asked = lock(&self.asked);
        if !gone.is_empty() && asked.is_none_or(|at| at.elapsed() >= RETRY_AFTER) {
            for topic in gone.into_iter().take(MAX_ASKED) {
                if let Err(error) = self
                    .producer
                    .client()
                    .fetch_metadata(Some(topic), METADATA_TIMEOUT)
                {
                    tracing::debug!(topic, %error, "topic could not be requested");
                    break;
                }
            }
            *asked = Some(Instant::now());
        }
    }
}

impl Watched for Acknowledged<'_> {
    fn name(&self) -> &'static str {
        "producer"
    }

    fn progress(&self) -> Progress {
        // Workers that wait for the registry do not serve reports.
        self.poll(Duration::ZERO);
        let context = self.producer.client().context();
        if let Some(since) = context.reporter.unacknowledged().in_flight_since(STALLED_AFTER) {
            // Others may advance while this one needs attention.
            return Progress::At(since);
        }
        match self.producer.in_flight_count() {
            0 => Progress::Idle,
            _ => Progress::At(context.reports.counted()),
        }
    }

    fn client(&self) -> &dyn AnyClient {
        self.producer.client()
    }

    fn config(&self) -> &ClientConfig {
        &self.config
    }
}

impl<'m> Context<'m> {
    /// Counts and finishes the acknowledged messages, with a few writes to shared memory instead of a dozen per
    /// message.
    fn finish_arrived(&self) {
        let arrived = mem::take(&mut *lock(&self.arrived));
        if arrived.is_empty() {
            return;
        }
        let (now, total_seconds) = (Instant::now(), self.metrics.total_seconds.local());
        self.metrics.produced.inc_by(arrived.len() as u64);
        let finish = |sent: Sent<'m>| {
            total_seconds.observe((now - sent.since).as_secs_f64());
            sent.acknowledged().receipt
        };
        Receipt::finish_all(arrived.into_iter().map(finish).collect());
    }

    fn return_it(&self, error: KafkaError, topic: &str, has_key: bool, bytes: usize, sent: Sent<'m>) {
        use RDKafkaErrorCode::{PurgeInflight, PurgeQueue};
        let back = match error.rdkafka_error_code() {
            // The producer is closing; the next process reads the message again.
            Some(PurgeQueue | PurgeInflight) => return,
            _ if is_too_large(&error) && !sent.is_alone && shares_a_batch(bytes) => Returned::Crowded(sent),
            _ if is_refusal(&error) => Returned::Refused(sent, record_refusal(&error, topic, has_key)),
            _ => {
                if let Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) = error.rdkafka_error_code() {
                    self.reporter.note(code, &format!("records for topic {topic}"));
                }
                let mut warned = lock(&self.warned);
                if warned.is_none_or(|at| at.elapsed() > Duration::from_secs(30)) {
                    *warned = Some(Instant::now());
                    tracing::warn!(
                        error = %stage::chain(&error),
                        "broker refuses a record; retrying every second (does its topic exist? see saltransform init)"
                    );
                }
                let gone = is_unknown_topic(&error).then(|| topic.to_owned());
                Returned::Later(sent, Instant::now(), gone)
            }
        };
        lock(&self.returned).push(back);
    }
}

stage::reports_to_its_reporter!(Context<'_>);

impl<'m> ProducerContext for Context<'m> {
    type DeliveryOpaque = Box<Sent<'m>>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent<'m>>) {
        self.reports.count();
        match result {
            Ok(_) => lock(&self.arrived).push(*sent),
            Err((error, message)) => {
                let has_key = message.key().is_some();
                self.return_it(
                    error.clone(),
                    message.topic(),
                    has_key,
                    message.payload_len(),
                    *sent,
                );
            }
        }
    }
}

fn is_unknown_topic(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    matches!(
        error.rdkafka_error_code(),
        Some(UnknownTopic | UnknownTopicOrPartition | UnknownPartition)
    )
}

/// Whether the broker refuses the record permanently: too large, or against a policy.
pub(super) fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{InvalidMessage, InvalidRecord, PolicyViolation};
    let code = error.rdkafka_error_code();
    is_too_large(error) || matches!(code, Some(InvalidRecord | InvalidMessage | PolicyViolation))
}
