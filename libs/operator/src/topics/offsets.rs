//! The oldest and the newest offset of each partition, and how many messages lie between.

use serde::Serialize;

use crate::cluster::{Cluster, PartitionOffsets, Topic};
use crate::failure::Failure;

/// What a topic holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicOffsets {
    /// Its name.
    pub topic: String,
    /// The messages of all partitions. Counts are of offsets: compacted and transactional topics hold fewer.
    pub total: i64,
    /// By number.
    pub partitions: Vec<PartitionCount>,
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

/// What a topic holds.
pub fn offsets(cluster: &Cluster, topic: &str) -> Result<TopicOffsets, Failure> {
    let topic = cluster.topic(topic)?;
    Ok(TopicOffsets::new(topic, cluster.offsets(topic)?))
}

/// What each of several topics holds, in their order; asked for with two requests to each broker, however many topics
/// they are.
pub fn offsets_of_all(cluster: &Cluster, topics: &[&Topic]) -> Result<Vec<TopicOffsets>, Failure> {
    let found = cluster.offsets_of_topics(topics)?;
    Ok(topics
        .iter()
        .zip(found)
        .map(|(topic, offsets)| TopicOffsets::new(topic, offsets))
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
        Self {
            topic: topic.name.clone(),
            total: partitions.iter().map(|partition| partition.count).sum(),
            partitions,
        }
    }
}
