//! Where partitions begin and end, and which offset a moment has.

use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;
use stage::config::Moment;

use super::{Cluster, PATIENCE, Topic};
use crate::failure::Failure;

/// The offsets that a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PartitionOffsets {
    /// The partition's number.
    pub partition: i32,
    /// The first offset that is there (retention removes what was before).
    pub oldest: i64,
    /// The offset that the next message will get.
    pub newest: i64,
}

/// A partition's first offset at or after a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOffset {
    /// The partition's number.
    pub partition: i32,
    /// None if nothing is that late.
    pub offset: Option<i64>,
}

impl PartitionOffsets {
    /// Messages between them. Compacted topics and transactions hold fewer: Kafka counts offsets, not messages.
    pub fn count(&self) -> i64 {
        (self.newest - self.oldest).max(0)
    }
}

impl Cluster {
    /// Where each partition of a topic begins and ends, by number.
    pub fn offsets(&self, topic: &Topic) -> Result<Vec<PartitionOffsets>, Failure> {
        let consumer = self.consumer(&[])?;
        topic
            .numbers()
            .map(|partition| {
                let (oldest, newest) = consumer
                    .fetch_watermarks(&topic.name, partition, PATIENCE)
                    .map_err(Failure::kafka(format!(
                        "asking for the offsets of {}[{partition}]",
                        topic.name
                    )))?;
                Ok(PartitionOffsets {
                    partition,
                    oldest,
                    newest,
                })
            })
            .collect()
    }

    /// The first offset at or after `moment` of each partition of a topic.
    pub fn offsets_at(&self, topic: &Topic, moment: Moment) -> Result<Vec<TimeOffset>, Failure> {
        let asking = || Failure::kafka(format!("asking for the offsets of {} at {moment}", topic.name));
        let mut asked = TopicPartitionList::new();
        for partition in topic.numbers() {
            asked
                .add_partition_offset(&topic.name, partition, Offset::Offset(moment.0))
                .map_err(asking())?;
        }
        let found = self
            .consumer(&[])?
            .offsets_for_times(asked, PATIENCE)
            .map_err(asking())?;
        let mut offsets: Vec<TimeOffset> = found
            .elements()
            .iter()
            .map(|element| TimeOffset {
                partition: element.partition(),
                offset: match element.offset() {
                    Offset::Offset(offset) => Some(offset),
                    _ => None,
                },
            })
            .collect();
        offsets.sort_by_key(|found| found.partition);
        Ok(offsets)
    }
}
