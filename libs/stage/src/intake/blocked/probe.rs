//! Reads one partition from an offset with a separate client: whether anything can be read there, and if not, which
//! batch is in the way and why. `rdkafka` keeps neither the offset nor the text of such an error, so librdkafka is
//! called directly.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use rdkafka::bindings::{
    rd_kafka_consume_queue, rd_kafka_message_destroy, rd_kafka_message_errstr, rd_kafka_queue_destroy,
    rd_kafka_queue_forward, rd_kafka_queue_get_partition, rd_kafka_queue_t,
};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::{Key, is_of_batch};
use crate::kafka::Reporter;
use crate::service::Shutdown;

/// The time for one request.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one poll of the queue waits, in milliseconds.
const LOOK_MS: i32 = 50;

/// What is at an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// A message, or the partition's end.
    Readable,
    /// A batch that cannot be decoded: its first offset, and librdkafka's message.
    Undecodable { batch: i64, reason: String },
    /// Nothing: the offset is not, or no longer, in the log.
    OutOfRange,
    /// No broker answered in time.
    NoAnswer,
}

/// A client that reads one partition.
pub(super) struct Probe {
    /// Dropped before the consumer that it belongs to.
    queue: PartitionQueue,
    consumer: BaseConsumer<ProbeContext>,
    key: Key,
}

struct ProbeContext {
    reporter: Reporter,
}

crate::reports_to_its_reporter!(ProbeContext);

impl ConsumerContext for ProbeContext {}

impl Probe {
    /// A client with the settings of `config` for one partition. It joins no group and commits nothing.
    pub(super) fn new(config: &ClientConfig, key: &Key, reporter: Reporter) -> KafkaResult<Self> {
        let mut config = config.clone();
        config.remove("group.instance.id");
        for (name, value) in [
            ("group.protocol", "classic"),
            ("partition.assignment.strategy", "range"),
            ("statistics.interval.ms", "0"),
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "error"),
            // The batch's own offset is known only if checksums are verified.
            ("check.crcs", "true"),
            ("fetch.error.backoff.ms", "0"),
            // One batch per response: Kafka sends the first whole, however large, and no other.
            ("message.max.bytes", "1000"),
            ("fetch.max.bytes", "1000"),
            ("fetch.message.max.bytes", "1000"),
            ("queued.min.messages", "1"),
        ] {
            config.set(name, value);
        }
        let consumer: BaseConsumer<_> = config.create_with_context(ProbeContext { reporter })?;
        Ok(Self {
            queue: PartitionQueue::new(&consumer, key)?,
            consumer,
            key: key.clone(),
        })
    }

    /// What is at `offset`.
    pub(super) fn read(&self, offset: Offset, shutdown: &Shutdown) -> KafkaResult<Found> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.key.0, self.key.1, offset)?;
        self.consumer.assign(&list)?;
        let found = self.answer(shutdown);
        self.consumer.unassign()?;
        Ok(found)
    }

    fn answer(&self, shutdown: &Shutdown) -> Found {
        let end = Instant::now() + PROBE_TIMEOUT;
        while Instant::now() < end && !shutdown.is_set() {
            // Serves the client's callbacks. Messages and errors of the partition have their own queue.
            let _ = self.consumer.poll(Duration::ZERO);
            let Some((error, offset, reason)) = self.queue.next() else {
                continue;
            };
            return match error {
                None | Some(RDKafkaErrorCode::PartitionEOF) => Found::Readable,
                Some(code) if is_of_batch(code) => Found::Undecodable {
                    batch: offset,
                    reason,
                },
                Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                    Found::OutOfRange
                }
                // A moving leader, a missing permission.
                Some(code) => {
                    tracing::debug!(?code, reason, "partition could not be inspected");
                    continue;
                }
            };
        }
        Found::NoAnswer
    }
}

/// A partition's own queue of messages and errors.
struct PartitionQueue(NonNull<rd_kafka_queue_t>);

impl PartitionQueue {
    #[allow(
        unsafe_code,
        reason = "rdkafka's own partition queue drops what an error says"
    )]
    fn new(consumer: &BaseConsumer<ProbeContext>, (topic, number): &Key) -> KafkaResult<Self> {
        let topic = CString::new(topic.as_str())?;
        // SAFETY: the client lives as long as `consumer` is borrowed, and the name is a C string that librdkafka copies.
        // `rd_kafka_queue_get_partition` answers a new reference, or null. Forwarding to null makes the queue one that is
        // read by itself, also after a later assignment (`RD_KAFKA_Q_F_FWD_APP`, rdkafka_queue.c).
        let queue = unsafe {
            let queue = rd_kafka_queue_get_partition(consumer.client().native_ptr(), topic.as_ptr(), *number);
            if !queue.is_null() {
                rd_kafka_queue_forward(queue, std::ptr::null_mut());
            }
            queue
        };
        NonNull::new(queue)
            .map(Self)
            .ok_or_else(|| rdkafka::error::KafkaError::Subscription("partition has no queue".to_owned()))
    }

    /// The code (none for a message), offset and text of the next message or error.
    #[allow(unsafe_code, reason = "rdkafka's own poll drops what an error says")]
    fn next(&self) -> Option<(Option<RDKafkaErrorCode>, i64, String)> {
        // SAFETY: the queue is a reference of ours, released by drop alone, and the consumer outlives it (it is the field
        // behind it in `Probe`). The message is ours until `rd_kafka_message_destroy`, after which nothing of it is used.
        // `rd_kafka_message_errstr` answers null or a C string within the message, which is copied before that.
        unsafe {
            let message = NonNull::new(rd_kafka_consume_queue(self.0.as_ptr(), LOOK_MS))?;
            let (error, offset) = (message.as_ref().err, message.as_ref().offset);
            let reason = rd_kafka_message_errstr(message.as_ptr());
            let reason = if reason.is_null() {
                String::new()
            } else {
                CStr::from_ptr(reason).to_string_lossy().into_owned()
            };
            rd_kafka_message_destroy(message.as_ptr());
            let code = RDKafkaErrorCode::from(error);
            Some((
                (code != RDKafkaErrorCode::NoError).then_some(code),
                offset,
                reason,
            ))
        }
    }
}

impl Drop for PartitionQueue {
    #[allow(unsafe_code, reason = "the reference of new")]
    fn drop(&mut self) {
        // SAFETY: the one reference that `new` took; nobody else has it.
        unsafe { rd_kafka_queue_destroy(self.0.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use devstack::Broker;
    use testkit::raw::{Batch, ZSTD};

    use super::super::search::end_of_batch;
    use super::*;
    use crate::metrics::KafkaMetrics;
    use crate::service::Readiness;

    #[test]
    fn it_says_which_batch_cannot_be_decoded_and_where_it_ends() {
        let broker = Broker::start().unwrap();
        broker.create_topic("t", 1).unwrap();
        let batch = |count: usize| (0..count).fold(Batch::new(), |batch, _| batch.record(b"value", &[]));
        for batch in [
            batch(2),
            batch(5).with_wrong_checksum(),
            batch(4).compressed(ZSTD, b"junk"),
        ] {
            batch.send(broker.bootstrap_servers(), "t", 0).unwrap();
        }
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", broker.bootstrap_servers())
            .set("group.id", "g");
        let metrics = KafkaMetrics::register(&prometheus::Registry::new()).unwrap();
        let reporter = Reporter::new(metrics, Readiness::default().dependency("kafka"));
        let shutdown = Shutdown::new(Duration::from_secs(1));
        let probe = Probe::new(&config, &("t".to_owned(), 0), reporter).unwrap();
        let read = |offset| probe.read(offset, &shutdown).unwrap();
        assert_eq!(read(Offset::Beginning), Found::Readable);
        let first = read(Offset::Offset(2));
        assert!(
            matches!(&first, Found::Undecodable { batch: 2, reason } if reason.contains("CRC32C")),
            "{first:?}"
        );
        let is_first = |offset| {
            Ok::<_, ()>(matches!(
                read(Offset::Offset(offset)),
                Found::Undecodable { batch: 2, .. }
            ))
        };
        assert_eq!(end_of_batch(2, is_first), Ok(7));
        let second = read(Offset::Offset(9));
        assert!(
            matches!(second, Found::Undecodable { batch: 7, .. }),
            "{second:?}"
        );
        assert_eq!(read(Offset::Offset(11)), Found::Readable);
        assert_eq!(read(Offset::Offset(500)), Found::OutOfRange);
    }
}
