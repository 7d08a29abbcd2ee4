//! The cluster's topics and how complete their copies are: all from the one metadata answer that reached the cluster.

use regex::Regex;
use serde::Serialize;

use crate::cluster::{Cluster, Topic};

/// Which topics are meant.
#[derive(Debug, Clone, Default)]
pub struct TopicFilter {
    /// Also topics that Kafka, Connect and the registry made for themselves.
    pub internal: bool,
    /// Only topics whose name it matches, anywhere in the name.
    pub name: Option<Regex>,
}

/// A topic in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicSummary {
    /// Its name.
    pub topic: String,
    /// How many partitions it has.
    pub partitions: usize,
    /// Copies of each partition.
    pub replication: usize,
    /// Partitions with a copy that is behind.
    pub behind: usize,
    /// Partitions without a leader.
    pub leaderless: usize,
}

/// The topics that are meant, by name.
pub fn list(cluster: &Cluster, filter: &TopicFilter) -> Vec<TopicSummary> {
    filter.of(cluster).map(TopicSummary::of).collect()
}

impl TopicFilter {
    /// The topics that are meant, by name.
    pub fn of<'c>(&self, cluster: &'c Cluster) -> impl Iterator<Item = &'c Topic> {
        cluster.topics.iter().filter(|topic| self.takes(topic))
    }

    fn takes(&self, topic: &Topic) -> bool {
        let name = self.name.as_ref();
        (self.internal || !topic.is_internal()) && name.is_none_or(|name| name.is_match(&topic.name))
    }
}

impl TopicSummary {
    fn of(topic: &Topic) -> Self {
        let partitions = topic.partitions.iter();
        Self {
            topic: topic.name.clone(),
            partitions: topic.partitions.len(),
            replication: topic.replication(),
            behind: partitions
                .clone()
                .filter(|partition| partition.in_sync.len() < partition.replicas.len())
                .count(),
            leaderless: partitions.filter(|partition| partition.leader < 0).count(),
        }
    }
}
