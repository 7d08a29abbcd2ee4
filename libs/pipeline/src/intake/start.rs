//! With `--auto-offset-reset latest`: where partitions start that the group has committed nothing for.
//!
//! A group that is new starts at their present end. To a group that has read anything before, they are new themselves (a
//! topic has come into being, or got more partitions), and everything in them came after the group: it starts at their
//! beginning, or what was produced before they were noticed would be passed over.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};

use super::context::IntakeContext;
use super::options::Topics;

/// How long one question about offsets may take when partitions are assigned.
const WAIT: Timeout = Timeout::After(std::time::Duration::from_secs(5));

/// The metadata of an offset that says where a new group began, and not how far it has read: another member that starts in the
/// same moment must not take the group for an old one.
const BEGAN: &str = "began";

/// Gives partitions that have no committed offset their start as offset, and answers those.
///
/// librdkafka would look the end up only with its first fetch, and again after a restart: what is produced in between
/// would be passed over.
pub(super) fn pin(
    consumer: &BaseConsumer<IntakeContext>,
    topics: &Topics,
    list: &mut TopicPartitionList,
) -> TopicPartitionList {
    let mut pinned = TopicPartitionList::new();
    let (unread, is_new) = match unread(consumer, topics, list) {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(error = %crate::chain(&error), "committed offsets unknown; librdkafka finds the start");
            return pinned;
        }
    };
    for (topic, partition) in unread {
        match consumer.fetch_watermarks(&topic, partition, WAIT) {
            Ok((beginning, end)) => {
                let start = Offset::Offset(if is_new { end } else { beginning });
                let _ = list.set_partition_offset(&topic, partition, start);
                let _ = pinned.add_partition_offset(&topic, partition, start);
                if let Some(mut element) = pinned.find_partition(&topic, partition) {
                    element.set_metadata(BEGAN);
                }
                if !is_new {
                    tracing::info!(
                        topic,
                        partition,
                        "partition is new to the group: read from its beginning"
                    );
                }
            }
            Err(error) => tracing::warn!(
                topic, partition, error = %crate::chain(&error),
                "offsets of a partition unknown; librdkafka finds the start"
            ),
        }
    }
    pinned
}

/// The partitions of the list that have no committed offset, and whether the group has read nothing yet.
fn unread(
    consumer: &BaseConsumer<IntakeContext>,
    topics: &Topics,
    list: &TopicPartitionList,
) -> KafkaResult<(Vec<(String, i32)>, bool)> {
    if list.count() == 0 {
        return Ok((Vec::new(), true));
    }
    let committed = consumer.committed_offsets(list.clone(), WAIT)?;
    let unread: Vec<_> = committed
        .elements()
        .iter()
        .filter(|element| element.offset() == Offset::Invalid)
        .map(|element| (element.topic().to_owned(), element.partition()))
        .collect();
    if unread.is_empty() {
        return Ok((unread, true));
    }
    let metadata = consumer.fetch_metadata(None, WAIT)?;
    let mut all = TopicPartitionList::new();
    let is_ours = topics.test();
    for topic in metadata.topics().iter().filter(|topic| is_ours(topic.name())) {
        for partition in topic.partitions() {
            all.add_partition(topic.name(), partition.id());
        }
    }
    let committed = consumer.committed_offsets(all, WAIT)?;
    let has_read = committed
        .elements()
        .iter()
        .any(|element| matches!(element.offset(), Offset::Offset(_)) && element.metadata() != BEGAN);
    Ok((unread, !has_read))
}
