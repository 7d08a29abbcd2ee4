//! What the poll thread does with a partition that the inspector has looked into. It alone pauses, seeks and resumes, and
//! only where the partition is still read from where the inspector looked.

use std::time::Duration;

use crossbeam_channel::Receiver;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::super::assignment::Assignments;
use super::super::context::IntakeContext;
use super::{Blocked, Held, Key, Suspect, Watched};
use crate::lock;

/// How long seeking may take: it is local work of librdkafka.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// What the inspector asks for.
#[derive(Debug)]
pub(in super::super) enum Order {
    /// Pause the partition in front of its batch, and say so.
    Hold(Key, Held),
    /// Go on at `to`; what is from `from` to there is passed over, if anything is.
    GoOn {
        key: Key,
        at: Offset,
        from: i64,
        to: i64,
    },
    /// The position can be read after all.
    Reread(Suspect),
    /// The position is not in the log any more: go on at the beginning of what is there.
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
    /// Does what has been asked for since the last call.
    pub(in super::super) fn obey(&self) {
        for order in self.orders.try_iter() {
            if let Err(error) = self.act(&order) {
                tracing::warn!(?order, error = %crate::chain(&error), "partition that stands still could not be moved");
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
            // It got on, or is ours no more.
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
    /// Whether the partition is ours and is still read from there.
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

    pub(super) fn all_held(&self) -> Vec<(Key, Held)> {
        let held = &lock(&self.assigned).held;
        held.iter()
            .map(|(key, held)| (key.clone(), held.clone()))
            .collect()
    }

    fn is_held(&self, key: &Key) -> bool {
        lock(&self.assigned).held.contains_key(key)
    }

    /// Nobody answers: what else is suspected stands still for the same reason.
    pub(super) fn drop_suspects(&self) {
        self.suspected.try_iter().for_each(drop);
    }

    /// Whether there were errors, which are over now.
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
                 --skip-undecodable-batches goes on behind it"
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
        tracing::info!(topic = key.0, partition = key.1, at = ?start, "partition that stood still goes on");
        self.show(&assigned);
    }
}
