//! The transactional producer as its watch sees it: it waits while records are in flight or its calls fail.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaResult;
use rdkafka::producer::Producer;
use rdkafka::{ClientConfig, TopicPartitionList};
use stage::intake::TransactionalProducer;
use stage::kafka::{AnyClient, Progress, Watched};

use super::transactional::Transactional;

/// The results of a producer's calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    succeeded: AtomicU64,
    /// Whether the last call of the transaction failed.
    is_failing: AtomicBool,
    /// Whether the last metadata request of a worker had no answer.
    is_unanswered: AtomicBool,
}

impl Calls {
    pub(super) fn answered(&self, is_answered: bool) {
        self.is_unanswered.store(!is_answered, Ordering::Relaxed);
        self.succeeded
            .fetch_add(u64::from(is_answered), Ordering::Relaxed);
    }

    fn called(&self, result: KafkaResult<()>) -> KafkaResult<()> {
        self.succeeded
            .fetch_add(u64::from(result.is_ok()), Ordering::Relaxed);
        self.flushed(result)
    }

    /// Not progress by itself: with nothing to send, it succeeds whatever the brokers do.
    fn flushed(&self, result: KafkaResult<()>) -> KafkaResult<()> {
        self.is_failing.store(result.is_err(), Ordering::Relaxed);
        result
    }

    fn is_waiting(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed) || self.is_unanswered.load(Ordering::Relaxed)
    }
}

impl TransactionalProducer for Transactional<'_> {
    fn init(&self) -> KafkaResult<()> {
        self.calls.called(TransactionalProducer::init(&self.producer))
    }

    fn begin(&self) -> KafkaResult<()> {
        self.calls.called(TransactionalProducer::begin(&self.producer))
    }

    fn flush(&self) -> KafkaResult<()> {
        self.calls.flushed(TransactionalProducer::flush(&self.producer))
    }

    fn send_offsets(&self, offsets: &TopicPartitionList, group: &ConsumerGroupMetadata) -> KafkaResult<()> {
        let sent = TransactionalProducer::send_offsets(&self.producer, offsets, group);
        self.calls.called(sent)
    }

    fn commit(&self) -> KafkaResult<()> {
        self.calls.called(TransactionalProducer::commit(&self.producer))
    }

    fn abort(&self) -> KafkaResult<()> {
        self.calls.called(TransactionalProducer::abort(&self.producer))
    }
}

impl Watched for Transactional<'_> {
    fn name(&self) -> &'static str {
        "transactional producer"
    }

    fn progress(&self) -> Progress {
        self.poll(Duration::ZERO);
        if !self.calls.is_waiting() && self.producer.in_flight_count() == 0 {
            return Progress::Idle;
        }
        let succeeded = self.calls.succeeded.load(Ordering::Relaxed);
        Progress::At(self.context().reports.counted() + succeeded)
    }

    fn client(&self) -> &dyn AnyClient {
        self.producer.client()
    }

    fn config(&self) -> &ClientConfig {
        &self.config
    }
}
