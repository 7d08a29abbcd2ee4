//! The transactional producer as its watch sees it: it waits while records are in flight or its calls fail.

use std::time::Duration;

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::Producer;
use rdkafka::{ClientConfig, TopicPartitionList};
use stage::intake::TransactionalProducer;
use stage::kafka::{AnyClient, Progress, Watched};

use super::transactional::Transactional;

impl TransactionalProducer for Transactional<'_> {
    fn init(&self) -> KafkaResult<()> {
        self.calls.called(TransactionalProducer::init(&*self.producer))
    }

    fn begin(&self) -> KafkaResult<()> {
        self.calls.called(TransactionalProducer::begin(&*self.producer))
    }

    fn flush(&self) -> KafkaResult<()> {
        self.calls.flushed(TransactionalProducer::flush(&*self.producer))
    }

    fn failure(&self) -> Option<KafkaError> {
        TransactionalProducer::failure(&*self.producer)
    }

    fn send_offsets(&self, offsets: &TopicPartitionList, group: &ConsumerGroupMetadata) -> KafkaResult<()> {
        let sent = TransactionalProducer::send_offsets(&*self.producer, offsets, group);
        self.calls.called(sent)
    }

    fn commit(&self) -> KafkaResult<()> {
        self.calls.called(TransactionalProducer::commit(&*self.producer))
    }

    fn abort(&self) -> KafkaResult<()> {
        self.calls.called(TransactionalProducer::abort(&*self.producer))
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
        Progress::At(self.context().reports.counted() + self.calls.succeeded())
    }

    fn client(&self) -> &dyn AnyClient {
        self.producer.client()
    }

    fn config(&self) -> &ClientConfig {
        &self.config
    }
}
