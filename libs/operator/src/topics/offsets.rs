//! The oldest and the newest offset of each partition, and how many messages lie between.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::cluster::{Cluster, PartitionOffsets, Place, Topic};
use crate::failure::Failure;

/// What a topic holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicOffsets {
    /// Its name.
    pub topic: String,
    /// The messages of all of `partitions`. Counts are of offsets: compacted and transactional topics hold fewer.
    pub total: i64,
    /// By number.
    pub partitions: Vec<PartitionCount>,
    /// The numbers of the partitions whose offsets are not known, as nobody leads them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<i32>,
}

/// What a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PartitionCount {
    /// Where it begins and ends.
    #[serde(flatten)]
    pub offsets: PartitionOffsets,
    /// The messages between.
    pub count: i64,
}

/// What a topic holds. Fails if that is not known of one of its partitions.
pub fn offsets(cluster: &Cluster, topic: &str) -> Result<TopicOffsets, Failure> {
    let topic = cluster.topic(topic)?;
    Ok(TopicOffsets::new(topic, cluster.offsets(topic)?))
}

/// What each of several topics holds, in their order; asked for with two requests to each broker, however many topics
/// they are. A partition that nobody leads is named beside the others.
pub fn offsets_of_all(cluster: &Cluster, topics: &[&Topic]) -> Result<Vec<TopicOffsets>, Failure> {
    let places: BTreeSet<Place> = topics.iter().flat_map(|topic| topic.places()).collect();
    let bounds = cluster.bounds(&places)?;
    let of_partition = |(topic, partition): Place| {
        let &(oldest, newest) = bounds.get(&(topic, partition))?;
        Some(PartitionOffsets {
            partition,
            oldest,
            newest,
        })
    };
    Ok(topics
        .iter()
        .map(|topic| TopicOffsets::new(topic, topic.places().filter_map(of_partition).collect()))
        .collect())
}

impl TopicOffsets {
    fn new(topic: &Topic, offsets: Vec<PartitionOffsets>) -> Self {
        let partitions: Vec<PartitionCount> = offsets
            .into_iter()
            .map(|offsets| PartitionCount {
                count: offsets.count(),
                offsets,
            })
            .collect();
        let is_known = |number: &i32| {
            partitions
                .iter()
                .any(|partition| partition.offsets.partition == *number)
        };
        Self {
            unknown: topic.numbers().filter(|number| !is_known(number)).collect(),
            topic: topic.name.clone(),
            total: partitions.iter().map(|partition| partition.count).sum(),
            partitions,
        }
    }
}
