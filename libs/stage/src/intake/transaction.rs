//! Exactly once, from the side of the offsets: a stage's records, and the offsets of the messages that they were made from,
//! become visible together or not at all.
//!
//! The steps of one transaction, in the order of this file's functions. The commit thread runs them every interval, and
//! before a partition is given up:
//!
//! | step | what happens | where |
//! |---|---|---|
//! | init | earlier producers of the same id are fenced | `Committer::work` |
//! | begin | the gate opens | `Committer::begin` |
//! | produce | workers pass the gate (`gate.rs`) with each message and send its record | the stage: `producer/transactional.rs` of saltransform |
//! | end | the interval has passed, or a revoke asks for it (`commit_thread_handle.rs`); the gate shuts | `Committer::wait_for_end` |
//! | flush | every record is delivered, or the transaction fails | `Committer::flush` |
//! | send offsets | the finished prefixes (`offsets.rs`) join the transaction | `Committer::send_offsets` |
//! | commit | records and offsets are visible; the next transaction begins | `Committer::commit` |
//! | abort | if a step fails: the records are discarded | `Committer::abort` |
//! | rewind | and the poll thread seeks back to the last committed offsets | `Committer::rewind`, `seek_back` |
//!
//! Each worker works in offset order and the gate shuts between messages, so that the finished prefixes cover exactly what
//! the transaction holds. The commit thread waits for brokers while the poll thread keeps polling: the group membership is
//! kept however long that takes.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use super::assignment::Assignments;
use super::commit_thread_handle::{CommitThreadHandle, Request};
use super::commits;
use super::context::IntakeContext;
use super::error::IntakeError;
use super::gate::{Gate, State};
use super::lag::SEEK_SETTLE_DURATION;
use super::partition::Partition;
use super::transactional_producer::{TransactionalProducer, may_help};
use crate::retry::Backoff;
use crate::service::Shutdown;

/// The stage's side: what its workers produce to.
pub trait TransactionalSink: Send + Sync {
    /// The producer.
    fn producer(&self) -> &dyn TransactionalProducer;
    /// The gate that workers pass with each message.
    fn gate(&self) -> &Gate;
    /// Whether a record was not delivered, so that the transaction can no longer be committed.
    fn has_failed(&self) -> bool;
    /// Whether messages will be treated differently when they are read again, as learned since this was asked last.
    fn take_learned(&self) -> bool;
    /// The transaction has ended: what was done in it counts if it was committed.
    fn settle(&self, committed: bool);
}

/// The time for seeking back, which is local work of librdkafka.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// The commit thread.
pub(super) struct Committer<'a> {
    pub(super) producer: Arc<dyn TransactionalSink + 'a>,
    pub(super) consumer: &'a BaseConsumer<IntakeContext>,
    pub(super) thread: &'a CommitThreadHandle,
    pub(super) requests: &'a Receiver<Request>,
    pub(super) assignments: &'a Assignments,
    /// Asks the poll thread to seek back; it answers when it has.
    pub(super) rewinds: Sender<Sender<()>>,
    pub(super) interval: Duration,
    /// Whether another process may use the same transactional id: a static member's follows from its name.
    pub(super) shares_id: bool,
    /// Whether a transaction of this producer was committed.
    pub(super) has_committed: Cell<bool>,
    pub(super) shutdown: &'a Shutdown,
}

/// Why a step does not succeed.
enum Failure {
    /// This transaction cannot be committed; the next one may.
    Abort(String),
    /// The producer cannot continue.
    Fatal(KafkaError),
    /// The service gave up first.
    GivenUp,
}

impl Failure {
    /// `None` if the call may be repeated.
    fn of(error: KafkaError) -> Option<Self> {
        match &error {
            KafkaError::Transaction(cause) if cause.is_fatal() => Some(Self::Fatal(error)),
            KafkaError::Transaction(cause) if cause.txn_requires_abort() => Some(Self::Abort(cause.string())),
            KafkaError::Transaction(cause) if !cause.is_retriable() => Some(Self::Fatal(error)),
            // A flush that takes longer than one call.
            _ => None,
        }
    }
}

/// Why a transaction ends.
struct End {
    /// For the revoke that waits for it.
    reply: Option<Sender<()>>,
    /// No more messages come.
    is_last: bool,
}

/// Partitions whose offsets are in the transaction, each with its offset.
type Moved = Vec<(Arc<Partition>, i64)>;

impl Committer<'_> {
    /// Runs until the intake ends or the producer cannot continue. An error says that a new producer can.
    pub(super) fn run(self) -> Result<(), IntakeError> {
        let result = self.work().or_else(|failure| {
            let result = self.fail(failure);
            self.producer.settle(false);
            result
        });
        self.producer.gate().set(State::Ended);
        result
    }

    fn fail(&self, failure: Failure) -> Result<(), IntakeError> {
        match failure {
            Failure::GivenUp => {}
            Failure::Fatal(error) if may_help(&error, self.shares_id) => {
                tracing::warn!(
                    error = %crate::chain(&error),
                    "the transactional producer cannot continue: it was away for longer than its transaction's time-out, a \
                     topic of the transaction was deleted, or a broker lost the sequence of its records"
                );
                self.shutdown.abandon();
                return Err(IntakeError::Transactions {
                    has_committed: self.has_committed.get(),
                    source: error,
                });
            }
            Failure::Fatal(error) => {
                tracing::error!(
                    error = %crate::chain(&error),
                    "transactions cannot continue: another process has the same transactional id, or this one's user lacks \
                     the right to the id; stopping, nothing is lost"
                );
                self.shutdown.fail();
            }
            Failure::Abort(why) => {
                tracing::error!(
                    why,
                    "transaction can be neither committed nor aborted; stopping, nothing is lost"
                );
                self.shutdown.fail();
            }
        }
        Ok(())
    }

    fn work(&self) -> Result<(), Failure> {
        let producer = self.producer.producer();
        self.attempt(|| producer.init(), || None)?;
        self.begin()?;
        let mut backoff = Backoff::default();
        loop {
            let end = self.wait_for_end();
            self.producer.gate().set(State::Shut);
            match self.commit() {
                Ok(()) if end.is_last => return Ok(()),
                Ok(()) => {
                    backoff.reset();
                    end.answer();
                    self.producer.gate().set(State::Open);
                }
                Err(Failure::Abort(why)) => {
                    if self.producer.take_learned() {
                        backoff.reset();
                    }
                    self.abort(&why)?;
                    end.answer();
                    // Without a pause, a lasting cause such as a missing right would produce transactions without end.
                    if !backoff.wait(None, self.shutdown) || !self.rewind() {
                        return Err(Failure::GivenUp);
                    }
                    self.begin()?;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Begins a transaction and lets the workers produce.
    fn begin(&self) -> Result<(), Failure> {
        self.producer.producer().begin().map_err(Failure::Fatal)?;
        self.producer.gate().set(State::Open);
        Ok(())
    }

    fn wait_for_end(&self) -> End {
        match self.requests.recv_timeout(self.interval) {
            Ok(Request::EndTransaction(reply)) => End {
                reply: Some(reply),
                is_last: false,
            },
            Ok(Request::End) | Err(RecvTimeoutError::Disconnected) => End {
                reply: None,
                is_last: true,
            },
            Err(RecvTimeoutError::Timeout) => End {
                reply: None,
                is_last: false,
            },
        }
    }

    /// Commits the transaction, if anything was done in it, and begins the next one. The gate is shut.
    fn commit(&self) -> Result<(), Failure> {
        let producer = self.producer.producer();
        self.flush()?;
        let moved = self.send_offsets()?;
        if let Some(failure) = self.doomed() {
            return Err(failure);
        }
        if moved.is_empty() {
            return Ok(());
        }
        self.attempt(|| producer.commit(), || None)?;
        for (partition, position) in moved {
            partition.committed_in_transaction(position);
        }
        self.has_committed.set(true);
        commits::count(self.consumer.context(), true);
        self.producer.settle(true);
        producer.begin().map_err(Failure::Fatal)
    }

    /// Waits until every record of the transaction is delivered.
    fn flush(&self) -> Result<(), Failure> {
        let producer = self.producer.producer();
        self.attempt(|| producer.flush(), || self.doomed().or_else(|| self.failure()))?;
        self.unarrived().map_or(Ok(()), Err)
    }

    /// Why records that are not delivered yet need not be waited for.
    fn failure(&self) -> Option<Failure> {
        let producer = self.producer.producer();
        let told = || self.thread.call(|| producer.failure().map_or(Ok(()), Err)).err();
        self.unarrived().or_else(|| told().and_then(Failure::of))
    }

    fn unarrived(&self) -> Option<Failure> {
        let failure = || Failure::Abort("a record did not arrive".to_owned());
        self.producer.has_failed().then(failure)
    }

    fn doomed(&self) -> Option<Failure> {
        let failure =
            || Failure::Abort("partitions were lost before their offsets were committed".to_owned());
        self.thread.is_doomed().then(failure)
    }

    /// Adds the offsets that have moved to the transaction. Nothing is sent if none has.
    fn send_offsets(&self) -> Result<Moved, Failure> {
        let producer = self.producer.producer();
        let mut offsets = TopicPartitionList::new();
        let mut moved = Vec::new();
        for partition in self.assignments.in_transaction() {
            if let Some(position) = partition.uncommitted() {
                commits::add(self.consumer.context(), &mut offsets, &partition, position)
                    .map_err(Failure::Fatal)?;
                moved.push((partition, position));
            }
        }
        if moved.is_empty() {
            return Ok(moved);
        }
        let group = self
            .consumer
            .group_metadata()
            .ok_or_else(|| Failure::Abort("the consumer is in no group".to_owned()))?;
        self.attempt(|| producer.send_offsets(&offsets, &group), || self.doomed())?;
        Ok(moved)
    }

    /// Discards the transaction; its messages are read again.
    fn abort(&self, why: &str) -> Result<(), Failure> {
        tracing::warn!(why, "transaction aborted; its messages are read again");
        commits::count(self.consumer.context(), false);
        let producer = self.producer.producer();
        self.attempt(|| producer.abort(), || None)?;
        self.producer.settle(false);
        self.thread.clear_doomed();
        Ok(())
    }

    /// Has the poll thread seek back. False if it no longer polls.
    fn rewind(&self) -> bool {
        let (reply, done) = bounded(1);
        if self.rewinds.send(reply).is_err() {
            return false;
        }
        loop {
            select! {
                recv(done) -> done => return done.is_ok(),
                // The poll thread itself may be waiting for this one, within a rebalance.
                recv(self.requests) -> request => match request {
                    Ok(Request::EndTransaction(reply)) => drop(reply.send(())),
                    Ok(Request::End) | Err(_) => return false,
                },
            }
        }
    }

    /// Repeats a call until it succeeds, cannot succeed, the service gives up or there is a reason to stop.
    fn attempt(
        &self,
        call: impl Fn() -> KafkaResult<()>,
        stop: impl Fn() -> Option<Failure>,
    ) -> Result<(), Failure> {
        loop {
            match self.thread.call(&call) {
                Ok(()) => return Ok(()),
                Err(_) if self.shutdown.given_up() => return Err(Failure::GivenUp),
                Err(error) => {
                    if let Some(failure) = Failure::of(error) {
                        return Err(failure);
                    }
                }
            }
            if let Some(failure) = stop() {
                return Err(failure);
            }
            self.shutdown.wait_unless_given_up(Duration::from_millis(20));
        }
    }
}

/// The poll thread's part of a rewind: everything since the last committed offsets is read again, and what was consumed
/// since is void.
pub(super) fn seek_back(
    consumer: &BaseConsumer<IntakeContext>,
    assignments: &Assignments,
) -> Result<(), IntakeError> {
    let context = consumer.context();
    let mut list = TopicPartitionList::new();
    for partition in assignments.partitions() {
        assignments.revoke(&partition.topic, partition.number);
        let restart = partition.restart();
        context
            .assigned
            .restart_at(&partition.topic, partition.number, restart);
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(restart))
            .map_err(IntakeError::Rewind)?;
    }
    if list.count() == 0 {
        return Ok(());
    }
    context.fetched.forget(SEEK_SETTLE_DURATION);
    let sought = consumer
        .seek_partitions(list, SEEK_TIMEOUT)
        .map_err(IntakeError::Rewind)?;
    for element in sought.elements() {
        element.error().map_err(IntakeError::Rewind)?;
    }
    context.blocked.starts(&sought);
    consumer.resume(&sought).map_err(IntakeError::Rewind)
}

impl End {
    fn answer(self) {
        if let Some(reply) = self.reply {
            // The revoke may have stopped waiting.
            let _ = reply.send(());
        }
    }
}
