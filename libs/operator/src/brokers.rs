//! The cluster's brokers: what each leads and holds, and which of them is the controller.

use serde::Serialize;

use crate::cluster::{Broker, Cluster};
use crate::failure::Failure;

/// A broker in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokerSummary {
    /// `node.id`.
    pub id: i32,
    /// The host to which clients connect.
    pub host: String,
    /// The port on it.
    pub port: i32,
    /// Whether clients take it for the controller.
    pub controller: bool,
    /// Partitions that it leads.
    pub leads: usize,
    /// Partitions of which it has a copy.
    pub replicas: usize,
    /// Copies that are not complete now.
    pub behind: usize,
}

/// All brokers, by id.
pub fn list(cluster: &Cluster) -> Result<Vec<BrokerSummary>, Failure> {
    let controller = cluster.controller()?;
    let brokers = cluster.brokers.iter();
    Ok(brokers
        .map(|broker| BrokerSummary::new(cluster, broker, controller))
        .collect())
}

impl BrokerSummary {
    fn new(cluster: &Cluster, broker: &Broker, controller: Option<i32>) -> Self {
        let partitions = || cluster.topics.iter().flat_map(|topic| &topic.partitions);
        let held = || partitions().filter(|partition| partition.replicas.contains(&broker.id));
        Self {
            id: broker.id,
            host: broker.host.clone(),
            port: broker.port,
            controller: controller == Some(broker.id),
            leads: partitions()
                .filter(|partition| partition.leader == broker.id)
                .count(),
            replicas: held().count(),
            behind: held()
                .filter(|partition| !partition.in_sync.contains(&broker.id))
                .count(),
        }
    }
}
