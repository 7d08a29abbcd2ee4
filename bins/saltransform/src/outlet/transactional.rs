//! Exactly once: records and dead letters in transactions, which the intake ends together with the input's offsets.
//!
//! What a reader with `read_committed` sees is each message's record once, whatever is killed. A record that the broker
//! refuses aborts its transaction; read again, its message goes to the dead-letter topic instead.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pipeline::dead_letter::{self, Reason};
use pipeline::intake::{Gate, Taken, TransactionalOutlet, TransactionalProducer};
use pipeline::kafka::{KnownTopics, Reporter, TopicProbe};
use pipeline::lock;
use pipeline::metrics::TransformMetrics;
use pipeline::retry::Backoff;
use pipeline::service::Shutdown;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::acknowledged::is_refusal;
use super::reports::{Reports, serve};
use super::sent::{Counter, Sent};
use super::tally::{Fate, Tally};
use super::watched::Calls;
use crate::slot::Target;

/// How long one question about a topic may take.
const METADATA: Duration = Duration::from_secs(5);

/// Who buries, and where.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) group: String,
    pub(crate) dead_letter_topic: String,
}

/// The transactional producer, shared by all lanes.
pub(crate) struct Transactional<'m> {
    pub(super) producer: BaseProducer<Context<'m>>,
    pub(super) config: ClientConfig,
    /// How the last calls went.
    pub(super) calls: Calls,
    identity: Identity,
    gate: Gate,
    topics: KnownTopics,
    /// Whether the dead-letter topic was seen.
    buries: AtomicBool,
    /// Whether dead letters arrive.
    letters: Arc<TopicProbe>,
}

pub(super) struct Context<'m> {
    reporter: Reporter,
    metrics: TransformMetrics,
    shutdown: Shutdown,
    dead_letter_topic: String,
    tally: Mutex<Tally>,
    failed: AtomicBool,
    refused: Refused,
    pub(super) reports: Reports,
    lifetime: PhantomData<&'m ()>,
}

/// Messages whose records the broker refused, by partition and offset, until they are buried.
#[derive(Default)]
struct Refused {
    messages: Mutex<HashMap<(String, i32, i64), String>>,
    /// Nearly always 0: then no message is looked up.
    count: AtomicUsize,
}

/// A record or a dead letter on its way.
pub(crate) struct OnItsWay<'m> {
    sent: Sent<'m>,
    /// Why it is a dead letter, if it is one.
    buried: Option<Reason>,
}

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
        let context = Context {
            reporter,
            metrics,
            shutdown,
            dead_letter_topic: identity.dead_letter_topic.clone(),
            tally: Mutex::default(),
            failed: AtomicBool::new(false),
            refused: Refused::default(),
            reports: Reports::default(),
            lifetime: PhantomData,
        };
        Ok(Self {
            producer: config.create_with_context(context)?,
            config: config.clone(),
            calls: Calls::default(),
            identity,
            gate: Gate::default(),
            topics: KnownTopics::unknown(),
            buries: AtomicBool::new(false),
            letters,
        })
    }

    /// Whether the target's topic is there; asks until it is.
    pub(super) fn takes(&self, target: &Target) -> bool {
        self.sees(&target.kafka_topic, &target.seen, &target.probe)
    }

    pub(super) fn send(&self, topic: &str, frame: &[u8], sent: Sent<'m>) {
        if let Some(detail) = self.context().refused.take(&sent.taken) {
            return self.bury_sent(sent, detail);
        }
        let on_its_way = OnItsWay { sent, buried: None };
        if let Some((error, sent)) = self.hand_over(topic, Some(frame), None, on_its_way) {
            self.bury_sent(sent, pipeline::chain(&error));
        }
    }

    fn bury_sent(&self, sent: Sent<'m>, detail: String) {
        let counter = sent.counter().clone();
        self.bury(sent.taken, refused(detail), &counter);
    }

    pub(super) fn bury(&self, taken: Taken<'m>, reason: Reason, counter: &Counter) {
        let topic = &self.identity.dead_letter_topic;
        let shutdown = &self.context().shutdown;
        let mut backoff = Backoff::default();
        while !self.sees(topic, &self.buries, &self.letters) {
            if taken.receipt.is_revoked() || !backoff.wait(None, shutdown) {
                return;
            }
        }
        self.context().reporter.buried(&taken.receipt.origin(), &reason);
        let headers = dead_letter::headers(&taken.message, &self.identity.group, &reason);
        let payload = taken.message.payload().map(<[u8]>::to_vec);
        let on_its_way = OnItsWay {
            sent: Sent::new(taken, Instant::now(), counter, self.letters.probe()),
            buried: Some(reason),
        };
        if let Some((error, _)) = self.hand_over(topic, payload.as_deref(), Some(headers), on_its_way) {
            dead_letter::fail(shutdown, topic, &error);
        }
    }

    pub(super) fn skip(&self, taken: Taken<'m>, reason: &'static str) {
        if let Some(_pass) = self.passes(&taken) {
            self.context().count(Fate::Skipped(reason));
            taken.receipt.finish();
        }
    }

    pub(super) fn poll(&self, timeout: Duration) {
        serve(&self.producer, &self.context().reports, timeout);
    }

    pub(super) fn context(&self) -> &Context<'m> {
        self.producer.client().context()
    }

    /// Passes the gate, unless the message is not to be sent any more.
    fn passes(&self, taken: &Taken<'m>) -> Option<pipeline::intake::Pass<'_>> {
        let pass = self.gate.pass(|| self.poll(Duration::from_millis(2)))?;
        // Once given up nothing more is sent: what follows a dropped message must not overtake it.
        (!taken.receipt.is_revoked() && !self.context().shutdown.given_up()).then_some(pass)
    }

    /// Hands a record to librdkafka, which copies it. Answers what librdkafka itself refuses.
    fn hand_over(
        &self,
        topic: &str,
        payload: Option<&[u8]>,
        headers: Option<OwnedHeaders>,
        on_its_way: OnItsWay<'m>,
    ) -> Option<(KafkaError, Sent<'m>)> {
        let key = on_its_way.sent.taken.message.key().map(<[u8]>::to_vec);
        let mut record: BaseRecord<'_, [u8], [u8], _> =
            BaseRecord::with_opaque_to(topic, Box::new(on_its_way));
        record.payload = payload;
        record.headers = headers;
        record.key = key.as_deref();
        loop {
            let pass = self.passes(&record.delivery_opaque.sent.taken)?;
            let Err((error, back)) = self.producer.send(record) else {
                return None;
            };
            drop(pass);
            if is_refusal(&error) {
                return Some((error, back.delivery_opaque.sent));
            }
            // The queue is full, or the transaction has failed: it ends soon, and then the message is void.
            self.poll(Duration::from_millis(10));
            record = back;
        }
    }

    /// Whether a topic is there: it was seen, and its records have not stopped arriving because it is gone.
    fn sees(&self, topic: &str, seen: &AtomicBool, probe: &TopicProbe) -> bool {
        if seen.load(Ordering::Relaxed) && !probe.is_missing() {
            return true;
        }
        probe.waits();
        self.topics.learn(self.producer.client());
        let found = self.producer.client().fetch_metadata(Some(topic), METADATA);
        self.calls.answered(found.is_ok());
        let is_there = found.is_ok_and(|metadata| {
            let mut topics = metadata.topics().iter();
            topics.any(|one| one.name() == topic && one.error().is_none() && !one.partitions().is_empty())
        });
        if is_there {
            seen.store(true, Ordering::Relaxed);
            probe.is_seen();
        } else {
            tracing::debug!(topic, "waiting for a topic that is not there");
        }
        is_there
    }
}

impl TransactionalOutlet for Transactional<'_> {
    fn producer(&self) -> &dyn TransactionalProducer {
        self
    }

    fn gate(&self) -> &Gate {
        &self.gate
    }

    fn has_failed(&self) -> bool {
        self.context().failed.load(Ordering::Acquire)
    }

    fn settle(&self, committed: bool) {
        let context = self.context();
        let mut tally = lock(&context.tally);
        if committed {
            tally.publish(&context.metrics);
        } else {
            tally.void(context.reporter.metrics());
            context.failed.store(false, Ordering::Release);
        }
    }
}

impl Context<'_> {
    fn count(&self, fate: Fate) {
        lock(&self.tally).count(fate);
    }
}

impl Refused {
    fn insert(&self, taken: &Taken<'_>, detail: String) {
        lock(&self.messages).insert(place(taken), detail);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// Why the message's record was refused, if it was. It is known once: the dead letter is on its way then.
    fn take(&self, taken: &Taken<'_>) -> Option<String> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let detail = lock(&self.messages).remove(&place(taken))?;
        self.count.fetch_sub(1, Ordering::Release);
        Some(detail)
    }
}

pipeline::reports_to_its_reporter!(Context<'_>);

impl<'m> ProducerContext for Context<'m> {
    type DeliveryOpaque = Box<OnItsWay<'m>>;

    fn delivery(&self, result: &DeliveryResult<'_>, on_its_way: Box<OnItsWay<'m>>) {
        self.reports.count();
        let OnItsWay { sent, buried } = *on_its_way;
        match (result, buried) {
            (Ok(_), None) => {
                self.count(Fate::Produced);
                self.metrics
                    .total_seconds
                    .observe(sent.since.elapsed().as_secs_f64());
                sent.acknowledged().receipt.finish();
            }
            (Ok(_), Some(Reason { stage, reason, .. })) => {
                self.count(Fate::DeadLetter(stage, reason));
                sent.acknowledged().receipt.finish();
            }
            (Err((error, _)), buried) => {
                self.failed.store(true, Ordering::Release);
                match (is_refusal(error), buried) {
                    (true, Some(_)) => dead_letter::fail(&self.shutdown, &self.dead_letter_topic, error),
                    (true, None) => self.refused.insert(&sent.taken, pipeline::chain(error)),
                    // Its transaction is aborted, and the message read again.
                    (false, _) => {}
                }
            }
        }
    }
}

fn refused(detail: String) -> Reason {
    Reason {
        stage: "produce",
        reason: "refused_by_broker",
        detail,
    }
}

fn place(taken: &Taken<'_>) -> (String, i32, i64) {
    let message = &taken.message;
    (message.topic().to_owned(), message.partition(), message.offset())
}
