//! Transactions: what a stage produces, and the offsets of what it was made from, become visible together or not at all.
//!
//! ```text
//!  commit thread, every interval and before a partition is given up:
//!    gate shut ─▶ all that was sent has arrived ─▶ offsets join the transaction ─▶ commit ─▶ begin ─▶ gate open
//!  when that fails:
//!    abort ─▶ the poll thread seeks back to what was last committed ─▶ begin ─▶ gate open
//! ```
//!
//! Each worker works in offset order and the gate is shut at message boundaries, so that the finished prefixes cover
//! exactly what the transaction holds. The commit thread waits for brokers, and the poll thread goes on polling
//! meanwhile: the group membership is kept however long that takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::assignment::Assignments;
use super::commits;
use super::context::IntakeContext;
use super::gate::{Gate, State};
use crate::lock;
use crate::retry::Backoff;
use crate::service::Shutdown;

/// How long one call to librdkafka may take; each is repeated until it succeeds or the service gives up.
const CALL: Duration = Duration::from_secs(1);

/// A call that takes this long will not return.
const STUCK: Duration = Duration::from_secs(30);
/// The same when the service has given up.
const STUCK_AT_THE_END: Duration = Duration::from_secs(5);

/// A producer that was made with a `transactional.id`, without its context's type.
pub trait TransactionalProducer: Sync {
    /// Fences earlier producers of the same id and ends what they left open.
    fn init(&self) -> KafkaResult<()>;
    /// Begins a transaction.
    fn begin(&self) -> KafkaResult<()>;
    /// Waits until everything that was sent has arrived or failed.
    fn flush(&self) -> KafkaResult<()>;
    /// Puts offsets of the consumer's group into the transaction.
    fn send_offsets(&self, offsets: &TopicPartitionList, group: &ConsumerGroupMetadata) -> KafkaResult<()>;
    /// Makes the transaction's records and offsets visible.
    fn commit(&self) -> KafkaResult<()>;
    /// Takes the transaction back, and serves the reports of what it throws away.
    fn abort(&self) -> KafkaResult<()>;
}

impl<C: ProducerContext> TransactionalProducer for BaseProducer<C> {
    fn init(&self) -> KafkaResult<()> {
        self.init_transactions(CALL)
    }

    fn begin(&self) -> KafkaResult<()> {
        self.begin_transaction()
    }

    fn flush(&self) -> KafkaResult<()> {
        Producer::flush(self, CALL)
    }

    fn send_offsets(&self, offsets: &TopicPartitionList, group: &ConsumerGroupMetadata) -> KafkaResult<()> {
        self.send_offsets_to_transaction(offsets, group, CALL)
    }

    fn commit(&self) -> KafkaResult<()> {
        self.commit_transaction(CALL)
    }

    fn abort(&self) -> KafkaResult<()> {
        let result = self.abort_transaction(CALL);
        self.poll(Duration::ZERO);
        result
    }
}

/// Where a stage's workers send to in transactions.
pub trait TransactionalSink: Send + Sync {
    /// The producer.
    fn producer(&self) -> &dyn TransactionalProducer;
    /// What the workers pass for each message.
    fn gate(&self) -> &Gate;
    /// Whether something that was sent did not arrive: the transaction cannot be committed any more.
    fn has_failed(&self) -> bool;
    /// The transaction's end: what was done in it counts, or never happened.
    fn settle(&self, committed: bool);
}

/// What the commit thread is asked for.
pub(super) enum Request {
    /// Answered when the transaction has ended.
    EndTransaction(Sender<()>),
    /// No more messages come: commit a last time and end the thread.
    End,
}

/// The context's side of the commit thread.
pub(super) struct Commits {
    requests: Sender<Request>,
    /// Partitions have left without their offsets: the transaction that holds their records must not be committed.
    doomed: AtomicBool,
    /// Since when the commit thread is in a call to librdkafka.
    calling: Mutex<Option<Instant>>,
}

impl Commits {
    /// And the thread's side.
    pub(super) fn new() -> (Self, Receiver<Request>) {
        let (requests, asked) = bounded(4);
        let commits = Self {
            requests,
            doomed: AtomicBool::new(false),
            calling: Mutex::default(),
        };
        (commits, asked)
    }

    /// Ends the transaction; says whether it ended, committed or aborted, within `timeout`.
    pub(super) fn end_transaction(&self, timeout: Duration) -> bool {
        let (reply, answer) = bounded(1);
        self.requests.try_send(Request::EndTransaction(reply)).is_ok() && answer.recv_timeout(timeout).is_ok()
    }

    /// The transaction must be aborted.
    pub(super) fn doom(&self) {
        self.doomed.store(true, Ordering::Release);
    }

    /// Watches the commit thread until `over` is closed, and ends the process when it hangs.
    ///
    /// Seen with librdkafka 2.12: after the group's coordinator was lost, a call never came back, whatever its time-out
    /// (librdkafka's issues 5456 and 5511; saltransform's producer has a setting against it). No thread can be taken out
    /// of that. A new process aborts the transaction and reads its messages again.
    pub(super) fn watch(&self, over: &Receiver<()>, shutdown: &Shutdown) {
        while over.recv_timeout(CALL) == Err(RecvTimeoutError::Timeout) {
            if shutdown.is_abandoned() {
                // Whoever makes the next clients waits for these with a bound of its own.
                return;
            }
            let since = *lock(&self.calling);
            let Some(time) = since.map(|since| since.elapsed()) else {
                continue;
            };
            if is_stuck(time, shutdown.given_up()) {
                let seconds = time.as_secs();
                tracing::error!(
                    seconds,
                    "a call of librdkafka does not return; ending at once, nothing is lost"
                );
                crate::stderr::flush();
                std::process::exit(1);
            }
        }
    }

    fn call(&self, call: impl Fn() -> KafkaResult<()>) -> KafkaResult<()> {
        *lock(&self.calling) = Some(Instant::now());
        let result = call();
        *lock(&self.calling) = None;
        result
    }

    /// Ends the commit thread once it has served what was asked before.
    pub(super) fn end(&self) {
        let _ = self.requests.send(Request::End);
    }
}

/// The commit thread.
pub(super) struct Committer<'a> {
    pub(super) producer: Arc<dyn TransactionalSink + 'a>,
    pub(super) consumer: &'a BaseConsumer<IntakeContext>,
    pub(super) commits: &'a Commits,
    pub(super) requests: &'a Receiver<Request>,
    pub(super) assignments: &'a Assignments,
    /// Asks the poll thread to seek back; it answers when it has.
    pub(super) rewinds: Sender<Sender<()>>,
    pub(super) interval: Duration,
    pub(super) shutdown: &'a Shutdown,
}

/// Why a step of a transaction does not succeed.
enum Failure {
    /// This transaction cannot be committed; the next one may.
    Abort(String),
    /// The producer cannot go on.
    Fatal(KafkaError),
    /// The service gave up first.
    GivenUp,
}

impl Committer<'_> {
    /// Runs until it is told to end, or cannot go on.
    pub(super) fn run(self) {
        if let Err(failure) = self.work() {
            match failure {
                Failure::GivenUp => {}
                Failure::Fatal(error) => {
                    tracing::error!(
                        error = %crate::chain(&error),
                        "transactions cannot go on: another process has the same transactional id, this one was away for \
                         longer than its transaction's time-out, a topic of the transaction was deleted, or its user lacks the \
                         right to the id; stopping, nothing is lost"
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
            self.producer.settle(false);
        }
        self.producer.gate().set(State::Ended);
    }

    fn work(&self) -> Result<(), Failure> {
        let producer = self.producer.producer();
        self.attempt(|| producer.init(), || false)?;
        self.begin()?;
        let mut backoff = Backoff::default();
        loop {
            let mut is_last = false;
            let reply = match self.requests.recv_timeout(self.interval) {
                Ok(Request::EndTransaction(reply)) => Some(reply),
                Ok(Request::End) | Err(RecvTimeoutError::Disconnected) => {
                    is_last = true;
                    None
                }
                Err(RecvTimeoutError::Timeout) => None,
            };
            self.producer.gate().set(State::Shut);
            match self.commit() {
                Ok(()) if is_last => return Ok(()),
                Ok(()) => {
                    backoff.reset();
                    reply.map(|reply| reply.send(()));
                    self.producer.gate().set(State::Open);
                }
                Err(Failure::Abort(why)) => {
                    tracing::warn!(why, "transaction aborted; its messages are read again");
                    commits::count(self.consumer.context(), false);
                    self.attempt(|| producer.abort(), || false)?;
                    self.producer.settle(false);
                    self.commits.doomed.store(false, Ordering::Release);
                    reply.map(|reply| reply.send(()));
                    // Without a pause, a lasting cause (a right that is missing) would make a storm of transactions.
                    if !backoff.wait(None, self.shutdown) || !self.rewind() {
                        return Err(Failure::GivenUp);
                    }
                    self.begin()?;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    fn begin(&self) -> Result<(), Failure> {
        self.producer.producer().begin().map_err(Failure::Fatal)?;
        self.producer.gate().set(State::Open);
        Ok(())
    }

    /// Ends the transaction, if anything was done in it, and begins the next one. The gate is shut.
    fn commit(&self) -> Result<(), Failure> {
        let producer = self.producer.producer();
        let is_doomed = || self.commits.doomed.load(Ordering::Acquire);
        self.attempt(|| producer.flush(), is_doomed)?;
        if self.producer.has_failed() {
            return Err(Failure::Abort("a record did not arrive".to_owned()));
        }
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
            return if is_doomed() { Err(doomed()) } else { Ok(()) };
        }
        let group = self
            .consumer
            .group_metadata()
            .ok_or_else(|| Failure::Abort("the consumer is in no group".to_owned()))?;
        self.attempt(|| producer.send_offsets(&offsets, &group), is_doomed)?;
        if is_doomed() {
            return Err(doomed());
        }
        self.attempt(|| producer.commit(), || false)?;
        for (partition, position) in moved {
            partition.restart_at(position);
            partition.committed(Some(position));
        }
        commits::count(self.consumer.context(), true);
        self.producer.settle(true);
        producer.begin().map_err(Failure::Fatal)
    }

    /// Repeats a call that can be repeated, until the service gives up or `is_doomed`.
    fn attempt(
        &self,
        call: impl Fn() -> KafkaResult<()>,
        is_doomed: impl Fn() -> bool,
    ) -> Result<(), Failure> {
        loop {
            match self.commits.call(&call) {
                Ok(()) => return Ok(()),
                Err(_) if self.shutdown.given_up() => return Err(Failure::GivenUp),
                Err(error) => match &error {
                    KafkaError::Transaction(cause) if cause.is_fatal() => return Err(Failure::Fatal(error)),
                    KafkaError::Transaction(cause) if cause.txn_requires_abort() => {
                        return Err(Failure::Abort(cause.string()));
                    }
                    KafkaError::Transaction(cause) if !cause.is_retriable() => {
                        return Err(Failure::Fatal(error));
                    }
                    // A flush that takes longer than one call.
                    _ => {}
                },
            }
            if is_doomed() {
                return Err(doomed());
            }
            self.shutdown.wait_unless_given_up(Duration::from_millis(20));
        }
    }

    /// Has the poll thread seek back; says whether it did. It does not any more once it has stopped polling.
    fn rewind(&self) -> bool {
        let (reply, done) = bounded(1);
        if self.rewinds.send(reply).is_err() {
            return false;
        }
        loop {
            select! {
                recv(done) -> done => return done.is_ok(),
                // The poll thread itself may be waiting for us, within a rebalance.
                recv(self.requests) -> request => match request {
                    Ok(Request::EndTransaction(reply)) => drop(reply.send(())),
                    Ok(Request::End) | Err(_) => return false,
                },
            }
        }
    }
}

fn is_stuck(time: Duration, given_up: bool) -> bool {
    time > if given_up { STUCK_AT_THE_END } else { STUCK }
}

fn doomed() -> Failure {
    Failure::Abort("partitions were lost before their offsets were committed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_call_that_outlives_its_time_out_by_far_is_stuck() {
        assert!(!is_stuck(CALL * 5, false) && is_stuck(STUCK * 2, false));
        assert!(!is_stuck(CALL, true) && is_stuck(STUCK, true));
        let (commits, _requests) = Commits::new();
        commits
            .call(|| {
                assert!(lock(&commits.calling).is_some());
                Ok(())
            })
            .unwrap();
        assert_eq!(*lock(&commits.calling), None);
    }

    /// It would end this process.
    #[test]
    fn a_call_of_clients_that_are_given_up_ends_nothing() {
        let (commits, _requests) = Commits::new();
        *lock(&commits.calling) = Instant::now().checked_sub(2 * STUCK);
        assert!(lock(&commits.calling).is_some());
        let shutdown = Shutdown::new(Duration::ZERO).generation();
        shutdown.abandon();
        let (_open, over) = bounded(0);
        commits.watch(&over, &shutdown);
    }
}
