//! A worker: consumes messages of some partitions and takes them through frame, plan and line into a batch,
//! while its writer threads deliver those before.
//!
//! ```text
//!  intake ──▶ SinkWorker (frame → plan → line → batch) ──▶ writer threads (deliver) ──▶ database
//!                │                                            │
//!                └────────────▶ dead letters ◀────────────────┘
//! ```
//! One batch fills, and each writer has one in flight. When the database is slow, a due batch keeps filling instead of
//! waiting; when it is full, the worker blocks and the intake pauses. [`InFlight`] decides when a batch may be written,
//! and keeps the order of points that overwrite each other.

use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use prometheus::local::LocalHistogram;
use rdkafka::Message;
use stage::dead_letter::{LetterFilter, SharedDeadLetters};
use stage::intake::{Consumed, Worker, WorkerError, WorkerFactory};
use stage::kafka::Watched;
use stage::reason::Reason;
use stage::service::Shutdown;

use confluent_avro::frame::{self, Frame, FrameError};
use confluent_avro::point::{PlainJson, Plan, Records};

use crate::batch::{Batch, BatchLimits};
use crate::config::KafkaTime;
use crate::flush_interval::FlushInterval;
use crate::in_flight::{InFlight, TimeRanges};
use crate::json_topics::JsonTopics;
use crate::line::{Encoded, Layout, LineEncoder, Refusal, Source};
use crate::metrics::SinkMetrics;
use crate::overwrites::{Fresh, Overwrites};
use crate::schema_cache::{Lookup, SchemaCache, SharedSchemaCache};
use crate::write::Delivery;
use crate::writer::{Job, MessageOutcomes, write_until_closed};

/// How long an empty worker rests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// What all workers of a sink share.
pub(crate) struct SinkWorkers<D> {
    pub(crate) format: SharedFormat,
    pub(crate) shutdown: Shutdown,
    pub(crate) limits: BatchLimits,
    pub(crate) flush_interval: FlushInterval,
    pub(crate) kafka_time: KafkaTime,
    pub(crate) layout: Layout,
    pub(crate) overwrites: Arc<Overwrites>,
    pub(crate) dead_letters: SharedDeadLetters,
    /// Messages to skip.
    pub(crate) letters: Arc<LetterFilter>,
    pub(crate) metrics: SinkMetrics,
    /// Writers of each worker.
    pub(crate) writers: usize,
    /// Creates the delivery of one writer.
    pub(crate) delivery: D,
}

/// What records are, and what is needed to read them.
pub(crate) enum SharedFormat {
    /// Avro, with a schema registry.
    Avro(SharedSchemaCache),
    /// JSON.
    Json(PlainJson),
}

/// The same of one worker.
enum Format {
    Avro(SchemaCache),
    Json(JsonTopics),
}

/// How a message is read.
enum Reading {
    Avro(Arc<Plan>),
    Json(Arc<PlainJson>),
}

/// One worker.
pub(crate) struct SinkWorker<'m> {
    format: Format,
    encoder: LineEncoder,
    batch: Batch<Consumed<'m>>,
    /// The times in the batch.
    ranges: TimeRanges,
    limits: BatchLimits,
    flush_interval: FlushInterval,
    kafka_time: KafkaTime,
    overwrites: Arc<Overwrites>,
    writers: Sender<Job<'m>>,
    in_flight: Arc<InFlight>,
    dead_letters: SharedDeadLetters,
    letters: Arc<LetterFilter>,
    metrics: SinkMetrics,
    encode_seconds: LocalHistogram,
    shutdown: Shutdown,
}

impl<'m, D> WorkerFactory<'m> for SinkWorkers<D>
where
    D: Fn() -> Delivery,
{
    type Worker = SinkWorker<'m>;

    fn clients(&self) -> Vec<Arc<dyn Watched + 'm>> {
        vec![Arc::clone(&self.dead_letters) as Arc<dyn Watched>]
    }

    fn worker<'scope>(
        &self,
        index: usize,
        scope: &'scope Scope<'scope, 'm>,
    ) -> Result<SinkWorker<'m>, WorkerError>
    where
        'm: 'scope,
    {
        // Never full: a batch has a permit before it is sent.
        let (writers, jobs) = bounded(self.writers);
        for writer in 0..self.writers {
            let (jobs, delivery) = (jobs.clone(), (self.delivery)());
            let outcomes = MessageOutcomes {
                dead_letters: Arc::clone(&self.dead_letters),
                point_age: self.metrics.point_age_seconds.local(),
                metrics: self.metrics.clone(),
            };
            let shutdown = self.shutdown.clone();
            std::thread::Builder::new()
                .name(format!("writer-{index}-{writer}"))
                .spawn_scoped(scope, move || {
                    let _guard = shutdown.fail_on_panic();
                    write_until_closed(delivery, outcomes, &jobs);
                })
                .map_err(WorkerError::new)?;
        }
        Ok(SinkWorker {
            format: match &self.format {
                SharedFormat::Avro(plans) => Format::Avro(SchemaCache::new(plans.clone())),
                SharedFormat::Json(records) => Format::Json(JsonTopics::new(records.clone())),
            },
            encoder: LineEncoder::new(self.layout.clone()),
            batch: Batch::default(),
            ranges: TimeRanges::default(),
            limits: self.limits,
            flush_interval: self.flush_interval,
            kafka_time: self.kafka_time,
            overwrites: Arc::clone(&self.overwrites),
            writers,
            in_flight: Arc::new(InFlight::new(self.writers)),
            dead_letters: Arc::clone(&self.dead_letters),
            letters: Arc::clone(&self.letters),
            encode_seconds: self.metrics.encode_seconds.local(),
            metrics: self.metrics.clone(),
            shutdown: self.shutdown.clone(),
        })
    }
}

impl<'m> Worker<'m> for SinkWorker<'m> {
    fn take(&mut self, batch: Vec<Consumed<'m>>) -> Result<(), WorkerError> {
        self.metrics.consumed.inc_by(batch.len() as u64);
        let mut begun = Instant::now();
        for consumed in batch {
            match self.add(consumed)? {
                Added::Encoded => {
                    let done = Instant::now();
                    self.encode_seconds
                        .observe(done.duration_since(begun).as_secs_f64());
                    begun = done;
                }
                Added::Not => begun = Instant::now(),
            }
            if self.batch.is_full(&self.limits) {
                self.flush()?;
                begun = Instant::now();
            }
        }
        self.encode_seconds.flush();
        Ok(())
    }

    fn rest(&self, tick_interval: Duration) -> Duration {
        match self.due_in() {
            None => IDLE_TIMEOUT,
            // It cannot be written yet.
            Some(Duration::ZERO) => tick_interval,
            Some(left) => left,
        }
    }

    fn tick(&mut self) -> Result<(), WorkerError> {
        let is_due = self.due_in() == Some(Duration::ZERO);
        if is_due && self.in_flight.is_free_for(&self.ranges) {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn drain(&mut self) -> Result<(), WorkerError> {
        self.flush()?;
        self.in_flight.wait_until_empty();
        // Dead letters in flight also hold their offsets.
        while !self.dead_letters.flush(Duration::from_millis(200)) && !self.shutdown.given_up() {}
        Ok(())
    }
}

/// The result for a message in the worker.
enum Added {
    Encoded,
    Not,
}

impl<'m> SinkWorker<'m> {
    /// Adds one message to the batch, skips it, or makes it a dead letter.
    fn add(&mut self, consumed: Consumed<'m>) -> Result<Added, WorkerError> {
        if self.letters.passes_over(&consumed.message) {
            return Ok(self.skip(consumed, "dead_letter"));
        }
        let topic = consumed.message.topic();
        let reading = match (&mut self.format, consumed.message.payload()) {
            (_, None) => return Ok(self.skip(consumed, FrameError::Tombstone.reason())),
            (Format::Json(topics), Some(_)) => Reading::Json(topics.of(topic)),
            (Format::Avro(plans), value) => {
                let id = match Frame::read(value) {
                    Ok(frame) => frame.schema_id,
                    Err(error) => {
                        let reason = Reason {
                            step: "frame",
                            reason: error.reason(),
                            detail: error.to_string(),
                        };
                        return Ok(self.refuse(consumed, reason));
                    }
                };
                let lookup = match plans.known(topic, id) {
                    Some(lookup) => lookup,
                    None => {
                        // The registry may be unavailable for long: the batch is written before the wait for it.
                        self.flush()?;
                        self.fetch(&consumed, id)
                    }
                };
                match lookup {
                    Lookup::Found(plan) => Reading::Avro(plan),
                    Lookup::Refused(reason) => return Ok(self.refuse(consumed, reason)),
                    // Dropped unfinished: the next process reads it again.
                    Lookup::GivenUp => return Ok(Added::Not),
                }
            }
        };
        match &reading {
            Reading::Avro(plan) => self.encode(&**plan, frame::LENGTH, consumed),
            Reading::Json(records) => self.encode(&**records, 0, consumed),
        }
    }

    fn fetch(&mut self, consumed: &Consumed<'m>, id: u32) -> Lookup {
        match &mut self.format {
            Format::Avro(plans) => {
                let topic = consumed.message.topic();
                plans.fetch(topic, id, || consumed.receipt.is_revoked())
            }
            Format::Json(_) => Lookup::GivenUp,
        }
    }

    /// Adds the record that begins at this byte of the value.
    fn encode<R>(&mut self, records: &R, skipped: usize, consumed: Consumed<'m>) -> Result<Added, WorkerError>
    where
        R: Records,
        Refusal: From<R::Error>,
    {
        let value = consumed.message.payload().unwrap_or_default();
        let record = value.get(skipped..).unwrap_or_default();
        let kafka_millis = match self.kafka_time {
            KafkaTime::Never => None,
            KafkaTime::IfMissing | KafkaTime::IfUnusable => consumed.message.timestamp().to_millis(),
        };
        let source = Source {
            kafka_millis,
            kafka_if_missing: self.kafka_time == KafkaTime::IfMissing,
            topic: consumed.message.topic(),
            offset: consumed.message.offset(),
        };
        let lines = self.batch.lines_mut();
        let start = lines.len();
        match self.encoder.encode_from(records, record, &source, lines) {
            Ok(encoded) => {
                let line = lines.get(start..).unwrap_or_default();
                let measurement = match (&mut self.format, self.encoder.measurement()) {
                    (Format::Json(topics), Some(named)) => topics.measurement(named),
                    _ => Arc::clone(records.measurement()),
                };
                self.overwrites.note(&Fresh {
                    line,
                    series_bytes: encoded.series_bytes,
                    time_micros: encoded.time_micros,
                    is_coarse: encoded.is_coarse,
                    topic: source.topic,
                });
                self.note(&encoded);
                self.batch.add(consumed, encoded.time_micros);
                self.ranges.add(&measurement, encoded.time_micros);
                Ok(Added::Encoded)
            }
            Err(Refusal::NoFields) if self.encoder.excluded() > 0 => {
                Ok(self.skip(consumed, "fields_excluded"))
            }
            Err(refusal) => Ok(self.refuse(consumed, as_reason(&refusal))),
        }
    }

    /// The remaining wait of the batch; none if it is empty.
    fn due_in(&self) -> Option<Duration> {
        let interval = self.flush_interval.after(self.in_flight.answer_time());
        self.batch.due_in(interval)
    }

    fn skip(&self, consumed: Consumed<'m>, reason: &'static str) -> Added {
        self.metrics.skipped.with_label_values(&[reason]).inc();
        consumed.receipt.finish();
        Added::Not
    }

    fn refuse(&self, consumed: Consumed<'m>, reason: Reason) -> Added {
        self.dead_letters
            .send(&consumed.message, consumed.receipt, reason);
        Added::Not
    }

    fn note(&self, encoded: &Encoded) {
        let left_out = encoded.left_out;
        for (reason, count) in [
            ("not_finite", left_out.not_finite),
            ("empty_tag", left_out.empty_tag),
            ("reserved_name", left_out.reserved_name),
            ("excluded", self.encoder.excluded()),
        ] {
            if count > 0 {
                self.metrics.left_out.with_label_values(&[reason]).inc_by(count);
            }
        }
        if encoded.time_from_kafka {
            self.metrics.time_from_kafka.inc();
        }
    }

    fn flush(&mut self) -> Result<(), WorkerError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let permit = self.in_flight.enter(self.ranges.take());
        let batch = self.batch.take();
        self.writers
            .send(Job { batch, permit })
            .map_err(|_| WorkerError::new("the writer threads have ended"))
    }
}

fn as_reason(refusal: &Refusal) -> Reason {
    Reason {
        step: refusal.step(),
        reason: refusal.reason(),
        detail: refusal.to_string(),
    }
}
