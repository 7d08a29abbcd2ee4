//! What the poll thread does with a partition after its inspection. Only this thread pauses, seeks and resumes, and
//! only while the partition is still read from the inspected offset.

use std::time::Duration;

use crossbeam_channel::Receiver;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::super::assignment::Assignments;
use super::super::context::IntakeContext;
use super::{Blocked, Held, Key, Suspect, Watched};
use crate::lock;

/// The time for seeking, which is local work of librdkafka.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// An order of the inspector.
#[derive(Debug)]
pub(in super::super) enum Order {
    /// Pause the partition before its batch, and report it.
    Hold(Key, Held),
    /// Continue at `to`; what lies between `from` and `to` is skipped.
    GoOn {
        key: Key,
        at: Offset,
        from: i64,
        to: i64,
    },
    /// The position is readable after all.
    Reread(Suspect),
    /// The position is no longer in the log: continue at its beginning.
    Restart(Suspect),
}

/// The poll thread's side.
pub(in super::super) struct Orders<'a> {
    pub(in super::super) consumer: &'a BaseConsumer<IntakeContext>,
    pub(in super::super) assignments: &'a Assignments,
    pub(in super::super) workers: usize,
    pub(in super::super) orders: Receiver<Order>,
}

impl Orders<'_> {
    /// Carries out the orders since the last call.
    pub(in super::super) fn obey(&self) {
        for order in self.orders.try_iter() {
            if let Err(error) = self.act(&order) {
                tracing::warn!(?order, error = %crate::chain(&error), "blocked partition could not be moved");
            }
        }
    }

    fn act(&self, order: &Order) -> KafkaResult<()> {
        let blocked = &self.consumer.context().blocked;
        match order {
            Order::Hold(key, held) if blocked.is_at(key, held.at, self.assignments) => {
                self.consumer.pause(&list(key, None)?)?;
                blocked.hold(key, held);
            }
            Order::GoOn { key, at, from, to } if blocked.is_at(key, *at, self.assignments) => {
                if to > from {
                    let partition = self.assignments.partition(&key.0, key.1, *from, self.workers);
                    partition.pass_over(*to);
                    blocked.skipped(key, *from, *to);
                }
                self.seek(key, Offset::Offset(*to))?;
                blocked.let_go(key, Offset::Offset(*to));
            }
            Order::Reread(Suspect { key, at, .. })
                if blocked.is_at(key, *at, self.assignments)
                    && blocked.forget_errors()
                    && matches!(at, Offset::Offset(_)) =>
            {
                self.seek(key, *at)?;
            }
            Order::Restart(Suspect { key, at, .. })
                if blocked.is_at(key, *at, self.assignments)
                    && (blocked.is_held(key) || blocked.forget_errors()) =>
            {
                self.assignments.expect_any(&key.0, key.1);
                self.seek(key, Offset::Beginning)?;
                blocked.let_go(key, Offset::Beginning);
            }
            // It has advanced, or is no longer assigned.
            _ => {}
        }
        Ok(())
    }

    fn seek(&self, key: &Key, to: Offset) -> KafkaResult<()> {
        let sought = self
            .consumer
            .seek_partitions(list(key, Some(to))?, SEEK_TIMEOUT)?;
        for element in sought.elements() {
            element.error()?;
        }
        if self.consumer.context().blocked.is_all_paused() {
            return Ok(());
        }
        self.consumer.resume(&list(key, None)?)
    }
}

fn list((topic, number): &Key, offset: Option<Offset>) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    match offset {
        Some(offset) => list.add_partition_offset(topic, *number, offset)?,
        None => drop(list.add_partition(topic, *number)),
    }
    Ok(list)
}

impl Blocked {
    /// Whether the partition is assigned and still read from there.
    fn is_at(&self, key: &Key, at: Offset, assignments: &Assignments) -> bool {
        let assigned = lock(&self.assigned);
        assigned
            .partitions
            .get(key)
            .is_some_and(|watched| assignments.next_offset(&key.0, key.1).unwrap_or(watched.start) == at)
    }

    pub(in super::super) fn is_all_paused(&self) -> bool {
        self.all_paused.load(std::sync::atomic::Ordering::Relaxed)
    }

    pub(in super::super) fn all_held(&self) -> Vec<(Key, Held)> {
        let held = &lock(&self.assigned).held;
        held.iter()
            .map(|(key, held)| (key.clone(), held.clone()))
            .collect()
    }

    fn is_held(&self, key: &Key) -> bool {
        lock(&self.assigned).held.contains_key(key)
    }

    /// No broker answers, so that the other suspects do not advance for the same reason.
    pub(super) fn drop_suspects(&self) {
        self.suspected.try_iter().for_each(drop);
    }

    /// Whether there were errors, which have ended.
    fn forget_errors(&self) -> bool {
        lock(&self.assigned).erred.take().is_some()
    }

    fn hold(&self, key: &Key, held: &Held) {
        let mut assigned = lock(&self.assigned);
        if assigned.held.insert(key.clone(), held.clone()).is_none() {
            tracing::error!(
                topic = key.0,
                partition = key.1,
                offset = held.from,
                reason = held.reason,
                "a batch cannot be decoded: its partition stands still, the others go on; \
                 --skip-undecodable-batches continues after it"
            );
        }
        self.show(&assigned);
    }

    fn skipped(&self, key: &Key, from: i64, to: i64) {
        self.metrics.skipped_batches.inc();
        let offsets = u64::try_from(to - from).unwrap_or_default();
        self.metrics.skipped_offsets.inc_by(offsets);
        tracing::error!(
            topic = key.0,
            partition = key.1,
            from,
            to,
            offsets,
            "a batch that cannot be decoded is passed over, as --skip-undecodable-batches asks for: its messages are not carried"
        );
    }

    fn let_go(&self, key: &Key, start: Offset) {
        let mut assigned = lock(&self.assigned);
        assigned.held.remove(key);
        assigned.erred = None;
        if let Some(watched) = assigned.partitions.get_mut(key) {
            *watched = Watched::from(start);
        }
        tracing::info!(topic = key.0, partition = key.1, at = ?start, "blocked partition continues");
        self.show(&assigned);
    }
}
