//! Exactly once, from the side of the records: a reader with `read_committed` sees each message's record once, whichever
//! process is killed.
//!
//! One transaction, in the order of this file. Begin, commit and abort are calls of the intake's commit thread
//! (`libs/stage/src/intake/transaction.rs`), which also sends the offsets:
//!
//! 1. *begin* opens the gate.
//! 2. *produce*: `send`, `dead_letter` and `skip` pass the gate with each message; `hand_over` gives the record to librdkafka.
//! 3. *flush*: the gate is shut, and `delivery` is called for each record (`transactional_deliveries.rs`). A record that fails
//!    marks the transaction as failed; if the broker refuses it, `refuse` remembers how to treat its message next time
//!    (`refused.rs`).
//! 4. *send offsets*: those of the messages whose receipts `delivery` and `skip` have finished.
//! 5. *commit*: `settle(true)` publishes the counts (`tally.rs`).
//! 6. *abort*, if the transaction has failed: `settle(false)` voids the counts, and the messages are read again. A refused
//!    record is then a dead letter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, Producer as _};
use stage::dead_letter::{self, Letter, is_too_large};
use stage::intake::{Consumed, Gate, TransactionalProducer, TransactionalSink};
use stage::kafka::{HandleProducer, Reporter, TopicPrefetch, TopicProbe};
use stage::reason::Reason;
use stage::retry::Backoff;
use stage::service::Shutdown;

use super::acknowledged::is_refusal;
use super::alone::Alone;
use super::calls::Calls;
use super::reports::serve;
use super::sent::{Counter, Sent};
use super::tally::Disposition;
use super::transactional_deliveries::{Deliveries, InFlight};
use super::{Outgoing, refused_by_broker};
use crate::metrics::TransformMetrics;
use crate::schema_cache_entry::Target;

/// The time for one metadata request.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

/// What identifies the stage in its dead letters, and their topic.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) group: String,
    pub(crate) dead_letter_topic: String,
}

/// The transactional producer, shared by all workers.
pub(crate) struct Transactional<'m> {
    pub(super) producer: HandleProducer<Deliveries<'m>>,
    pub(super) config: ClientConfig,
    /// The results of the last calls.
    pub(super) calls: Calls,
    identity: Identity,
    gate: Gate,
    topics: TopicPrefetch,
    /// Whether the dead-letter topic has been seen.
    letters_topic_seen: AtomicBool,
    /// Whether dead letters are delivered.
    letters: Arc<TopicProbe>,
    alone: Alone,
}

type Record<'r, 'm> = BaseRecord<'r, [u8], [u8], Box<InFlight<'m>>>;

impl<'m> Transactional<'m> {
    pub(crate) fn new(
        config: &ClientConfig,
        identity: Identity,
        reporter: Reporter,
        metrics: TransformMetrics,
        shutdown: Shutdown,
    ) -> Result<Self, KafkaError> {
        let letters = reporter
            .unacknowledged()
            .topic(&identity.dead_letter_topic, dead_letter::MAKE_TOPIC);
        let context = Deliveries::new(reporter, metrics, shutdown, identity.dead_letter_topic.clone());
        Ok(Self {
            producer: HandleProducer::new(config.create_with_context(context)?),
            config: config.clone(),
            calls: Calls::default(),
            identity,
            gate: Gate::default(),
            topics: TopicPrefetch::unknown(),
            letters_topic_seen: AtomicBool::new(false),
            letters,
            alone: Alone::default(),
        })
    }

    /// Whether the target's topic exists.
    pub(super) fn accepts(&self, target: &Target) -> bool {
        self.sees(&target.kafka_topic, &target.seen, &target.probe)
    }

    pub(super) fn send(&self, outgoing: Outgoing<'_>, sent: Sent<'m>) {
        let verdict = self.context().refused.of(&sent.consumed);
        if let Some(detail) = verdict.record {
            return self.dead_letter_sent(sent, detail);
        }
        let key = outgoing.key_beside(&sent);
        let Outgoing { topic, frame, .. } = outgoing;
        let in_flight = InFlight {
            sent: sent.alone(verdict.alone),
            letter: None,
            bytes: frame.len(),
        };
        let mut record: Record<'_, 'm> =
            BaseRecord::with_opaque_to(topic, Box::new(in_flight)).payload(frame);
        record.key = key.as_deref();
        if let Some((error, back)) = self.hand_over(record) {
            self.dead_letter_sent(back.sent, stage::chain(&error));
        }
    }

    fn dead_letter_sent(&self, sent: Sent<'m>, detail: String) {
        let counter = sent.counter().clone();
        self.dead_letter(sent.consumed, refused_by_broker(detail), &counter);
    }

    pub(super) fn dead_letter(&self, consumed: Consumed<'m>, reason: Reason, counter: &Counter) {
        let topic = &self.identity.dead_letter_topic;
        let shutdown = &self.context().shutdown;
        let mut backoff = Backoff::default();
        while !self.sees(topic, &self.letters_topic_seen, &self.letters) {
            if consumed.receipt.is_revoked() || !backoff.wait(None, shutdown) {
                return;
            }
        }
        let origin = consumed.receipt.origin();
        self.context().reporter.dead_letter(&origin, &reason);
        let letter = Letter::new(&consumed.message, origin, reason);
        let verdict = self.context().refused.of(&consumed);
        let bytes = letter.bytes(consumed.message.key_len(), consumed.message.payload_len());
        let mut in_flight = Box::new(InFlight {
            sent: Sent::new(consumed, Instant::now(), counter, self.letters.probe()).alone(verdict.alone),
            letter: Some((letter, verdict.extent)),
            bytes,
        });
        // Repeats only while librdkafka itself refuses the letter as too large.
        while let Some((error, mut back)) = self.hand_over_letter(in_flight) {
            match back.shorter() {
                Some(shorter) if is_too_large(&error) => back.shorten(shorter),
                _ => return dead_letter::fail(shutdown, topic, &error),
            }
            in_flight = back;
        }
    }

    fn hand_over_letter(&self, in_flight: Box<InFlight<'m>>) -> Option<(KafkaError, Box<InFlight<'m>>)> {
        let (letter, extent) = in_flight.letter.as_ref()?;
        let parts = letter.parts(&in_flight.sent.consumed.message, &self.identity.group, *extent);
        let owned = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
        let (headers, key, value) = (parts.headers, owned(parts.key), owned(parts.value));
        let topic = &self.identity.dead_letter_topic;
        let mut record: Record<'_, 'm> = BaseRecord::with_opaque_to(topic, in_flight).headers(headers);
        (record.key, record.payload) = (key.as_deref(), value.as_deref());
        self.hand_over(record)
    }

    pub(super) fn skip(&self, consumed: Consumed<'m>, reason: &'static str) {
        if let Some(_pass) = self.passes(&consumed) {
            self.context().count(Disposition::Skipped(reason));
            consumed.receipt.finish();
        }
    }

    pub(super) fn poll(&self, timeout: Duration) {
        serve(&self.producer, &self.context().reports, timeout);
    }

    pub(super) fn context(&self) -> &Deliveries<'m> {
        self.producer.client().context()
    }

    /// Passes the gate. `None` if the message must no longer be sent.
    fn passes(&self, consumed: &Consumed<'m>) -> Option<stage::intake::Pass<'_>> {
        let pass = self.gate.pass(|| self.poll(Duration::from_millis(2)))?;
        // After the deadline nothing is sent: what follows a dropped message must not overtake it.
        (!consumed.receipt.is_revoked() && !self.context().shutdown.given_up()).then_some(pass)
    }

    /// Hands a record to librdkafka, which copies it. Returns what librdkafka itself refuses.
    fn hand_over(&self, mut record: Record<'_, 'm>) -> Option<(KafkaError, Box<InFlight<'m>>)> {
        loop {
            let pass = self.passes(&record.delivery_opaque.sent.consumed)?;
            let refused = if record.delivery_opaque.sent.is_alone {
                let send = |record| self.producer.send(record);
                self.alone
                    .by_itself(&self.producer, record, |record| self.is_void(record), send)?
            } else {
                self.alone.among_others(|| self.producer.send(record))
            };
            let (error, back) = refused?;
            drop(pass);
            if is_refusal(&error) {
                return Some((error, back.delivery_opaque));
            }
            // The queue is full, or the transaction has failed and ends soon, which voids the message.
            self.poll(Duration::from_millis(10));
            record = back;
        }
    }

    /// Whether a record that waits to be sent alone is void, because its transaction will not be committed.
    fn is_void(&self, record: Option<&Record<'_, 'm>>) -> bool {
        let context = self.context();
        let is_revoked = |record: &Record<'_, 'm>| record.delivery_opaque.sent.consumed.receipt.is_revoked();
        context.has_failed()
            || context.shutdown.given_up()
            || record.is_some_and(is_revoked)
            // The gate is open: the commit thread makes no call meanwhile.
            || self.failure().is_some()
    }

    /// Whether a topic exists: it has been seen, and its records have not stopped arriving because it was deleted.
    fn sees(&self, topic: &str, seen: &AtomicBool, probe: &TopicProbe) -> bool {
        if seen.load(Ordering::Relaxed) && !probe.is_missing() {
            return true;
        }
        probe.waits();
        let unacknowledged = self.context().reporter.unacknowledged();
        self.topics.learn(self.producer.client(), unacknowledged);
        let found = self
            .producer
            .client()
            .fetch_metadata(Some(topic), METADATA_TIMEOUT);
        self.calls.answered(found.is_ok());
        let is_there = found.is_ok_and(|metadata| {
            let mut topics = metadata.topics().iter();
            topics.any(|one| one.name() == topic && one.error().is_none() && !one.partitions().is_empty())
        });
        if is_there {
            seen.store(true, Ordering::Relaxed);
            probe.is_seen();
        } else {
            tracing::debug!(topic, "waiting for a topic that does not exist");
        }
        is_there
    }
}

impl TransactionalSink for Transactional<'_> {
    fn producer(&self) -> &dyn TransactionalProducer {
        self
    }

    fn gate(&self) -> &Gate {
        &self.gate
    }

    fn has_failed(&self) -> bool {
        self.context().has_failed()
    }

    fn take_learned(&self) -> bool {
        self.context().refused.take_learned()
    }

    fn settle(&self, committed: bool) {
        self.context().settle(committed);
    }
}
