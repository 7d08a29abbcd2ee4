//! Where assigned partitions start, and which messages the group has missed.
//!
//! | the group has committed | it starts |
//! |---|---|
//! | an offset in the log | there |
//! | an offset before the first message: retention deleted the rest | at the beginning, and the missing messages are counted |
//! | an offset after the last message, or of a topic that was recreated since | at the beginning |
//! | nothing for this partition | at the beginning; with `--auto-offset-reset latest`, a group that has read nothing at all starts at the end |
//!
//! For a group that has read anything before, a partition without an offset is new (a topic was created, or got more
//! partitions), and all its messages are newer than the group. Read from the end, those produced before it was noticed
//! would be skipped. Kafka's own `auto.offset.reset` does not make this distinction, so it is always `earliest` here.
//!
//! Where the group has no offset, librdkafka is given the offset to start at. It would ask for the offset as well, and
//! if that is refused or its answer is lost while the assignment changes (2.12.1, `rd_kafka_assignment_apply_offsets`), it
//! never begins to fetch the partition.
//!
//! One request covers many partitions (`kafka/parts.rs`): an observatory has thousands of them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::assigned::{Known, OffsetMetadata};
use super::context::IntakeContext;
use super::lag;
use super::options::Topics;
use super::topic_ids;
use crate::kafka::{native, parts};

/// The time for one request for offsets when partitions are assigned.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The answers for a list of partitions.
struct Answers {
    committed: HashMap<(String, i32), (i64, OffsetMetadata)>,
    /// Partitions whose committed offsets are not known.
    refused: HashSet<(String, i32)>,
    topic_ids: HashMap<String, native::TopicId>,
    beginnings: HashMap<(String, i32), i64>,
    ends: HashMap<(String, i32), i64>,
}

/// Sets the start of each newly assigned partition that does not start at the group's offset, notes the state of all of
/// them, and counts what they have lost.
pub(super) fn find(
    context: &IntakeContext,
    consumer: &BaseConsumer<IntakeContext>,
    list: &mut TopicPartitionList,
) {
    let places: Vec<(String, i32)> = list.to_topic_map().into_keys().collect();
    if places.is_empty() {
        return;
    }
    let answers = match ask(consumer, list) {
        Ok(answers) => answers,
        Err(error) => {
            tracing::warn!(
                error = %crate::chain(&error),
                "committed offsets unknown; librdkafka starts there, or at the beginning"
            );
            for (topic, number) in places {
                insert(context, &topic, number, Known::default());
            }
            return;
        }
    };
    topic_ids::note(context, &answers.topic_ids);
    let starts_at_end = starts_at_end(context, consumer, &answers, places.len());
    let mut passed_over = 0;
    for (topic, number) in places {
        let key = (topic, number);
        let (topic, number) = (key.0.as_str(), number);
        let topic_id = answers.topic_ids.get(topic).cloned();
        let beginning = answers.beginnings.get(&key).copied();
        let end = answers.ends.get(&key).copied();
        let mut known = Known {
            topic_id,
            end,
            ..Known::default()
        };
        let is_set = list
            .find_partition(topic, number)
            .is_some_and(|element| element.offset() != Offset::Invalid);
        match answers.committed.get(&key) {
            // Rewound, or a time range.
            committed if is_set => {
                known.committed = committed.map(|(committed, _)| *committed);
                let set = list.find_partition(topic, number).map(|element| element.offset());
                known.start = match set {
                    Some(Offset::Offset(start)) => Some(start),
                    _ => beginning,
                };
            }
            Some((committed, metadata)) => {
                known.committed = Some(*committed);
                let is_another_topic = matches!(
                    (&metadata.topic_id, &known.topic_id),
                    (Some(then), Some(now)) if then != now
                );
                // An unknown topic id is compared once it is known.
                known.topic_id = known.topic_id.or_else(|| metadata.topic_id.clone());
                known.start = Some(*committed);
                let lost = beginning.map_or(0, |beginning| beginning - committed);
                if is_another_topic {
                    context.losses.recreated(topic, number);
                } else if lost > 0 {
                    context.losses.lost(topic, number, lost);
                } else if end.is_some_and(|end| *committed > end) {
                    context.losses.behind_the_end(topic, number, *committed);
                } else {
                    insert(context, topic, number, known);
                    continue;
                }
                known.start = beginning;
                let start = beginning.map_or(Offset::Beginning, Offset::Offset);
                let _ = list.set_partition_offset(topic, number, start);
            }
            None if answers.refused.contains(&key) => {}
            None => {
                known.start = if starts_at_end { end } else { beginning };
                let start = known.start.map_or(Offset::Beginning, Offset::Offset);
                let _ = list.set_partition_offset(topic, number, start);
                if context.starts_at_latest.is_some()
                    && let Some(start) = known.start
                {
                    known.is_pinned = true;
                    if starts_at_end {
                        passed_over += start - beginning.unwrap_or(start);
                    } else {
                        tracing::info!(
                            topic,
                            partition = number,
                            "partition is new to the group: read from its beginning"
                        );
                    }
                }
            }
        }
        insert(context, topic, number, known);
    }
    if passed_over > 0 {
        tracing::warn!(
            passed_over,
            "the group is new and starts at the end, as requested: it skips the existing messages; \
             without --auto-offset-reset latest it reads them"
        );
    }
}

fn insert(context: &IntakeContext, topic: &str, number: i32, mut known: Known) {
    context.losses.watch(topic);
    lag::show(context, topic, number, &mut known);
    context.assigned.insert(topic, number, known);
}

/// Whether partitions without an offset start at their end: it is requested, and the group has read nothing yet.
fn starts_at_end(
    context: &IntakeContext,
    consumer: &BaseConsumer<IntakeContext>,
    answers: &Answers,
    partitions: usize,
) -> bool {
    let Some(topics) = &context.starts_at_latest else {
        return false;
    };
    if answers.committed.len() == partitions || context.has_read.load(Ordering::Relaxed) {
        return false;
    }
    has_read(consumer, topics).map_or_else(
        |error| {
            tracing::warn!(error = %crate::chain(&error), "committed offsets unknown; new partitions are read from their beginning");
            false
        },
        |has_read| !has_read,
    )
}

/// Whether the group has read anything of its topics.
fn has_read(consumer: &BaseConsumer<IntakeContext>, topics: &Topics) -> KafkaResult<bool> {
    let metadata = consumer.fetch_metadata(None, REQUEST_TIMEOUT)?;
    let mut all = TopicPartitionList::new();
    let is_ours = topics.test();
    for topic in metadata.topics().iter().filter(|topic| is_ours(topic.name())) {
        for partition in topic.partitions() {
            all.add_partition(topic.name(), partition.id());
        }
    }
    for part in parts(&all)? {
        let committed = consumer.committed_offsets(part, REQUEST_TIMEOUT)?;
        let has_read = committed.elements().iter().any(|element| {
            matches!(element.offset(), Offset::Offset(_))
                && !OffsetMetadata::parse(element.metadata()).is_start
        });
        if has_read {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Asks for all partitions at once. The group's offsets are indispensable; the rest may be missing.
fn ask(consumer: &BaseConsumer<IntakeContext>, list: &TopicPartitionList) -> KafkaResult<Answers> {
    let mut plain = TopicPartitionList::new();
    for (topic, number) in list.to_topic_map().into_keys() {
        plain.add_partition(&topic, number);
    }
    let committed = parts(&plain)?
        .into_iter()
        .map(|part| consumer.committed_offsets(part, REQUEST_TIMEOUT))
        .collect::<KafkaResult<Vec<_>>>()?;
    let topics: std::collections::BTreeSet<String> =
        plain.to_topic_map().into_keys().map(|(topic, _)| topic).collect();
    let topic_ids = native::topic_ids(consumer.client(), topics, REQUEST_TIMEOUT).unwrap_or_else(|error| {
        tracing::debug!(error = %crate::chain(&error), "ids of topics unknown");
        HashMap::new()
    });
    let ask_for = |place: Offset| {
        offsets(consumer, &plain, place).unwrap_or_else(|error| {
            tracing::warn!(
                error = %crate::chain(&error), ?place,
                "first or last offsets unknown; what retention deleted shows with the next message"
            );
            HashMap::new()
        })
    };
    let elements: Vec<_> = committed.iter().flat_map(TopicPartitionList::elements).collect();
    let refused = elements.iter().filter(|element| element.error().is_err());
    Ok(Answers {
        refused: refused
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect(),
        committed: elements
            .iter()
            .filter_map(|element| {
                let Offset::Offset(offset) = element.offset() else {
                    return None;
                };
                let metadata = OffsetMetadata::parse(element.metadata());
                Some((
                    (element.topic().to_owned(), element.partition()),
                    (offset, metadata),
                ))
            })
            .collect(),
        topic_ids,
        beginnings: ask_for(Offset::Beginning),
        ends: ask_for(Offset::End),
    })
}

/// The beginning or the end of each partition, which Kafka treats as special timestamps.
pub(super) fn offsets(
    consumer: &BaseConsumer<IntakeContext>,
    list: &TopicPartitionList,
    place: Offset,
) -> KafkaResult<HashMap<(String, i32), i64>> {
    let mut asked = list.clone();
    asked.set_all_offsets(place)?;
    let mut offsets = HashMap::new();
    for part in parts(&asked)? {
        let found = match consumer.offsets_for_times(part, REQUEST_TIMEOUT) {
            // librdkafka's answer where no partition of the part has a leader.
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownPartition) => continue,
            found => found?,
        };
        let offset = |(key, offset)| match offset {
            Offset::Offset(offset) => Some((key, offset)),
            _ => None,
        };
        offsets.extend(found.to_topic_map().into_iter().filter_map(offset));
    }
    Ok(offsets)
}
