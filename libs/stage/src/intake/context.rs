//! The consumer's callbacks: rebalances and the results of commits.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};

use super::age::Waiting;
use super::assigned::AssignedPartitions;
use super::assignment::Assignments;
use super::blocked::Blocked;
use super::commit_thread_handle::CommitThreadHandle;
use super::commits::{self, PendingCommit};
use super::initial_offsets;
use super::lag::{self, FetchedToEnd, REBALANCE_SETTLE_DURATION, SEEK_SETTLE_DURATION};
use super::options::{IntakeOptions, Topics};
use super::partition::Partition;
use super::retention::Losses;
use super::settings;
use super::stalls;
use super::time_range::RangeReader;
use super::topic_ids::FirstIds;
use super::vitals::Vitals;
use crate::kafka::{Reporter, native};

/// How long a revoke waits for messages in flight: longer than any healthy batch takes, shorter than the group waits.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The minimum time for the transaction that ends with a revoke, even if the drain used up its time.
const MIN_REVOKE_TIMEOUT: Duration = Duration::from_secs(1);

/// The consumer's context: a [`Reporter`] that also maintains the assignments.
pub(super) struct IntakeContext {
    pub(super) reporter: Reporter,
    pub(super) assignments: Arc<Assignments>,
    /// One for each worker; asks it to finish the messages that it holds.
    pub(super) drains: Vec<Sender<()>>,
    /// The handle of the commit thread.
    pub(super) commit_thread: CommitThreadHandle,
    /// Whether a commit thread commits the offsets in transactions.
    pub(super) is_transactional: AtomicBool,
    /// The time range that is read, if it is limited.
    pub(super) range: Option<RangeReader>,
    /// The state of the assigned partitions apart from their messages.
    pub(super) assigned: AssignedPartitions,
    pub(super) pending_commit: PendingCommit,
    /// Partitions that are fetched to their end.
    pub(super) fetched: FetchedToEnd,
    /// Messages that were deleted before the group read them.
    pub(super) losses: Losses,
    /// Whether this process has read anything.
    pub(super) has_read: Arc<AtomicBool>,
    pub(super) topic_ids: FirstIds,
    /// With `--auto-offset-reset latest`: the topics of the intake, to tell a new group from new partitions.
    pub(super) starts_at_latest: Option<Topics>,
    /// With `--rewind-to-start`: the partitions that were rewound already, as each is rewound once.
    pub(super) rewound: Option<Mutex<HashSet<(String, i32)>>>,
    /// Partitions blocked by a batch.
    pub(super) blocked: Blocked,
    /// What the watch of stuck clients examines.
    pub(super) vitals: Vitals,
    /// Set before the consumer closes.
    pub(super) is_closing: AtomicBool,
    /// Whether all partitions were released since then.
    pub(super) has_left: AtomicBool,
}

crate::reports_to_its_reporter!(IntakeContext, |context, statistics| {
    context.vitals.learn(statistics);
    if let Some(range) = &context.range {
        range.learn(statistics);
    }
    context.blocked.learn(statistics, &context.assignments);
    lag::learn(context, statistics);
});

impl ConsumerContext for IntakeContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, err: RDKafkaRespErr, list: &mut TopicPartitionList) {
        if self.is_closing.load(Ordering::Relaxed) {
            return self.leave(consumer);
        }
        let (mut list, mut nothing) = (list, TopicPartitionList::new());
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let (kind, result) = match err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.rewind(list);
                if let Some(range) = &self.range
                    && let Err(error) = range.locate(consumer, list)
                {
                    range.fail(error);
                    list = &mut nothing;
                }
                initial_offsets::find(self, consumer, list);
                self.blocked.starts(list);
                let assign = if cooperative {
                    consumer.incremental_assign(list)
                } else {
                    consumer.assign(list)
                };
                self.fetched.forget(REBALANCE_SETTLE_DURATION);
                commits::send(consumer);
                self.reporter.connected();
                ("assign", assign)
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                self.release(consumer, list);
                // librdkafka keeps a pause beyond the assignment: a partition that returns would not be read.
                if let Err(error) = consumer.resume(list) {
                    tracing::warn!(error = %crate::chain(&error), "revoked partitions could not be resumed");
                }
                let unassign = if cooperative {
                    consumer.incremental_unassign(list)
                } else {
                    consumer.unassign()
                };
                ("revoke", unassign)
            }
            _ => {
                self.release(consumer, list);
                ("error", consumer.unassign())
            }
        };
        let metrics = self.reporter.metrics();
        metrics.rebalances.with_label_values(&[kind]).inc();
        // Counted, not requested: the calls above may have ended a group that closes, and then librdkafka (2.12.1,
        // `rd_kafka_cgrp_op_serve`) never answers a request. One stop in 2,500 hung this way on a busy machine.
        if result.is_ok() {
            let count = list.count() as i64;
            match (kind, cooperative) {
                ("assign", true) => metrics.assigned.add(count),
                ("assign", false) => metrics.assigned.set(count),
                ("revoke", true) => metrics.assigned.sub(count),
                _ => metrics.assigned.set(0),
            }
        }
        stalls::forget(self);
        tracing::info!(kind, partitions = %names(list), "rebalance");
        if let Err(error) = result {
            tracing::warn!(kind, error = %crate::chain(&error), "rebalance failed; librdkafka joins the group again");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        commits::answered(self, result, offsets);
    }

    fn main_queue_min_poll_interval(&self) -> Timeout {
        Timeout::After(Duration::from_millis(100))
    }
}

impl IntakeContext {
    /// The context of a consumer without an assignment.
    pub(super) fn new(
        options: &IntakeOptions,
        reporter: &Reporter,
        assignments: Arc<Assignments>,
        drains: Vec<Sender<()>>,
        commit_thread: CommitThreadHandle,
    ) -> Self {
        Self {
            reporter: reporter.clone(),
            assignments,
            drains,
            commit_thread,
            is_transactional: AtomicBool::new(false),
            range: options.range.map(RangeReader::new),
            assigned: AssignedPartitions::default(),
            pending_commit: PendingCommit::default(),
            fetched: FetchedToEnd::new(),
            losses: Losses::new(reporter.clone()),
            has_read: Arc::clone(&options.has_read),
            topic_ids: FirstIds::default(),
            starts_at_latest: (settings::starts_at_latest(options) && !options.rewind_to_start)
                .then(|| options.topics.clone()),
            rewound: options.rewind_to_start.then(Default::default),
            blocked: Blocked::new(
                reporter.dependency().beside("partitions"),
                reporter.metrics().clone(),
                options.skip_undecodable_batches,
            ),
            vitals: Vitals::default(),
            is_closing: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
        }
    }

    /// Releases all partitions, once. While it closes, librdkafka takes every answer to a rebalance as that, and then
    /// the group ends. A second rebalance may wait behind the first (the close adds its own,
    /// `rd_kafka_cgrp_revoke_all_rejoin` of 2.12.1), and its request to the group would never be answered
    /// (`rd_kafka_cgrp_op_serve`).
    fn leave(&self, consumer: &BaseConsumer<Self>) {
        if self.has_left.swap(true, Ordering::Relaxed) {
            return;
        }
        let list = self.assigned.list();
        self.release(consumer, &list);
        let result = consumer.unassign();
        let metrics = self.reporter.metrics();
        metrics.rebalances.with_label_values(&["revoke"]).inc();
        if !self.vitals.is_abandoned.load(Ordering::Relaxed) {
            metrics.assigned.set(0);
        }
        tracing::info!(kind = "revoke", partitions = %names(&list), "rebalance");
        if let Err(error) = result {
            tracing::warn!(error = %crate::chain(&error), "partitions could not be released; the group reassigns them");
        }
    }

    /// Drains revoked partitions, commits their positions, and removes them from the assignments.
    fn release(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        if let Some(range) = &self.range {
            range.forget(list);
        }
        self.blocked.forget(list);
        let revoked: Vec<Arc<Partition>> = list
            .elements()
            .iter()
            .filter_map(|element| self.assignments.leave(element.topic(), element.partition()))
            .collect();
        self.fetched.forget(REBALANCE_SETTLE_DURATION);
        if revoked.is_empty() {
            return lag::forget(self, list);
        }
        for drain in &self.drains {
            // A full channel holds the same request already.
            let _ = drain.try_send(());
        }
        let deadline = Instant::now() + REVOKE_TIMEOUT;
        while !revoked.iter().all(|partition| partition.is_idle()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.is_transactional.load(Ordering::Relaxed) {
            let timeout = deadline
                .saturating_duration_since(Instant::now())
                .max(MIN_REVOKE_TIMEOUT);
            if !self.commit_thread.end_transaction(timeout) {
                self.commit_thread.doom();
            }
        } else if let Err(error) = commits::commit_last(consumer, &revoked) {
            tracing::warn!(error = %crate::chain(&error), "commit before a revoke failed; some messages are read twice");
        }
        self.assignments.forget_leaving();
        lag::forget(self, list);
    }

    /// The current assignment of a partition, created when its first message (the one at `offset`) arrives.
    pub(super) fn partition(&self, topic: &str, number: i32, offset: i64, workers: usize) -> Arc<Partition> {
        if let Some(partition) = self.assignments.find(topic, number) {
            return partition;
        }
        self.has_read.store(true, Ordering::Relaxed);
        let partition = self.assignments.partition(topic, number, offset, workers);
        if let Some(known) = self.assigned.get(topic, number) {
            partition.expect(known.start);
            partition.committed(known.committed);
        }
        partition
    }

    /// Whether an error of the consumer is about a batch. The position of its partition is then unreliable, also as the
    /// end.
    pub(super) fn is_of_batch(&self, code: Option<RDKafkaErrorCode>) -> bool {
        let is_of_batch = self.blocked.notes(code);
        if is_of_batch {
            self.fetched.forget(SEEK_SETTLE_DURATION);
        }
        is_of_batch
    }

    /// The message at `offset` is not the expected one: the offsets before it are not messages, or are deleted, or the
    /// log starts again. Returns the assignment that the message belongs to.
    pub(super) fn unexpected(
        &self,
        consumer: &BaseConsumer<Self>,
        partition: Arc<Partition>,
        expected: i64,
        offset: i64,
    ) -> Arc<Partition> {
        let (topic, number) = (&partition.topic, partition.number);
        if offset < expected {
            // librdkafka found its offset out of range. The next check of topic ids shows which topic this is.
            self.begins_anew(topic, number);
            let new = self.assignments.find(topic, number).unwrap_or(partition);
            new.expect(Some(offset + 1));
            new.restart_at(offset);
            return new;
        }
        if let Some(beginning) = native::beginning(consumer, topic, number) {
            self.losses.lost(topic, number, beginning.min(offset) - expected);
        }
        partition
    }

    /// From now on, messages of the partition belong to another log than those already consumed.
    fn begins_anew(&self, topic: &str, number: i32) {
        if let Some(old) = self.assignments.find(topic, number) {
            self.assignments.supersede(&old, 0);
        }
        self.assigned.update(topic, number, |known| {
            known.start = None;
            known.end = None;
            known.waiting = Waiting::default();
            known.topic_id = None;
            known.is_pinned = false;
        });
    }

    fn rewind(&self, list: &mut TopicPartitionList) {
        let Some(rewound) = &self.rewound else { return };
        let mut rewound = crate::lock(rewound);
        for (topic, partition) in list.to_topic_map().into_keys() {
            if rewound.insert((topic.clone(), partition)) {
                let _ = list.set_partition_offset(&topic, partition, Offset::Beginning);
            }
        }
    }
}

/// `topic[partition]` of each, separated by spaces: at most eight, then the number of the others.
fn names(list: &TopicPartitionList) -> String {
    const MAX_NAMED: usize = 8;
    let elements = list.elements();
    let mut text = elements
        .iter()
        .take(MAX_NAMED)
        .map(|element| format!("{}[{}]", element.topic(), element.partition()))
        .collect::<Vec<_>>()
        .join(" ");
    if elements.len() > MAX_NAMED {
        text.push_str(&format!(" and {} more", elements.len() - MAX_NAMED));
    }
    text
}
