//! The assigned partitions, each with its finished prefix and its messages in flight. Receipts write to them from any
//! thread, the poll thread reads them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rdkafka::Offset;

use crate::lock;
use crate::metrics::KafkaMetrics;
use crate::offsets::OffsetTracker;
use crate::origin::Origin;

/// No offset.
const NONE: i64 = i64::MIN;

/// All partitions of an intake, and what they have in flight together.
#[derive(Debug)]
pub(super) struct Assignments {
    assigned: Mutex<Assigned>,
    in_flight: Arc<InFlight>,
}

/// One lock for both, so that a transaction that ends at any time sees a partition in one of the two.
#[derive(Debug, Default)]
struct Assigned {
    ours: HashMap<(String, i32), Arc<Partition>>,
    /// No longer assigned, but their positions are still committed with the transactions that hold their records.
    leaving: Vec<Arc<Partition>>,
}

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
    in_flight: Arc<InFlight>,
}

#[derive(Debug)]
struct InFlight {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    metrics: KafkaMetrics,
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

impl Assignments {
    pub(super) fn new(metrics: KafkaMetrics) -> Self {
        let in_flight = Arc::new(InFlight {
            messages: 0.into(),
            bytes: 0.into(),
            metrics,
        });
        Self {
            assigned: Mutex::default(),
            in_flight,
        }
    }

    /// The current assignment of a partition, created when its first message (the one at `offset`) arrives. Workers are
    /// assigned in turn.
    pub(super) fn partition(&self, topic: &str, number: i32, offset: i64, workers: usize) -> Arc<Partition> {
        let ours = &mut lock(&self.assigned).ours;
        let next_worker = ours.len() % workers.max(1);
        let partition = ours
            .entry((topic.to_owned(), number))
            .or_insert_with(|| self.new_partition(topic, number, next_worker, offset));
        Arc::clone(partition)
    }

    /// Replaces the assignment of a partition whose log starts again: other offsets, the same worker.
    pub(super) fn supersede(&self, old: &Partition, offset: i64) -> Arc<Partition> {
        old.superseded.store(true, Ordering::Relaxed);
        let new = self.new_partition(&old.topic, old.number, old.worker, offset);
        let key = (old.topic.to_string(), old.number);
        lock(&self.assigned).ours.insert(key, Arc::clone(&new));
        new
    }

    fn new_partition(&self, topic: &str, number: i32, worker: usize, offset: i64) -> Arc<Partition> {
        Arc::new(Partition {
            topic: topic.into(),
            number,
            worker,
            prefix: Mutex::default(),
            unfinished: AtomicUsize::new(0),
            revoked: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
            next: NONE.into(),
            committed: Mutex::default(),
            restart: offset.into(),
            in_flight: Arc::clone(&self.in_flight),
        })
    }

    /// The offset of the next message of a partition, if one has arrived.
    pub(super) fn next_offset(&self, topic: &str, number: i32) -> Option<Offset> {
        self.find(topic, number)?.next().map(Offset::Offset)
    }

    /// Any message of the partition may be the next one.
    pub(super) fn expect_any(&self, topic: &str, number: i32) {
        if let Some(partition) = self.find(topic, number) {
            partition.expect(None);
        }
    }

    /// An assigned partition from which a message has arrived.
    pub(super) fn find(&self, topic: &str, number: i32) -> Option<Arc<Partition>> {
        let key = (topic.to_owned(), number);
        lock(&self.assigned).ours.get(&key).cloned()
    }

    /// Removes a partition; its receipts report from now on that it is revoked.
    pub(super) fn revoke(&self, topic: &str, number: i32) -> Option<Arc<Partition>> {
        lock(&self.assigned).revoke(topic, number)
    }

    /// The same, but transactions still commit its position until [`Assignments::forget_leaving`].
    pub(super) fn leave(&self, topic: &str, number: i32) -> Option<Arc<Partition>> {
        let mut assigned = lock(&self.assigned);
        let partition = assigned.revoke(topic, number)?;
        assigned.leaving.push(Arc::clone(&partition));
        Some(partition)
    }

    /// The transaction with the last records of the leaving partitions has ended.
    pub(super) fn forget_leaving(&self) {
        lock(&self.assigned).leaving.clear();
    }

    /// Removes all partitions.
    pub(super) fn clear(&self) {
        lock(&self.assigned).ours.clear();
    }

    /// Partitions whose positions a transaction commits: the assigned and the leaving ones.
    pub(super) fn in_transaction(&self) -> Vec<Arc<Partition>> {
        let assigned = lock(&self.assigned);
        assigned.ours.values().chain(&assigned.leaving).cloned().collect()
    }

    /// All assigned partitions from which a message has arrived.
    pub(super) fn partitions(&self) -> Vec<Arc<Partition>> {
        lock(&self.assigned).ours.values().cloned().collect()
    }

    /// Bytes in flight.
    pub(super) fn bytes(&self) -> usize {
        self.in_flight.bytes.load(Ordering::Relaxed)
    }

    /// Messages in flight, including those of revoked partitions.
    pub(super) fn messages(&self) -> usize {
        self.in_flight.messages.load(Ordering::Acquire)
    }

    /// Publishes what is in flight as metrics.
    pub(super) fn publish(&self) {
        let as_i64 = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.in_flight.metrics.in_flight.set(as_i64(self.messages()));
        self.in_flight.metrics.in_flight_bytes.set(as_i64(self.bytes()));
    }
}

impl Assigned {
    fn revoke(&mut self, topic: &str, number: i32) -> Option<Arc<Partition>> {
        let partition = self.ours.remove(&(topic.to_owned(), number))?;
        partition.revoked.store(true, Ordering::Relaxed);
        Some(partition)
    }
}

impl Partition {
    /// Notes consumed messages, each with its offset and its size in memory.
    pub(super) fn take(self: &Arc<Self>, messages: impl IntoIterator<Item = (i64, usize)>) -> Vec<Receipt> {
        let mut all = 0;
        let mut prefix = lock(&self.prefix);
        let receipt = |(offset, bytes)| {
            prefix.begin(offset);
            all += bytes;
            Receipt {
                partition: Arc::clone(self),
                offset,
                bytes,
                settled: false,
            }
        };
        let receipts: Vec<Receipt> = messages.into_iter().map(receipt).collect();
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
        prefix.begin(to - 1);
        prefix.finish(to - 1);
        drop(prefix);
        self.expect(Some(to));
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

    /// After a transaction that was committed with `position`.
    pub(super) fn restart_at(&self, position: i64) {
        self.restart.store(position, Ordering::Relaxed);
    }

    /// Where to read again after a transaction that was aborted.
    pub(super) fn restart(&self) -> i64 {
        self.restart.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignments() -> Assignments {
        Assignments::new(KafkaMetrics::register(&prometheus::Registry::new()).unwrap())
    }

    fn take<const N: usize>(partition: &Arc<Partition>, messages: [(i64, usize); N]) -> [Receipt; N] {
        partition.take(messages).try_into().unwrap()
    }

    #[test]
    fn a_dropped_receipt_holds_the_offset_and_frees_the_bytes() {
        let assignments = assignments();
        let partition = assignments.partition("t", 0, 0, 1);
        let [first, second] = take(&partition, [(5, 100), (6, 50)]);
        assert_eq!((assignments.bytes(), assignments.messages()), (150, 2));
        second.finish();
        drop(first);
        assert_eq!((assignments.bytes(), assignments.messages()), (0, 0));
        assert_eq!(partition.uncommitted(), None);
        assert!(partition.is_idle());
    }

    /// Such a message was once counted as released without having been consumed, so that the counts did not add up.
    #[test]
    fn what_is_withdrawn_is_neither_finished_nor_released() {
        let assignments = assignments();
        let [receipt] = take(&assignments.partition("t", 0, 5, 1), [(5, 100)]);
        let partition = assignments.revoke("t", 0).unwrap();
        receipt.withdraw();
        assert_eq!((assignments.bytes(), assignments.messages()), (0, 0));
        assert_eq!((partition.uncommitted(), partition.is_idle()), (None, true));
        assert_eq!(assignments.in_flight.metrics.released.get(), 0);
    }

    #[test]
    fn receipts_of_several_partitions_are_finished_together() {
        let assignments = assignments();
        let [one, other] = [0, 1].map(|number| assignments.partition("t", number, 0, 1));
        let [a, b, held] = take(&one, [(5, 100), (6, 50), (7, 1)]);
        let [c, d] = take(&other, [(1, 10), (2, 10)]);
        assert_eq!((assignments.bytes(), assignments.messages()), (171, 5));
        Receipt::finish_all(vec![b, c, a, d]);
        assert_eq!((assignments.bytes(), assignments.messages()), (1, 1));
        assert_eq!((one.uncommitted(), other.uncommitted()), (Some(7), Some(3)));
        assert!(!one.is_idle() && other.is_idle());
        drop(held);
        assert_eq!((assignments.messages(), one.uncommitted()), (0, Some(7)));
    }

    #[test]
    fn what_is_passed_over_counts_once_everything_before_it_has_finished() {
        let assignments = assignments();
        let partition = assignments.partition("t", 0, 4, 1);
        let [held] = take(&partition, [(4, 1)]);
        partition.pass_over(10);
        assert_eq!(partition.uncommitted(), None);
        held.finish();
        assert_eq!(partition.uncommitted(), Some(10));
        assert_eq!(assignments.next_offset("t", 0), Some(Offset::Offset(10)));
        assignments.expect_any("t", 0);
        assert_eq!(
            (assignments.next_offset("t", 0), assignments.next_offset("t", 1)),
            (None, None)
        );
    }

    #[test]
    fn a_position_is_given_until_the_group_has_it() {
        let assignments = assignments();
        let partition = assignments.partition("t", 0, 0, 1);
        Receipt::finish_all(partition.take([(0, 1)]));
        assert_eq!(partition.uncommitted(), Some(1));
        assert_eq!(partition.uncommitted(), Some(1));
        partition.committed(Some(1));
        assert_eq!(partition.uncommitted(), None);
        // A commit that was sent before and arrived late.
        partition.committed(Some(0));
        assert_eq!(partition.uncommitted(), Some(1));
    }

    #[test]
    fn what_was_consumed_before_a_log_started_again_moves_nothing() {
        let assignments = assignments();
        let old = assignments.partition("t", 0, 500, 4);
        let [receipt] = take(&old, [(500, 1)]);
        let new = assignments.supersede(&old, 0);
        assert!(
            old.is_superseded() && !receipt.is_revoked(),
            "its messages come from nowhere else"
        );
        let [first] = take(&new, [(0, 1)]);
        receipt.finish();
        assert_eq!(new.uncommitted(), None);
        first.finish();
        assert_eq!(new.uncommitted(), Some(1));
        assert!(Arc::ptr_eq(&new, &assignments.partition("t", 0, 1, 4)) && new.worker == old.worker);
    }

    #[test]
    fn receipts_of_a_revoked_assignment_do_not_move_the_next() {
        let assignments = assignments();
        let [old] = take(&assignments.partition("t", 0, 0, 1), [(9, 1)]);
        assignments.revoke("t", 0).unwrap();
        assert!(old.is_revoked());
        let new = assignments.partition("t", 0, 0, 1);
        let [receipt] = take(&new, [(9, 1)]);
        old.finish();
        assert_eq!(new.uncommitted(), None);
        receipt.finish();
        assert_eq!(new.uncommitted(), Some(10));
    }

    /// It was once invisible while messages in flight were waited for: a transaction that ended then held its records
    /// without its offset, and the next member repeated them.
    #[test]
    fn a_transaction_never_loses_sight_of_a_partition_that_leaves() {
        let assignments = assignments();
        for turn in 0..1_000 {
            let [receipt] = take(&assignments.partition("t", turn, 0, 1), [(0, 1)]);
            std::thread::scope(|scope| {
                let leaving = scope.spawn(|| assignments.leave("t", turn).unwrap());
                loop {
                    let is_over = leaving.is_finished();
                    assert_eq!(assignments.in_transaction().len(), 1);
                    if is_over {
                        break;
                    }
                }
                assert!(receipt.is_revoked());
            });
            assignments.forget_leaving();
            assert!(assignments.in_transaction().is_empty());
        }
    }

    #[test]
    fn partitions_are_assigned_to_the_workers_in_turn() {
        let assignments = assignments();
        let workers: Vec<_> = (0..4)
            .map(|number| assignments.partition("t", number, 0, 2).worker)
            .collect();
        assert_eq!(workers, [0, 1, 0, 1]);
    }
}
