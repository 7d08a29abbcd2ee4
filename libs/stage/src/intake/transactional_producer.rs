//! The calls of a transactional producer that `transaction` makes, and which of their errors a new producer mends.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::commit_thread_handle::CALL_TIMEOUT;

/// How long one call to flush takes while records are in flight: rdkafka's waits this long even if they arrive at once.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(5);

/// A producer with a `transactional.id`, without the type of its context. Each call may be repeated.
pub trait TransactionalProducer: Sync {
    /// Fences earlier producers of the same id and aborts their open transactions.
    fn init(&self) -> KafkaResult<()>;
    /// Begins a transaction.
    fn begin(&self) -> KafkaResult<()>;
    /// Waits until every record that was sent is delivered or has failed. Short, because a failed transaction keeps records
    /// until it is aborted.
    fn flush(&self) -> KafkaResult<()>;
    /// Why the open transaction cannot be committed, if so.
    fn failure(&self) -> Option<KafkaError>;
    /// Adds offsets of the consumer's group to the transaction.
    fn send_offsets(&self, offsets: &TopicPartitionList, group: &ConsumerGroupMetadata) -> KafkaResult<()>;
    /// Makes the transaction's records and offsets visible.
    fn commit(&self) -> KafkaResult<()>;
    /// Discards the transaction, and serves the delivery reports of its records.
    fn abort(&self) -> KafkaResult<()>;
}

impl<C: ProducerContext> TransactionalProducer for BaseProducer<C> {
    fn init(&self) -> KafkaResult<()> {
        self.init_transactions(CALL_TIMEOUT)
    }

    fn begin(&self) -> KafkaResult<()> {
        self.begin_transaction()
    }

    fn flush(&self) -> KafkaResult<()> {
        Producer::flush(self, FLUSH_TIMEOUT)
    }

    fn failure(&self) -> Option<KafkaError> {
        transaction_failure(self)
    }

    fn send_offsets(&self, offsets: &TopicPartitionList, group: &ConsumerGroupMetadata) -> KafkaResult<()> {
        self.send_offsets_to_transaction(offsets, group, CALL_TIMEOUT)
    }

    fn commit(&self) -> KafkaResult<()> {
        self.commit_transaction(CALL_TIMEOUT)
    }

    fn abort(&self) -> KafkaResult<()> {
        let result = self.abort_transaction(CALL_TIMEOUT);
        self.poll(Duration::ZERO);
        result
    }
}

/// Why the open transaction of a producer cannot be committed, if so. No other call of the transaction may be under way.
///
/// No report tells this of a record that the broker has refused for lack of an earlier one: librdkafka (2.12) keeps it until
/// the transaction is aborted. librdkafka answers each call with the failure. Beginning a transaction changes nothing while
/// one is open.
pub fn transaction_failure<C: ProducerContext>(producer: &BaseProducer<C>) -> Option<KafkaError> {
    let error = producer.begin_transaction().err()?;
    let has_failed =
        matches!(&error, KafkaError::Transaction(cause) if cause.is_fatal() || cause.txn_requires_abort());
    has_failed.then_some(error)
}

/// Whether a new producer can continue where this one cannot. One that another process has fenced must not fence it in turn.
pub(super) fn may_help(error: &KafkaError, shares_id: bool) -> bool {
    use RDKafkaErrorCode as Code;
    let KafkaError::Transaction(cause) = error else {
        return false;
    };
    cause.is_fatal()
        && match cause.code() {
            Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => !shares_id,
            Code::TransactionalIdAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature => false,
            _ => true,
        }
}
