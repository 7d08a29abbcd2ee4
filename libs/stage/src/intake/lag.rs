//! How far each assigned partition is read, from librdkafka's statistics: the metric of the lag, and what is read that is no
//! message.
//!
//! A transaction ends with a marker, and compaction leaves holes: offsets that no message has. They are never delivered, so
//! that the position after the last message stays before them, and with it the lag at 1. When librdkafka has fetched to a
//! partition's end, and nothing that it fetched waits to be taken, everything before that end has been taken.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::BaseConsumer;
use rdkafka::statistics::{Partition as Statistics, Statistics as All};

use super::context::IntakeContext;
use crate::kafka::native;
use crate::lock;

/// After partitions were paused, resumed or sought in, the statistics may speak of messages that librdkafka threw away, to
/// fetch them again, until its thread for the broker comes by, which it does each second.
pub(super) const AFTER_A_SEEK: Duration = Duration::from_secs(60);
/// An assignment is librdkafka's to carry out, too, but until then it says that the partition is not fetched.
pub(super) const AFTER_A_REBALANCE: Duration = Duration::from_secs(2);

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
    /// Not after the client was.
    created: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    partitions: Vec<Fetched>,
    /// The client's least age in statistics that are believed.
    believed_from: Duration,
}

impl FetchedToEnd {
    /// For a client that is made after this.
    pub(super) fn new() -> Self {
        Self {
            created: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// What is known of fetched messages is not so any more, nor what the statistics say for `stale`.
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

    /// Takes note, on the poll thread and when it has nothing in hand, that these partitions are read to their end.
    pub(super) fn settle(
        &self,
        consumer: &BaseConsumer<IntakeContext>,
        context: &IntakeContext,
        workers: usize,
    ) {
        let mut state = lock(&self.state);
        // What was fetched before the statistics were made has been taken once nothing waits.
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

/// Looks at the statistics: shows the lag of each assigned partition, and notes which are fetched to their end.
pub(super) fn learn(context: &IntakeContext, statistics: &All) {
    let mut fetched = Vec::new();
    context.assigned.each(|topic, number, known| {
        let state = statistics
            .topics
            .get(topic)
            .and_then(|topic| topic.partitions.get(&number));
        if let Some(end) = state.and_then(end) {
            known.end = Some(end);
        }
        let partition = context.assignments.find(topic, number);
        let position = partition
            .as_ref()
            .and_then(|partition| partition.position())
            .or(known.start);
        if let (Some(end), Some(position)) = (known.end, position) {
            show(context, topic, number, end - position);
        }
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

/// Shows how far a partition is behind.
pub(super) fn show(context: &IntakeContext, topic: &str, number: i32, lag: i64) {
    let lags = &context.reporter.metrics().lag;
    lags.with_label_values(&[topic, &number.to_string()])
        .set(lag.max(0));
}

/// The partitions are another member's.
pub(super) fn hide(context: &IntakeContext, list: &TopicPartitionList) {
    let lags = &context.reporter.metrics().lag;
    for (topic, number) in list.to_topic_map().into_keys() {
        // Not ours any more: the clients that took the place of these show it.
        if context.assigned.get(&topic, number).is_some() {
            // It is not there if the brokers never said where the partition ends.
            let _ = lags.remove_label_values(&[topic.as_str(), &number.to_string()]);
        }
    }
}

/// One past the last message that can be read: the last stable offset, which is the high watermark where the consumer reads
/// what is uncommitted.
fn end(state: &Statistics) -> Option<i64> {
    [state.ls_offset, state.hi_offset]
        .into_iter()
        .find(|offset| *offset >= 0)
}

fn is_fetched_to_end(state: &Statistics) -> bool {
    state.fetch_state == "active" && state.next_offset >= 0 && state.eof_offset == state.next_offset
}
