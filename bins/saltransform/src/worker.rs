//! A worker: processes the messages of its partitions in order, until each is acknowledged by the broker, in the
//! dead-letter topic, or skipped for a named reason.

use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

use prometheus::local::LocalHistogram;
use rdkafka::message::Message;
use stage::dead_letter::LetterFilter;
use stage::intake::{Consumed, TransactionalSink, Worker, WorkerError, WorkerFactory};
use stage::kafka::Watched;
use stage::reason::Reason;
use stage::registry::RegistryError;
use stage::retry::Backoff;
use stage::service::{Shutdown, Wait};

use crate::metrics::TransformMetrics;
use crate::producer::{Counter, Outgoing, Producer, Returned, Sent, refused_by_broker};
use crate::schema_cache::{SchemaCache, SharedSchemaCache};
use crate::transform::{Outcome, Transformer};

/// The longest wait between two requests to a registry that answers, but does not have the right schema yet.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// How long a drain waits for the broker when a partition is revoked.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(4);

/// The time until the next tick while no record is in flight: then only the producer's events are served.
const IDLE_TIMEOUT: Duration = Duration::from_millis(100);

/// What all workers share.
#[derive(Clone)]
pub(crate) struct Shared<'m> {
    pub(crate) schema_cache: Arc<SharedSchemaCache>,
    pub(crate) producer: Producer<'m>,
    /// Messages to skip.
    pub(crate) letters: Arc<LetterFilter>,
    pub(crate) metrics: TransformMetrics,
    pub(crate) shutdown: Shutdown,
}

/// One worker.
pub(crate) struct TransformWorker<'m> {
    shared: Shared<'m>,
    transformer: Transformer,
    counter: Counter,
    /// The worker's own histogram, added to the process's with each tick: this avoids a shared-memory write per
    /// message.
    transform_seconds: LocalHistogram,
}

impl<'m> WorkerFactory<'m> for Shared<'m> {
    type Worker = TransformWorker<'m>;

    fn worker<'scope>(&self, _: usize, _: &'scope Scope<'scope, 'm>) -> Result<Self::Worker, WorkerError>
    where
        'm: 'scope,
    {
        let transformer = Transformer::new(SchemaCache::new(Arc::clone(&self.schema_cache)));
        Ok(TransformWorker {
            shared: self.clone(),
            transformer,
            counter: Counter::default(),
            transform_seconds: self.metrics.transform_seconds.local(),
        })
    }

    fn transaction(&self) -> Option<Arc<dyn TransactionalSink + 'm>> {
        self.producer.transaction()
    }

    fn clients(&self) -> Vec<Arc<dyn Watched + 'm>> {
        self.producer.clients()
    }
}

impl<'m> Worker<'m> for TransformWorker<'m> {
    fn take(&mut self, batch: Vec<Consumed<'m>>) -> Result<(), WorkerError> {
        self.shared.metrics.consumed.inc_by(batch.len() as u64);
        for consumed in batch {
            self.carry(consumed, false);
        }
        self.shared.producer.poll(Duration::ZERO);
        Ok(())
    }

    fn rest(&self, tick_interval: Duration) -> Duration {
        match self.counter.outstanding() {
            0 => IDLE_TIMEOUT,
            _ => tick_interval,
        }
    }

    fn tick(&mut self) -> Result<(), WorkerError> {
        self.shared.producer.poll(Duration::ZERO);
        for (reason, count) in self.transformer.take_notes() {
            self.shared
                .metrics
                .notes
                .with_label_values(&[reason])
                .inc_by(count);
        }
        for returned in self.shared.producer.take_returned() {
            match returned {
                Returned::Refused(sent, detail) => {
                    self.dead_letter(sent.consumed, refused_by_broker(detail));
                }
                // Transformed again, because its schema may have changed; it is already counted as consumed.
                Returned::Later(sent, ..) => self.carry(sent.consumed, false),
                Returned::Crowded(sent) => self.carry(sent.consumed, true),
            }
        }
        self.transform_seconds.flush();
        Ok(())
    }

    fn drain(&mut self) -> Result<(), WorkerError> {
        let start = Instant::now();
        let shutdown = &self.shared.shutdown;
        let over = || {
            if shutdown.is_set() {
                shutdown.given_up()
            } else {
                start.elapsed() > DRAIN_TIMEOUT
            }
        };
        while self.counter.outstanding() > 0 && !over() {
            self.shared.producer.poll(Duration::from_millis(5));
        }
        self.shared.producer.flush_letters(Duration::from_secs(2));
        self.tick()
    }
}

impl<'m> TransformWorker<'m> {
    /// Processes one message as far as this thread can. `is_alone` if its record must not share its batch.
    fn carry(&mut self, consumed: Consumed<'m>, is_alone: bool) {
        if self.shared.letters.passes_over(&consumed.message) {
            return self.shared.producer.skip(consumed, "dead_letter");
        }
        let mut backoff = None;
        let mut wait: Option<Wait> = None;
        loop {
            let since = Instant::now();
            let outcome = self
                .transformer
                .transform(consumed.message.payload(), consumed.message.topic());
            if !matches!(outcome, Outcome::Wait(_))
                && let Some(wait) = wait.take()
            {
                wait.answered();
            }
            match outcome {
                Outcome::Record(target) if self.shared.producer.accepts(&target) => {
                    self.transform_seconds.observe(since.elapsed().as_secs_f64());
                    let sent =
                        Sent::new(consumed, since, &self.counter, target.probe.probe()).alone(is_alone);
                    let record = Outgoing {
                        topic: &target.kafka_topic,
                        key: self.transformer.key(),
                        frame: self.transformer.frame(),
                    };
                    return self.shared.producer.send(record, sent);
                }
                Outcome::Skipped(reason) => return self.shared.producer.skip(consumed, reason),
                Outcome::Refused(reason) => return self.dead_letter(consumed, reason),
                // A transient failure is not a bad message: this worker waits, and the intake pauses by itself.
                Outcome::Record(target) => {
                    let topic = &target.kafka_topic;
                    tracing::warn!(
                        topic,
                        "record's topic does not exist; waiting for it (see saltransform init)"
                    );
                }
                Outcome::Wait(error) => {
                    wait.get_or_insert_with(|| self.shared.schema_cache.dependency.wait())
                        .because(stage::chain(&error));
                    if !matches!(error, RegistryError::Away { .. } | RegistryError::Denied { .. }) {
                        backoff
                            .get_or_insert_with(|| Backoff::new(Duration::from_millis(100), ASK_AGAIN_AFTER));
                    }
                }
            }
            if consumed.receipt.is_revoked()
                || !backoff
                    .get_or_insert_with(Backoff::default)
                    .wait(None, &self.shared.shutdown)
            {
                return;
            }
        }
    }

    fn dead_letter(&self, consumed: Consumed<'m>, reason: Reason) {
        self.shared.producer.dead_letter(consumed, reason, &self.counter);
    }
}
