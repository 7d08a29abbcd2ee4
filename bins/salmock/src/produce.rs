//! Sends each message when it is due and counts it once the broker has acknowledged it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use sal::record_key::RecordKey;
use stage::kafka::Reporter;
use stage::service::{Ending, Shutdown};
use tokio::time::{Instant, sleep, sleep_until};

use crate::avro::RecordWriter;
use crate::config::{Format, ProduceConfig};
use crate::delivery::{Context, Tally};
use crate::metrics::SalmockMetrics;
use crate::schedule::Schedule;
use crate::source::Mocked;
use crate::text;
use crate::timestamp::Timestamps;
use crate::topic_schema::TopicShape;
use crate::values::Values;
use crate::watch;

/// How often the achieved rate is logged.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// The interval for polling a full librdkafka queue and the last acknowledgements.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How often a missing topic is looked up, and how long one lookup may take.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

/// What was produced.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The number of acknowledged messages by SAL topic.
    pub topics: BTreeMap<String, u64>,
    /// The number of all acknowledged messages.
    pub produced: u64,
    /// The number of messages that the broker refused or did not acknowledge in time.
    pub failed: u64,
    /// From the first message to the last acknowledgement.
    pub elapsed: Duration,
    /// The delay of the message that was sent latest after its due time.
    pub most_behind: Duration,
}

impl Report {
    /// Acknowledged messages per second.
    pub fn rate(&self) -> f64 {
        self.produced as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// How the process ends. Unacknowledged messages count as failed, so that only they decide, and not the deadline.
    pub fn ending(&self, shutdown: &Shutdown) -> Ending {
        if self.failed > 0 || shutdown.has_failed() {
            Ending::Failed
        } else {
            Ending::Finished
        }
    }
}

/// Sending cannot start or continue. A retry does not help.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// librdkafka rejects its settings or a message.
    #[error("cannot send to kafka")]
    Kafka(#[from] KafkaError),
    /// A record does not fit its schema.
    #[error("cannot write a record of {topic}")]
    Record {
        /// The SAL topic.
        topic: String,
        /// The reason.
        source: Box<apache_avro::Error>,
    },
}

/// A topic and its state from message to message.
struct Line<'s> {
    mocked: &'s Mocked,
    kafka_topic: String,
    /// The key of every message, if the topic's records have one of their own.
    key: Option<Vec<u8>>,
    rev_code: String,
    values: Values,
    timestamps: Timestamps,
    records: Option<RecordWriter<'s>>,
}

impl<'s> Line<'s> {
    fn new(mocked: &'s Mocked, config: &ProduceConfig) -> Result<Line<'s>, SendError> {
        let shape = &mocked.shape;
        let records = match config.format {
            Format::Text => None,
            Format::Avro => Some(
                RecordWriter::new(shape, mocked.schema_id).map_err(|source| Line::refused(mocked, source))?,
            ),
        };
        Ok(Line {
            mocked,
            kafka_topic: match config.format {
                Format::Text => format!("{}_{}", shape.name.component(), shape.name.kind().wire_word()),
                Format::Avro => shape.kafka_topic.clone(),
            },
            key: match config.format {
                // The input of saltransform has no keys: SAL's own messages have none.
                Format::Text => None,
                Format::Avro => key(shape),
            },
            rev_code: format!("{:08x}", config.seed),
            values: Values::new(shape, config.seed),
            timestamps: Timestamps::new(shape.dialect, config.time_scale),
            records,
        })
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Result<(), SendError> {
        let timestamp = self.timestamps.stamp();
        match &self.records {
            None => text::message(
                out,
                &self.mocked.shape,
                &mut self.values,
                &timestamp,
                &self.rev_code,
            ),
            Some(records) => records
                .record(out, &mut self.values, &timestamp, &self.rev_code)
                .map_err(|source| Line::refused(self.mocked, source))?,
        }
        Ok(())
    }

    fn refused(mocked: &Mocked, source: apache_avro::Error) -> SendError {
        SendError::Record {
            topic: mocked.shape.name.to_string(),
            source: Box::new(source),
        }
    }
}

/// The key of the only instance's records.
fn key(shape: &TopicShape) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    let index = shape.is_indexed.then_some(i64::from(text::INDEX));
    RecordKey::of(shape.dialect, &shape.name)?.write(index, &mut key);
    Some(key)
}

/// Sends until the count is reached or `shutdown` is requested, then waits for the acknowledgements.
pub(crate) async fn send(
    config: &ProduceConfig,
    client: &ClientConfig,
    topics: &[Mocked],
    reporter: Reporter,
    metrics: &SalmockMetrics,
    stuck_timeout: Duration,
    shutdown: &Shutdown,
) -> Result<Report, SendError> {
    let mut lines = topics
        .iter()
        .map(|mocked| Line::new(mocked, config))
        .collect::<Result<Vec<_>, _>>()?;
    let kafka_topics: Vec<&str> = lines.iter().map(|line| line.kafka_topic.as_str()).collect();
    let tally = Arc::new(Tally::new(&kafka_topics, &reporter, &metrics.subsystems));
    let context = Context {
        reporter,
        produced: metrics.produced.clone(),
        tally: Arc::clone(&tally),
    };
    let producer = Arc::new(client.create_with_context::<_, ThreadedProducer<Context>>(context)?);
    let _watch = watch::start(&producer, client, stuck_timeout, shutdown);
    let mut message = Vec::new();
    let (start, mut behind, mut most_behind) = (Instant::now(), Duration::ZERO, Duration::ZERO);
    let mut next_report = start + REPORT_INTERVAL;
    for due in Schedule::new(lines.len(), config.period, config.count) {
        if shutdown.is_set() {
            break;
        }
        let at = start + due.at;
        if Instant::now() < at {
            tokio::select! {
                () = sleep_until(at) => {}
                () = shutdown.wait() => break,
            }
        }
        let Some(line) = lines.get_mut(due.topic) else {
            break;
        };
        line.next(&mut message)?;
        let opaque = tally.opaque(due.topic);
        let mut record = BaseRecord::with_opaque_to(&line.kafka_topic, opaque).payload(message.as_slice());
        record.key = line.key.as_deref();
        enqueue(&producer, record, &tally, shutdown).await?;
        behind = Instant::now().duration_since(at);
        most_behind = most_behind.max(behind);
        if Instant::now() >= next_report {
            next_report += REPORT_INTERVAL;
            Report::of(&tally, start.elapsed(), most_behind).log(behind, "producing");
        }
    }
    while producer.in_flight_count() > 0 && !shutdown.given_up() {
        sleep(POLL_INTERVAL).await;
    }
    let unacknowledged = u64::try_from(producer.in_flight_count()).unwrap_or_default();
    let mut report = Report::of(&tally, start.elapsed(), most_behind);
    report.failed += unacknowledged;
    let count =
        |(topic, mocked): (usize, &Mocked)| (mocked.shape.name.to_string(), tally.acknowledged(topic));
    report.topics = topics.iter().enumerate().map(count).collect();
    report.log(behind, "produced");
    Ok(report)
}

/// Hands a message to librdkafka; waits while its queue is full.
async fn enqueue(
    producer: &ThreadedProducer<Context>,
    mut record: BaseRecord<'_, [u8], [u8], usize>,
    tally: &Tally,
    shutdown: &Shutdown,
) -> Result<(), KafkaError> {
    let kafka_topic = record.topic;
    while let Err((error, returned)) = producer.send(record) {
        if shutdown.given_up() {
            return Ok(());
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => sleep(POLL_INTERVAL).await,
            // The topic existed and is gone: librdkafka refuses its messages until it refreshes its metadata,
            // which can take minutes.
            Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                tally.waits(returned.delivery_opaque);
                tokio::select! {
                    () = sleep(ASK_AGAIN_AFTER) => {}
                    () = shutdown.wait() => return Ok(()),
                }
                if let Err(error) = producer
                    .client()
                    .fetch_metadata(Some(kafka_topic), METADATA_TIMEOUT)
                {
                    tracing::debug!(kafka_topic, %error, "cannot look up the topic");
                }
            }
            _ => return Err(error),
        }
        record = returned;
    }
    Ok(())
}

impl Report {
    /// The counts so far, without those of each topic.
    fn of(tally: &Tally, elapsed: Duration, most_behind: Duration) -> Self {
        let (produced, failed) = tally.totals();
        Self {
            topics: BTreeMap::new(),
            produced,
            failed,
            elapsed,
            most_behind,
        }
    }

    /// `behind` is how late the newest round is.
    fn log(&self, behind: Duration, what: &'static str) {
        let rate = (self.rate() * 10.0).round() / 10.0;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            produced = self.produced,
            failed = self.failed,
            rate,
            behind_ms = millis(behind),
            most_behind_ms = millis(self.most_behind),
            "{what}"
        );
    }
}
