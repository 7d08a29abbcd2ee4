//! Membership in the consumer group.

use clap::{Args, ValueEnum};
use rdkafka::ClientConfig;

use crate::metrics::MAX_LAG_SERIES;

/// The group membership's flags.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Kafka")]
pub struct MemberArgs {
    /// How the group distributes its partitions
    #[arg(long, env = "GROUP_PROTOCOL", value_enum, default_value_t = GroupProtocol::Classic)]
    pub group_protocol: GroupProtocol,

    /// Static membership: a name that is unique to this replica and survives its restarts, such as a StatefulSet's pod
    /// name. A replica that returns within the session time-out keeps its partitions
    #[arg(long, env = "GROUP_INSTANCE_ID", value_name = "NAME")]
    pub group_instance_id: Option<String>,

    /// Skip a batch that cannot be decoded (a wrong checksum, or it cannot be decompressed), and count and log the
    /// skipped messages. Without it, the partition is blocked and /ready names it
    #[arg(long, env = "SKIP_UNDECODABLE_BATCHES")]
    pub skip_undecodable_batches: bool,

    /// Partitions with a series of their own in the metric kafka_consumer_lag. Beyond this number, the partitions with
    /// the least lag are one series with the topic (other)
    #[arg(long, env = "MAX_LAG_SERIES", default_value_t = MAX_LAG_SERIES, value_name = "N")]
    pub max_lag_series: usize,
}

impl Default for MemberArgs {
    /// The flags' defaults.
    fn default() -> Self {
        Self {
            group_protocol: GroupProtocol::default(),
            group_instance_id: None,
            skip_undecodable_batches: false,
            max_lag_series: MAX_LAG_SERIES,
        }
    }
}

/// A rebalance protocol of Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum GroupProtocol {
    /// Members agree among themselves (cooperative-sticky): every Kafka
    #[default]
    Classic,
    /// The broker decides (KIP-848), without stops: Kafka 4.0 and newer
    Consumer,
}

impl MemberArgs {
    /// Sets the membership in a consumer's configuration; the operator's `-X` settings stay.
    pub fn apply(&self, config: &mut ClientConfig) {
        if self.group_protocol == GroupProtocol::Consumer && config.get("group.protocol").is_none() {
            config.set("group.protocol", "consumer");
        }
        if let Some(id) = &self.group_instance_id {
            config.set("group.instance.id", id);
        }
    }
}
