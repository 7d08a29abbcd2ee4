//! Where a group is in each partition, who reads it there, and who has nothing to do.

use std::collections::HashMap;

use serde::Serialize;

use super::{Group, GroupState, Member, Position};
use crate::cluster::Cluster;
use crate::failure::Failure;

/// A group, its positions and its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupDescription {
    /// Its name.
    pub group: String,
    /// What its coordinator says of it.
    pub state: GroupState,
    /// `consumer` for consumers; Kafka Connect and registries have their own.
    pub protocol_type: String,
    /// How its members share the partitions out.
    pub assignor: String,
    /// Messages that it has yet to read, in all partitions.
    pub lag: i64,
    /// Where it has offsets or partitions.
    pub partitions: Vec<PartitionPosition>,
    /// None where the brokers do not say.
    pub members: Option<Vec<MemberSummary>>,
}

/// Where the group is in a partition, and who reads it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionPosition {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The offset of the next message to read; none if nothing is committed.
    pub committed: Option<i64>,
    /// The first offset that is there.
    pub oldest: i64,
    /// The offset that the next message will get.
    pub newest: i64,
    /// Messages that the group has yet to read; none if nothing is committed.
    pub lag: Option<i64>,
    /// The id of the member that reads it now.
    pub member: Option<String>,
    /// That member's `client.id`.
    pub client: Option<String>,
    /// Where it connects from.
    pub host: Option<String>,
}

/// A client of the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberSummary {
    /// The id that the coordinator gave it.
    pub id: String,
    /// `client.id`.
    pub client: String,
    /// Where it connects from.
    pub host: String,
    /// What it subscribes to.
    pub topics: Vec<String>,
    /// How many partitions it was given.
    pub partitions: usize,
}

/// The group of that name.
pub fn describe(cluster: &Cluster, name: &str) -> Result<GroupDescription, Failure> {
    let group = cluster.group(name)?;
    let positions = cluster.positions(std::slice::from_ref(&group), || ())?;
    Ok(GroupDescription::new(
        &group,
        positions.into_iter().flatten().collect(),
    ))
}

impl GroupDescription {
    fn new(group: &Group, positions: Vec<Position>) -> Self {
        let mut readers: HashMap<(&str, i32), &Member> = HashMap::new();
        for member in &group.members {
            for (topic, number) in &member.partitions {
                readers.entry((topic, *number)).or_insert(member);
            }
        }
        Self {
            group: group.name.clone(),
            state: group.state,
            protocol_type: group.protocol_type.clone(),
            assignor: group.assignor.clone(),
            lag: positions.iter().filter_map(Position::lag).sum(),
            partitions: positions
                .into_iter()
                .map(|position| {
                    let reader = readers.get(&(position.topic.as_str(), position.partition));
                    PartitionPosition::new(reader.copied(), position)
                })
                .collect(),
            members: (group.state != GroupState::Untold)
                .then(|| group.members.iter().map(MemberSummary::new).collect()),
        }
    }
}

impl PartitionPosition {
    fn new(reader: Option<&Member>, position: Position) -> Self {
        Self {
            lag: position.lag(),
            committed: position.committed,
            oldest: position.oldest,
            newest: position.newest,
            member: reader.map(|member| member.id.clone()),
            client: reader.map(|member| member.client.clone()),
            host: reader.map(|member| member.host.clone()),
            partition: position.partition,
            topic: position.topic,
        }
    }
}

impl MemberSummary {
    fn new(member: &Member) -> Self {
        Self {
            id: member.id.clone(),
            client: member.client.clone(),
            host: member.host.clone(),
            topics: member.topics.clone(),
            partitions: member.partitions.len(),
        }
    }
}
