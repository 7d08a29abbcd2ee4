//! How a process is a member of its consumer group.

use clap::{Args, ValueEnum};
use rdkafka::ClientConfig;

/// The group membership's flags.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Kafka")]
pub struct MemberArgs {
    /// How the group shares its partitions out
    #[arg(long, env = "GROUP_PROTOCOL", value_enum, default_value_t = GroupProtocol::Classic)]
    pub group_protocol: GroupProtocol,

    /// Static membership: a name that is this replica's alone and survives its restarts, such as a StatefulSet's pod
    /// name. A replica that is back within the session time-out then finds its partitions as it left them
    #[arg(long, env = "GROUP_INSTANCE_ID", value_name = "NAME")]
    pub group_instance_id: Option<String>,

    /// Go on behind a batch that cannot be decoded (a wrong checksum, or it does not unpack), and count and log what is
    /// passed over. Without it, its partition stands still and /ready names it
    #[arg(long, env = "SKIP_UNDECODABLE_BATCHES")]
    pub skip_undecodable_batches: bool,
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
    /// Puts the membership into a consumer's configuration; what the operator set with `-X` stays.
    pub fn apply(&self, config: &mut ClientConfig) {
        if self.group_protocol == GroupProtocol::Consumer && config.get("group.protocol").is_none() {
            config.set("group.protocol", "consumer");
        }
        if let Some(id) = &self.group_instance_id {
            config.set("group.instance.id", id);
        }
    }
}
