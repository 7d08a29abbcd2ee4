//! Every group in a line, with the messages that it has yet to read.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::{Group, GroupState, Position};
use crate::cluster::Cluster;
use crate::failure::Failure;

/// A group and how far behind it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupSummary {
    /// Its name.
    pub group: String,
    /// What its coordinator says of it.
    pub state: GroupState,
    /// `consumer` for consumers; Kafka Connect and registries have their own.
    pub protocol_type: String,
    /// How many clients are in it; none where the brokers do not say.
    pub members: Option<usize>,
    /// The topics in which it has offsets or partitions.
    pub topics: BTreeSet<String>,
    /// Messages that it has yet to read, in all of them.
    pub lag: i64,
}

/// All groups, by name. After each one `progress` is called with how many are done, and of how many.
pub fn list(cluster: &Cluster, progress: impl Fn(u64, u64) + Sync) -> Result<Vec<GroupSummary>, Failure> {
    let groups = cluster.groups()?;
    let total = groups.len() as u64;
    progress(0, total);
    let done = AtomicU64::new(0);
    let positions = cluster.positions(&groups, || {
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
    })?;
    Ok(groups
        .into_iter()
        .zip(positions)
        .map(|(group, positions)| GroupSummary::new(group, &positions))
        .collect())
}

impl GroupSummary {
    fn new(group: Group, positions: &[Position]) -> Self {
        Self {
            state: group.state,
            protocol_type: group.protocol_type,
            members: (group.state != GroupState::Untold).then_some(group.members.len()),
            topics: positions.iter().map(|position| position.topic.clone()).collect(),
            lag: positions.iter().filter_map(Position::lag).sum(),
            group: group.name,
        }
    }
}
