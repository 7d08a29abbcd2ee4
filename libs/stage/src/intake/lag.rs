//! How far each assigned partition is read, from librdkafka's statistics: the metric of the lag, and offsets without
//! messages.
//!
//! A transaction ends with a marker, and compaction leaves gaps: offsets without a message. They are never delivered,
//! so that the position after the last message stays before them and the lag stays at 1. When librdkafka has fetched to
//! a partition's end, and no fetched message waits to be consumed, everything before that end has been consumed.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::BaseConsumer;
use rdkafka::statistics::{Partition as Statistics, Statistics as All};

use super::assigned::Known;
use super::context::IntakeContext;
use crate::kafka::native;
use crate::{lock, unix_millis};

/// After a pause, resume or seek, the statistics may include messages that librdkafka discarded and fetches again,
/// until its broker thread runs, once a second.
pub(super) const SEEK_SETTLE_DURATION: Duration = Duration::from_secs(60);
/// After an assignment, the statistics report that a partition is not fetched until librdkafka has carried it out.
pub(super) const REBALANCE_SETTLE_DURATION: Duration = Duration::from_secs(2);

/// A partition that is fetched to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fetched {
    topic: String,
    number: i32,
    end: i64,
    beginning: i64,
}

/// Partitions that are fetched to their end.
#[derive(Debug)]
pub(super) struct FetchedToEnd {
    /// None before the client was created.
    created: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    partitions: Vec<Fetched>,
    /// Statistics of a younger client are ignored.
    believed_from: Duration,
}

impl FetchedToEnd {
    /// For a client that is created after this.
    pub(super) fn new() -> Self {
        Self {
            created: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Invalidates what is known of fetched messages, and the statistics of the next `stale`.
    pub(super) fn forget(&self, stale: Duration) {
        let mut state = lock(&self.state);
        state.partitions.clear();
        state.believed_from = state.believed_from.max(self.created.elapsed() + stale);
    }

    fn replace(&self, partitions: Vec<Fetched>, age: Duration) {
        let mut state = lock(&self.state);
        state.partitions = if age < state.believed_from {
            Vec::new()
        } else {
            partitions
        };
    }

    /// Notes that these partitions are read to their end. Called on the poll thread when it holds no message.
    pub(super) fn settle(
        &self,
        consumer: &BaseConsumer<IntakeContext>,
        context: &IntakeContext,
        workers: usize,
    ) {
        let mut state = lock(&self.state);
        // What was fetched before the statistics has been consumed once no message waits.
        if state.partitions.is_empty() || native::waiting(consumer).map_or(true, |waiting| waiting > 0) {
            return;
        }
        for Fetched {
            topic,
            number,
            end,
            beginning,
        } in state.partitions.drain(..)
        {
            let partition = context.partition(&topic, number, end, workers);
            if let Some(expected) = partition.reach(end) {
                context.losses.lost(&topic, number, beginning.min(end) - expected);
            }
        }
    }
}

/// Reads the statistics: publishes the lag of each assigned partition, and notes which are fetched to their end.
pub(super) fn learn(context: &IntakeContext, statistics: &All) {
    let mut fetched = Vec::new();
    context.assigned.each(|topic, number, known| {
        let state = statistics
            .topics
            .get(topic)
            .and_then(|topic| topic.partitions.get(&number));
        known.standstill.learn(state);
        if let Some(end) = state.and_then(end)
            && known.fetched_end.replace(end) != Some(end)
        {
            known.end = Some(end);
        }
        let position = show(context, topic, number, known);
        if let Some(state) = state
            && is_fetched_to_end(state)
            && position != Some(state.next_offset)
        {
            fetched.push(Fetched {
                topic: topic.to_owned(),
                number,
                end: state.next_offset,
                beginning: state.lo_offset,
            });
        }
    });
    let age = Duration::from_micros(u64::try_from(statistics.age).unwrap_or_default());
    context.fetched.replace(fetched, age);
}

/// Publishes the lag of a partition. Returns its position.
pub(super) fn show(context: &IntakeContext, topic: &str, number: i32, known: &mut Known) -> Option<i64> {
    let partition = context.assignments.find(topic, number);
    let position = partition
        .as_ref()
        .and_then(|partition| partition.position())
        .or(known.start);
    if let (Some(end), Some(position)) = (known.end, position) {
        let passed = partition.and_then(|partition| partition.passed_ms());
        known.waiting.observe(position, end, passed, unix_millis());
        let lag = &context.reporter.metrics().lag;
        lag.set(topic, number, (end - position).max(0));
    }
    position
}

/// Forgets partitions that are no longer assigned, and then removes their lag: nothing shows it again.
pub(super) fn forget(context: &IntakeContext, list: &TopicPartitionList) {
    let lag = &context.reporter.metrics().lag;
    // If these clients have been replaced, they have none: their successors publish the lag.
    for (topic, number) in context.assigned.forget(list) {
        lag.remove(&topic, number);
    }
}

/// One past the last readable message: the last stable offset, which is the high watermark for a consumer that reads
/// uncommitted messages.
pub(super) fn end(state: &Statistics) -> Option<i64> {
    [state.ls_offset, state.hi_offset]
        .into_iter()
        .find(|offset| *offset >= 0)
}

fn is_fetched_to_end(state: &Statistics) -> bool {
    state.fetch_state == "active" && state.next_offset >= 0 && state.eof_offset == state.next_offset
}
