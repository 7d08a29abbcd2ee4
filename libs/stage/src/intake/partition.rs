//! One assigned partition, with its finished prefix and its messages in flight, and the receipts of those. Receipts write
//! to it from any thread, the poll thread reads it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::lock;
use crate::metrics::{KafkaMetrics, Subsystem};
use crate::offsets::OffsetTracker;
use crate::origin::Origin;

/// No offset, and no timestamp.
const NONE: i64 = i64::MIN;

/// One assignment of one partition. A later assignment of the same partition is a separate one, which receipts of the
/// earlier cannot move.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) number: i32,
    pub(super) worker: usize,
    prefix: Mutex<OffsetTracker>,
    unfinished: AtomicUsize,
    revoked: AtomicBool,
    /// Another assignment has taken over because the log starts again: messages of this one finish, but their offsets
    /// do not count.
    superseded: AtomicBool,
    /// The group's offset, as confirmed by its coordinator.
    committed: Mutex<Option<i64>>,
    /// Where to read again after an aborted transaction: the last committed offset, or the first consumed one.
    restart: AtomicI64,
    /// The offset after the last message that librdkafka delivered; [`NONE`] while any may follow.
    next: AtomicI64,
    /// Kafka's timestamp of the first message that has arrived and is not dispatched yet, or [`NONE`].
    arrived: AtomicI64,
    /// With transactions: that of the first message whose transaction is not committed, or [`NONE`].
    uncommitted: AtomicI64,
    subsystem: Arc<Subsystem>,
    in_flight: Arc<InFlight>,
}

/// What all partitions have in flight together.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) messages: AtomicUsize,
    pub(super) bytes: AtomicUsize,
    /// Whether messages count as finished only when their transaction is committed.
    pub(super) is_transactional: AtomicBool,
    pub(super) metrics: KafkaMetrics,
}

/// A message that is consumed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) offset: i64,
    /// Kafka's, if the message has one.
    pub(super) timestamp_ms: Option<i64>,
    /// Its size in memory.
    pub(super) bytes: usize,
}

/// The obligation to report when a message is safe. Dropped unfinished, it holds its partition's offset.
#[derive(Debug)]
pub struct Receipt {
    partition: Arc<Partition>,
    offset: i64,
    bytes: usize,
    /// Whether it is finished or withdrawn, so that dropping it has no effect.
    settled: bool,
}

impl Receipt {
    /// The message has reached the next system or the dead-letter topic, or is skipped.
    pub fn finish(self) {
        Self::settle(&mut [self]);
    }

    /// The same for many messages. State shared with other threads is written once for each run of one partition's
    /// receipts.
    pub fn finish_all(mut receipts: Vec<Self>) {
        Self::settle(&mut receipts);
    }

    fn settle(receipts: &mut [Self]) {
        for run in receipts.chunk_by_mut(|one, next| Arc::ptr_eq(&one.partition, &next.partition)) {
            let Some(first) = run.first() else { continue };
            let partition = Arc::clone(&first.partition);
            let mut bytes = 0;
            let mut prefix = lock(&partition.prefix);
            for receipt in &mut *run {
                receipt.settled = true;
                bytes += receipt.bytes;
                prefix.finish(receipt.offset);
            }
            if !partition.is_transactional() {
                partition.show_finished(prefix.newest_ms());
            }
            drop(prefix);
            partition.let_go(run.len(), bytes);
        }
    }

    /// The message is not given to its worker because its partition was revoked. What no worker received does not count
    /// as released.
    pub(super) fn withdraw(mut self) {
        self.settled = true;
        self.partition.let_go(1, self.bytes);
    }

    /// Whether the partition was revoked: another process reads the message again, so that work on it is wasted.
    pub fn is_revoked(&self) -> bool {
        self.partition.revoked.load(Ordering::Relaxed)
    }

    /// The origin of the message, without its timestamp.
    pub fn origin(&self) -> Origin {
        Origin {
            topic: Arc::clone(&self.partition.topic),
            partition: self.partition.number,
            offset: self.offset,
            timestamp_ms: None,
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.settled {
            self.partition.in_flight.metrics.released.inc();
            self.partition.let_go(1, self.bytes);
        }
    }
}

impl InFlight {
    pub(super) fn new(metrics: KafkaMetrics) -> Self {
        Self {
            messages: 0.into(),
            bytes: 0.into(),
            is_transactional: AtomicBool::new(false),
            metrics,
        }
    }
}

impl Partition {
    /// An assignment whose first message is at `offset`.
    pub(super) fn new(
        topic: &str,
        number: i32,
        worker: usize,
        offset: i64,
        subsystem: Arc<Subsystem>,
        in_flight: Arc<InFlight>,
    ) -> Self {
        Self {
            topic: topic.into(),
            number,
            worker,
            prefix: Mutex::default(),
            unfinished: AtomicUsize::new(0),
            revoked: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
            next: NONE.into(),
            arrived: NONE.into(),
            uncommitted: NONE.into(),
            subsystem,
            committed: Mutex::default(),
            restart: offset.into(),
            in_flight,
        }
    }

    /// Notes consumed messages: all that have arrived and were not dispatched.
    pub(super) fn take(self: &Arc<Self>, messages: impl IntoIterator<Item = Taken>) -> Vec<Receipt> {
        let mut all = 0;
        let mut prefix = lock(&self.prefix);
        let receipt = |taken: Taken| {
            prefix.begin(taken.offset, taken.timestamp_ms);
            all += taken.bytes;
            Receipt {
                partition: Arc::clone(self),
                offset: taken.offset,
                bytes: taken.bytes,
                settled: false,
            }
        };
        let receipts: Vec<Receipt> = messages.into_iter().map(receipt).collect();
        if self.is_transactional() && self.uncommitted.load(Ordering::Relaxed) == NONE {
            self.uncommitted
                .store(prefix.oldest_ms().unwrap_or(NONE), Ordering::Relaxed);
        }
        self.arrived.store(NONE, Ordering::Relaxed);
        drop(prefix);
        self.unfinished.fetch_add(receipts.len(), Ordering::Relaxed);
        self.in_flight
            .messages
            .fetch_add(receipts.len(), Ordering::Relaxed);
        self.in_flight.bytes.fetch_add(all, Ordering::Relaxed);
        receipts
    }

    /// This many messages are no longer in flight.
    fn let_go(&self, messages: usize, bytes: usize) {
        self.in_flight.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.in_flight.messages.fetch_sub(messages, Ordering::Relaxed);
        // Last, after the prefix was written: a thread that sees no unfinished message sees the final position.
        self.unfinished.fetch_sub(messages, Ordering::Release);
    }

    /// A message has arrived and waits to be dispatched; `timestamp_ms` is asked for if it is the first one.
    pub(super) fn arrives(&self, timestamp_ms: impl FnOnce() -> Option<i64>) {
        if self.arrived.load(Ordering::Relaxed) == NONE {
            self.arrived
                .store(timestamp_ms().unwrap_or(NONE), Ordering::Relaxed);
        }
    }

    /// Whether a message with a timestamp has arrived and waits to be dispatched.
    pub(super) fn has_arrived(&self) -> bool {
        self.arrived.load(Ordering::Relaxed) != NONE
    }

    /// Kafka's timestamp of the oldest message that has arrived and is not finished.
    pub(super) fn oldest_ms(&self) -> Option<i64> {
        let taken = lock(&self.prefix).oldest_ms();
        let others = [&self.arrived, &self.uncommitted].map(|ms| ms.load(Ordering::Relaxed));
        let others = others.into_iter().filter(|ms| *ms != NONE);
        taken.into_iter().chain(others).min()
    }

    /// Kafka's timestamp of the last finished message before the position.
    pub(super) fn passed_ms(&self) -> Option<i64> {
        lock(&self.prefix).passed_ms()
    }

    fn is_transactional(&self) -> bool {
        self.in_flight.is_transactional.load(Ordering::Relaxed)
    }

    fn show_finished(&self, newest_ms: Option<i64>) {
        if let Some(newest_ms) = newest_ms {
            self.subsystem.finished(newest_ms);
        }
    }

    /// The offset after the last message that arrived.
    pub(super) fn next(&self) -> Option<i64> {
        Some(self.next.load(Ordering::Relaxed)).filter(|next| *next != NONE)
    }

    /// The next message is expected at this offset or later; without one, anywhere.
    pub(super) fn expect(&self, next: Option<i64>) {
        self.next.store(next.unwrap_or(NONE), Ordering::Relaxed);
    }

    /// Nothing before `to` will arrive: it counts as finished.
    pub(super) fn pass_over(&self, to: i64) {
        let mut prefix = lock(&self.prefix);
        prefix.begin(to - 1, None);
        prefix.finish(to - 1);
        drop(prefix);
        self.expect(Some(to));
    }

    /// Its receipts report from now on that it is revoked.
    pub(super) fn revoke(&self) {
        self.revoked.store(true, Ordering::Relaxed);
    }

    /// Another assignment takes over because the log starts again.
    pub(super) fn supersede(&self) {
        self.superseded.store(true, Ordering::Relaxed);
    }

    /// Whether the partition was revoked.
    pub(super) fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Relaxed)
    }

    /// Whether nothing of it is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.unfinished.load(Ordering::Acquire) == 0
    }

    /// Whether another assignment has taken over because the log starts again.
    pub(super) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Relaxed)
    }

    /// All messages before `offset` are consumed. Returns the expected offset, if there was one.
    pub(super) fn reach(&self, offset: i64) -> Option<i64> {
        lock(&self.prefix).reach(offset);
        let expected = self.next();
        self.expect(Some(offset));
        expected
    }

    /// How far its messages have finished.
    pub(super) fn position(&self) -> Option<i64> {
        lock(&self.prefix).position()
    }

    /// The offset to commit, unless the group already has it.
    pub(super) fn uncommitted(&self) -> Option<i64> {
        let position = self.position();
        position.filter(|_| position != *lock(&self.committed))
    }

    /// The group has this offset.
    pub(super) fn committed(&self, offset: Option<i64>) {
        *lock(&self.committed) = offset;
    }

    /// After an aborted transaction, messages are read from this position again.
    pub(super) fn restart_at(&self, position: i64) {
        self.restart.store(position, Ordering::Relaxed);
    }

    /// A transaction was committed with `position`, and with all that is finished.
    pub(super) fn committed_in_transaction(&self, position: i64) {
        self.restart_at(position);
        self.committed(Some(position));
        let prefix = lock(&self.prefix);
        self.uncommitted
            .store(prefix.oldest_ms().unwrap_or(NONE), Ordering::Relaxed);
        self.show_finished(prefix.newest_ms());
    }

    /// Where to read again after a transaction that was aborted.
    pub(super) fn restart(&self) -> i64 {
        self.restart.load(Ordering::Relaxed)
    }
}
