//! All that there is to know of one topic: its partitions with their brokers and offsets, and its own settings.

use serde::Serialize;

use super::{Setting, offsets_of_all, settings};
use crate::cluster::{Cluster, Partition, PartitionOffsets};
use crate::failure::Failure;

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicDescription {
    /// Its name.
    pub topic: String,
    /// Copies of each partition.
    pub replication: usize,
    /// The offsets between the oldest and the newest of all partitions: as many messages, or fewer.
    pub total: i64,
    /// By number.
    pub partitions: Vec<PartitionDescription>,
    /// The settings that are its own, by key.
    pub settings: Vec<Setting>,
}

/// A partition, where it is and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionDescription {
    /// Its number.
    pub partition: i32,
    /// The broker that leads it; none if there is none now.
    pub leader: Option<i32>,
    /// The brokers that have a copy.
    pub replicas: Vec<i32>,
    /// The brokers whose copies are complete.
    pub in_sync: Vec<i32>,
    /// The first offset that is there; none where nobody leads the partition.
    pub oldest: Option<i64>,
    /// The offset that the next message will get.
    pub newest: Option<i64>,
}

/// All that there is to know of a topic.
pub fn describe(cluster: &Cluster, name: &str) -> Result<TopicDescription, Failure> {
    let topic = cluster.topic(name)?;
    let held = offsets_of_all(cluster, &[topic])?.pop();
    let offsets = |number: i32| {
        let held = held.as_ref()?;
        let found = held
            .partitions
            .iter()
            .find(|held| held.offsets.partition == number)?;
        Some(found.offsets)
    };
    Ok(TopicDescription {
        topic: name.to_owned(),
        replication: topic.replication(),
        total: held.as_ref().map_or(0, |held| held.total),
        partitions: topic
            .partitions
            .iter()
            .map(|partition| PartitionDescription::of(partition, offsets(partition.number)))
            .collect(),
        settings: settings(cluster, name, false)?,
    })
}

impl PartitionDescription {
    fn of(partition: &Partition, offsets: Option<PartitionOffsets>) -> Self {
        Self {
            partition: partition.number,
            leader: (partition.leader >= 0).then_some(partition.leader),
            replicas: partition.replicas.clone(),
            in_sync: partition.in_sync.clone(),
            oldest: offsets.map(|offsets| offsets.oldest),
            newest: offsets.map(|offsets| offsets.newest),
        }
    }
}
