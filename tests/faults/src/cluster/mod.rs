//! The brokers as a cluster: leaders, replicas in sync, and committed offsets of groups.

mod in_step;
mod topics;

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde::Deserialize;
use tokio::task::block_in_place;

use crate::failure::{Failure, Outcome};
use crate::instance::Instance;

/// The replication factor, if there are that many brokers.
const COPIES: usize = 3;

/// The timeout for one request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The harness's own connection to the cluster, bypassing all proxies.
pub(crate) struct Cluster {
    broker: String,
    client: BaseConsumer,
    admin: AdminClient<DefaultClientContext>,
    /// The number of brokers.
    brokers: usize,
}

/// Kafka's own record of the quorum's state, in a controller's data folder.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuorumState {
    leader_id: i32,
    leader_epoch: i64,
}

impl Cluster {
    /// Connects to the brokers.
    pub(crate) fn new(broker: &str) -> Outcome<Self> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", broker)
            .set("reconnect.backoff.max.ms", "1000");
        Ok(Self {
            broker: broker.to_owned(),
            brokers: broker.split(',').count(),
            client: config.create().map_err(Failure::kafka("make a client"))?,
            admin: config.create().map_err(Failure::kafka("make an admin client"))?,
        })
    }

    /// All brokers, by the names of their services.
    pub(crate) fn services(&self) -> Vec<String> {
        (1..=self.brokers).map(|node| self.service(node as i32)).collect()
    }

    fn service(&self, node: i32) -> String {
        match self.brokers {
            1 => "kafka".to_owned(),
            _ => format!("kafka{node}"),
        }
    }

    fn copies(&self) -> usize {
        self.brokers.min(COPIES)
    }

    fn metadata(&self) -> Outcome<Metadata> {
        let fetch = || self.client.fetch_metadata(None, TIMEOUT);
        block_in_place(fetch).map_err(Failure::kafka("read the cluster's metadata"))
    }

    /// The service that currently leads a partition.
    pub(crate) fn leader(&self, topic: &str, partition: i32) -> Outcome<String> {
        let metadata = self.metadata()?;
        let topic = metadata.topics().iter().find(|found| found.name() == topic);
        let partition =
            topic.and_then(|topic| topic.partitions().iter().find(|found| found.id() == partition));
        match partition.map(|partition| partition.leader()) {
            Some(leader @ 1..) => Ok(self.service(leader)),
            other => Err(Failure::Unexpected(format!(
                "the partition's leader is {other:?}"
            ))),
        }
    }

    /// The service that is the active controller. KRaft does not report it to clients, but each controller
    /// records it on disk.
    pub(crate) fn controller(&self, instance: &Instance) -> Outcome<String> {
        let state = |node: usize| -> Option<QuorumState> {
            let folder = format!("{}/__cluster_metadata-0", self.service(node as i32));
            let folder = instance.folder().join(folder);
            let text = std::fs::read(folder.join("quorum-state")).ok()?;
            serde_json::from_slice(&text).ok()
        };
        let newest = (1..=self.brokers)
            .filter_map(state)
            .max_by_key(|state| state.leader_epoch);
        match newest {
            Some(QuorumState {
                leader_id: leader @ 1..,
                ..
            }) => Ok(self.service(leader)),
            other => Err(Failure::Unexpected(format!("no controller is known: {other:?}"))),
        }
    }

    /// The number of a topic's partitions.
    pub(crate) fn partitions(&self, name: &str) -> Outcome<usize> {
        let metadata = self.metadata()?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == name);
        Ok(topic.map_or(0, |topic| topic.partitions().len()))
    }

    /// A group's committed offsets in these topics.
    pub(crate) fn committed(&self, group: &str, topics: &[String]) -> Outcome<BTreeMap<(String, i32), i64>> {
        let metadata = self.metadata()?;
        let mut list = TopicPartitionList::new();
        for topic in metadata
            .topics()
            .iter()
            .filter(|topic| topics.iter().any(|name| name == topic.name()))
        {
            for partition in topic.partitions() {
                list.add_partition(topic.name(), partition.id());
            }
        }
        let doing = || format!("read the offsets of group {group}");
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.broker)
            .set("group.id", group)
            .create()
            .map_err(Failure::kafka(doing()))?;
        let committed =
            block_in_place(|| consumer.committed_offsets(list, TIMEOUT)).map_err(Failure::kafka(doing()))?;
        let positions = committed
            .elements()
            .into_iter()
            .filter_map(|element| match element.offset() {
                Offset::Offset(offset) => Some(((element.topic().to_owned(), element.partition()), offset)),
                _ => None,
            });
        Ok(positions.collect())
    }
}
