//! The assigned partitions of an intake. `partition.rs` has the state of each.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use rdkafka::Offset;

use super::partition::{InFlight, Partition};
use crate::lock;
use crate::metrics::{KafkaMetrics, Subsystems};

/// All partitions of an intake, and what they have in flight together.
#[derive(Debug)]
pub(super) struct Assignments {
    assigned: Mutex<Assigned>,
    in_flight: Arc<InFlight>,
    subsystems: Subsystems,
}

/// One lock for both, so that a transaction that ends at any time sees a partition in one of the two.
#[derive(Debug, Default)]
struct Assigned {
    ours: HashMap<(String, i32), Arc<Partition>>,
    /// No longer assigned, but their positions are still committed with the transactions that hold their records.
    leaving: Vec<Arc<Partition>>,
}

impl Assignments {
    pub(super) fn new(metrics: KafkaMetrics, subsystems: Subsystems) -> Self {
        Self {
            assigned: Mutex::default(),
            in_flight: Arc::new(InFlight::new(metrics)),
            subsystems,
        }
    }

    /// Whether offsets are committed in transactions. Decided before the first message arrives.
    pub(super) fn set_transactional(&self, is_transactional: bool) {
        self.in_flight
            .is_transactional
            .store(is_transactional, Ordering::Relaxed);
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
        old.supersede();
        let new = self.new_partition(&old.topic, old.number, old.worker, offset);
        let key = (old.topic.to_string(), old.number);
        lock(&self.assigned).ours.insert(key, Arc::clone(&new));
        new
    }

    fn new_partition(&self, topic: &str, number: i32, worker: usize, offset: i64) -> Arc<Partition> {
        let subsystem = self.subsystems.of_topic(topic);
        let in_flight = Arc::clone(&self.in_flight);
        Arc::new(Partition::new(
            topic, number, worker, offset, subsystem, in_flight,
        ))
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
        partition.revoke();
        Some(partition)
    }
}

#[cfg(test)]
mod tests {
    use super::super::partition::{Receipt, Taken};
    use super::*;

    fn assignments() -> Assignments {
        let metrics = KafkaMetrics::register(&prometheus::Registry::new()).unwrap();
        Assignments::new(metrics, Subsystems::default())
    }

    /// Messages with their offsets and sizes; the timestamp is a hundred times the offset.
    fn take<const N: usize>(partition: &Arc<Partition>, messages: [(i64, usize); N]) -> [Receipt; N] {
        let taken = messages.map(|(offset, bytes)| Taken {
            offset,
            timestamp_ms: Some(offset * 100),
            bytes,
        });
        partition.take(taken).try_into().unwrap()
    }

    fn newest(assignments: &Assignments) -> Option<f64> {
        assignments.subsystems.newest()()
            .first()
            .map(|(_, seconds)| *seconds)
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
        Receipt::finish_all(take(&partition, [(0, 1)]).into());
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
    fn the_oldest_unfinished_message_is_known_from_its_arrival_on() {
        let assignments = assignments();
        let partition = assignments.partition("t", 0, 0, 1);
        assert_eq!(partition.oldest_ms(), None);
        partition.arrives(|| Some(500));
        partition.arrives(|| unreachable!("only the first is asked"));
        assert_eq!(partition.oldest_ms(), Some(500));
        let [first, second] = take(&partition, [(5, 1), (6, 1)]);
        partition.arrives(|| Some(700));
        second.finish();
        assert_eq!(
            (partition.oldest_ms(), newest(&assignments)),
            (Some(500), Some(0.6))
        );
        first.finish();
        assert_eq!(
            (partition.oldest_ms(), partition.passed_ms()),
            (Some(700), Some(600))
        );
    }

    #[test]
    fn with_transactions_a_message_is_finished_when_it_is_committed() {
        let assignments = assignments();
        assignments.set_transactional(true);
        let partition = assignments.partition("t", 0, 0, 1);
        let [first, second] = take(&partition, [(5, 1), (6, 1)]);
        first.finish();
        assert_eq!((partition.oldest_ms(), newest(&assignments)), (Some(500), None));
        partition.committed_in_transaction(6);
        assert_eq!(
            (partition.oldest_ms(), newest(&assignments)),
            (Some(600), Some(0.5))
        );
        second.finish();
        partition.committed_in_transaction(7);
        assert_eq!((partition.oldest_ms(), newest(&assignments)), (None, Some(0.6)));
        assert_eq!((partition.uncommitted(), partition.restart()), (None, 7));
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
