//! Commits of finished prefixes: sent once per interval, and retried until the group has them.
//!
//! What a partition still has to commit follows from what its coordinator has confirmed, not from what was sent: a
//! commit that fails, is answered late or never, or is overtaken by an older one is followed by another within seconds.
//! Only one is pending at a time, so that they arrive in the order in which they are sent.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use super::assigned::OffsetMetadata;
use super::context::IntakeContext;
use super::partition::Partition;
use crate::kafka::native;
use crate::lock;

/// A commit without an answer is sent again after this time.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for the last commit of a partition; without it, messages are read twice.
const LAST_COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// When the pending commit was sent.
#[derive(Debug, Default)]
pub(super) struct PendingCommit(Mutex<Option<Instant>>);

/// Sends what the group does not have yet, unless a commit is pending. With transactions, only start offsets are
/// committed this way.
pub(super) fn send(consumer: &BaseConsumer<IntakeContext>) {
    let context = consumer.context();
    let unanswered = {
        let mut sent = lock(&context.pending_commit.0);
        match *sent {
            Some(since) if since.elapsed() < COMMIT_TIMEOUT => return,
            Some(_) => sent.take().is_some(),
            None => false,
        }
    };
    if unanswered {
        count(context, false);
        tracing::warn!("an offset commit was not answered; it is sent again");
    }
    let finished = if context.is_transactional.load(Ordering::Relaxed) {
        Vec::new()
    } else {
        context.assignments.partitions()
    };
    let list = match uncommitted(context, &finished) {
        Ok(mut list) => {
            pinned(context, &mut list);
            list
        }
        Err(error) => return failed(context, &error),
    };
    if list.count() == 0 {
        return;
    }
    match native::commit_async(consumer, &list) {
        Ok(()) => *lock(&context.pending_commit.0) = Some(Instant::now()),
        Err(error) => failed(context, &error),
    }
}

/// The answer to a commit.
pub(super) fn answered(context: &IntakeContext, result: KafkaResult<()>, offsets: &TopicPartitionList) {
    lock(&context.pending_commit.0).take();
    if let Err(error) = result {
        return failed(context, &error);
    }
    let mut refused = None;
    for element in offsets.elements() {
        match (element.error(), element.offset()) {
            (Ok(()), Offset::Offset(offset)) => {
                confirm(context, element.topic(), element.partition(), offset);
            }
            (Ok(()), _) => {}
            (Err(error), _) => refused = Some(error),
        }
    }
    match refused {
        Some(error) => failed(context, &error),
        None => count(context, true),
    }
}

/// Commits the positions of released partitions, and waits for the answer.
pub(super) fn commit_last(
    consumer: &BaseConsumer<IntakeContext>,
    partitions: &[Arc<Partition>],
) -> KafkaResult<()> {
    let context = consumer.context();
    let list = uncommitted(context, partitions)?;
    if list.count() == 0 {
        return Ok(());
    }
    let result = native::commit_within(consumer, &list, LAST_COMMIT_TIMEOUT);
    count(context, result.is_ok());
    result
}

/// Adds a partition's offset and its metadata to a list.
pub(super) fn add(
    context: &IntakeContext,
    list: &mut TopicPartitionList,
    partition: &Partition,
    position: i64,
) -> KafkaResult<()> {
    let metadata = context.assigned.metadata(&partition.topic, partition.number);
    add_with(list, &partition.topic, partition.number, position, &metadata)
}

fn uncommitted(context: &IntakeContext, partitions: &[Arc<Partition>]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        if let Some(position) = partition.uncommitted() {
            add(context, &mut list, partition, position)?;
        }
    }
    Ok(list)
}

/// Adds the start offsets of partitions from which nothing has been read, so that messages that arrive while no member
/// reads are not skipped after a restart.
fn pinned(context: &IntakeContext, list: &mut TopicPartitionList) {
    context.assigned.each(|topic, number, known| {
        let has_moved = || {
            context
                .assignments
                .find(topic, number)
                .is_some_and(|partition| partition.position().is_some())
        };
        if known.is_pinned
            && let Some(start) = known.start
            && !has_moved()
        {
            let metadata = OffsetMetadata {
                is_start: true,
                topic_id: known.topic_id.clone(),
            };
            let _ = add_with(list, topic, number, start, &metadata);
        }
    });
}

fn add_with(
    list: &mut TopicPartitionList,
    topic: &str,
    number: i32,
    offset: i64,
    metadata: &OffsetMetadata,
) -> KafkaResult<()> {
    list.add_partition_offset(topic, number, Offset::Offset(offset))?;
    let text = metadata.text();
    if !text.is_empty()
        && let Some(mut element) = list.find_partition(topic, number)
    {
        element.set_metadata(text);
    }
    Ok(())
}

fn confirm(context: &IntakeContext, topic: &str, number: i32, offset: i64) {
    if let Some(partition) = context.assignments.find(topic, number) {
        partition.committed(Some(offset));
    }
    context.assigned.update(topic, number, |known| {
        known.is_pinned &= known.start != Some(offset);
        known.committed = Some(offset);
    });
}

/// Nothing is lost: the positions are committed with the next round.
fn failed(context: &IntakeContext, error: &KafkaError) {
    count(context, false);
    match error.rdkafka_error_code() {
        Some(code) => context.reporter.note(code, "offset commit, sent again"),
        None => tracing::warn!(error = %crate::chain(error), "offset commit failed; it is sent again"),
    }
}

/// Counts a commit, or a transaction with offsets.
pub(super) fn count(context: &IntakeContext, is_ok: bool) {
    let result = if is_ok { "ok" } else { "failed" };
    let commits = &context.reporter.metrics().commits;
    commits.with_label_values(&[result]).inc();
}
