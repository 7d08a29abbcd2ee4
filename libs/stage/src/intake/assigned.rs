//! State of each assigned partition apart from its messages: where it starts and ends, what the group has committed,
//! and which topic it belongs to.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use rdkafka::TopicPartitionList;

use super::age::Waiting;
use super::stalls::Standstill;
use crate::kafka::native::TopicId;
use crate::lock;

/// The metadata of an offset that marks where a new group started, as opposed to how far it has read. Another member
/// that starts at the same time must not mistake the group for an old one.
const BEGAN: &str = "began";
/// The prefix of the topic's id in the metadata of an offset.
const ID: &str = "id=";

/// What is committed with an offset, in Kafka's metadata string: `began`, `id=<topic id>`, or both separated by a
/// space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OffsetMetadata {
    /// Whether the offset is where a new group started.
    pub(super) is_start: bool,
    /// The topic that the offset belongs to; a recreated topic has another id.
    pub(super) topic_id: Option<TopicId>,
}

impl OffsetMetadata {
    /// Parses the text of [`OffsetMetadata::text`]. Any other text, from another program, yields nothing.
    pub(super) fn parse(text: &str) -> Self {
        let mut words = text.split(' ').peekable();
        Self {
            is_start: words.next_if_eq(&BEGAN).is_some(),
            topic_id: words
                .next()
                .and_then(|word| word.strip_prefix(ID))
                .and_then(TopicId::parse),
        }
    }

    pub(super) fn text(&self) -> String {
        let id = self.topic_id.as_ref().map(|id| format!("{ID}{id}"));
        let words = [self.is_start.then(|| BEGAN.to_owned()), id];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// The state of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// The offset of the first message that is to be read.
    pub(super) start: Option<i64>,
    /// The offset that the group had when the partition was assigned.
    pub(super) committed: Option<i64>,
    /// The topic that is read.
    pub(super) topic_id: Option<TopicId>,
    /// Whether the start is to be committed before anything is read.
    pub(super) is_pinned: bool,
    /// One past the last message that can be read.
    pub(super) end: Option<i64>,
    /// The same as in the last statistics. While a partition is not fetched, they repeat what was so before.
    pub(super) fetched_end: Option<i64>,
    /// Since when messages before the end wait.
    pub(super) waiting: Waiting,
    /// How long it has not moved although messages wait.
    pub(super) standstill: Standstill,
}

/// All assigned partitions, by topic and number.
#[derive(Debug, Default)]
pub(super) struct AssignedPartitions(Mutex<HashMap<(String, i32), Known>>);

impl AssignedPartitions {
    pub(super) fn insert(&self, topic: &str, number: i32, known: Known) {
        lock(&self.0).insert((topic.to_owned(), number), known);
    }

    /// Partitions are no longer assigned. Returns those that were.
    pub(super) fn forget(&self, list: &TopicPartitionList) -> Vec<(String, i32)> {
        let mut all = lock(&self.0);
        let keys = list.to_topic_map().into_keys();
        keys.filter(|key| all.remove(key).is_some()).collect()
    }

    pub(super) fn list(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (topic, number) in lock(&self.0).keys() {
            list.add_partition(topic, *number);
        }
        list
    }

    pub(super) fn get(&self, topic: &str, number: i32) -> Option<Known> {
        lock(&self.0).get(&(topic.to_owned(), number)).cloned()
    }

    /// Changes the state of a partition, if it is assigned.
    pub(super) fn update(&self, topic: &str, number: i32, change: impl FnOnce(&mut Known)) {
        if let Some(known) = lock(&self.0).get_mut(&(topic.to_owned(), number)) {
            change(known);
        }
    }

    /// The partition is read from this offset again.
    pub(super) fn restart_at(&self, topic: &str, number: i32, offset: i64) {
        self.update(topic, number, |known| known.start = Some(offset));
    }

    /// Visits each partition and may change its state.
    pub(super) fn each(&self, mut look: impl FnMut(&str, i32, &mut Known)) {
        for ((topic, number), known) in &mut *lock(&self.0) {
            look(topic, *number, known);
        }
    }

    /// The names of their topics.
    pub(super) fn topics(&self) -> BTreeSet<String> {
        lock(&self.0).keys().map(|(topic, _)| topic.clone()).collect()
    }

    /// The metadata to commit with an offset of the partition.
    pub(super) fn metadata(&self, topic: &str, number: i32) -> OffsetMetadata {
        OffsetMetadata {
            is_start: false,
            topic_id: self.get(topic, number).and_then(|known| known.topic_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_as_it_was_written() {
        let id = TopicId::parse("xtzWWN4bTjitpL3kfd9s5g");
        assert!(id.is_some());
        for is_start in [false, true] {
            for topic_id in [None, id.clone()] {
                let metadata = OffsetMetadata { is_start, topic_id };
                assert_eq!(OffsetMetadata::parse(&metadata.text()), metadata);
            }
        }
        assert!(OffsetMetadata::parse("began").is_start);
        for others in ["", "consumer-7 of host", "id=x", "beganid=xtzWWN4bTjitpL3kfd9s5g"] {
            assert_eq!(
                OffsetMetadata::parse(others),
                OffsetMetadata::default(),
                "{others}"
            );
        }
    }
}
