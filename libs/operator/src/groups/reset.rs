//! Plans where a group goes on, and moves it there.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;

use super::{Group, GroupState, Move, Position, Target};
use crate::cluster::{Cluster, Place};
use crate::failure::Failure;

/// Where a group is to go on.
#[derive(Debug, Clone)]
pub struct ResetRequest {
    /// Where in each partition.
    pub to: Target,
    /// Only in these topics, their partitions without an offset included. Without any: in all partitions with an offset.
    pub topics: Vec<String>,
}

/// What a request means for each partition.
#[derive(Debug, Clone)]
pub struct ResetPlan {
    /// The group's name.
    pub group: String,
    /// Its state when it was planned.
    pub state: GroupState,
    /// One for each partition.
    pub moves: Vec<Move>,
    /// How many partitions are left out, as they have no committed offset that could be shifted.
    pub left_out: usize,
}

/// What became of a plan, or what would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reset {
    /// The group's name.
    pub group: String,
    /// Its state when it was planned.
    pub state: GroupState,
    /// Whether it was moved, or only planned.
    pub executed: bool,
    /// One for each partition.
    pub moves: Vec<PlannedMove>,
}

/// A partition's move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedMove {
    /// From where to where.
    #[serde(flatten)]
    pub planned: Move,
    /// Whether the group has the offset now; none in a plan.
    pub moved: Option<bool>,
}

/// Plans a reset; nothing is changed.
pub fn plan(cluster: &Cluster, group: &Group, request: &ResetRequest) -> Result<ResetPlan, Failure> {
    let committed = cluster.committed(&group.name)?;
    let mut places: BTreeSet<Place> = BTreeSet::new();
    if request.topics.is_empty() {
        places.extend(committed.keys().cloned());
    }
    for name in &request.topics {
        let topic = cluster.topic(name)?;
        places.extend(topic.numbers().map(|number| (name.clone(), number)));
    }
    let at = match request.to {
        Target::Datetime(moment) => cluster.offsets_of(&places, moment)?,
        _ => BTreeMap::new(),
    };
    let mut plan = ResetPlan {
        group: group.name.clone(),
        state: group.state,
        moves: Vec::new(),
        left_out: 0,
    };
    for (place, (oldest, newest)) in cluster.bounds(&places)? {
        let position = Position {
            committed: committed.get(&place).copied(),
            oldest,
            newest,
            nothing_to_read: false,
            topic: place.0.clone(),
            partition: place.1,
        };
        match request.to.of(&position, at.get(&place).copied()) {
            Some(planned) => plan.moves.push(planned),
            None => plan.left_out += 1,
        }
    }
    Ok(plan)
}

/// Commits in the group's name without joining it, which the brokers accept only while the group has no members: whoever
/// joined since the plan was made is safe. What the group has then is read back.
pub fn execute(cluster: &Cluster, plan: ResetPlan) -> Result<Reset, Failure> {
    plan.refuse_empty()?;
    let what = || format!("moving {}", plan.group);
    let mut wanted = TopicPartitionList::new();
    for planned in &plan.moves {
        wanted
            .add_partition_offset(&planned.topic, planned.partition, Offset::Offset(planned.to))
            .map_err(Failure::kafka(what()))?;
    }
    cluster
        .consumer_of(&plan.group)?
        .commit(&wanted, CommitMode::Sync)
        .map_err(|error| refused(what(), error))?;
    let committed = cluster.committed(&plan.group)?;
    let mut reset = plan.into_reset();
    reset.executed = true;
    for PlannedMove { planned, moved } in &mut reset.moves {
        let now = committed.get(&(planned.topic.clone(), planned.partition));
        *moved = Some(now == Some(&planned.to));
    }
    Ok(reset)
}

impl ResetPlan {
    /// Refuses a plan that moves nothing.
    pub fn refuse_empty(&self) -> Result<(), Failure> {
        if !self.moves.is_empty() {
            return Ok(());
        }
        Err(Failure::Refused {
            what: format!("moving {}", self.group),
            reason: "it has no offsets there".to_owned(),
            hint: "name topics with --topic to give it offsets in them".to_owned(),
        })
    }

    /// The plan as an answer: nothing has moved.
    pub fn into_reset(self) -> Reset {
        let moves = self.moves.into_iter();
        Reset {
            group: self.group,
            state: self.state,
            executed: false,
            moves: moves
                .map(|planned| PlannedMove { planned, moved: None })
                .collect(),
        }
    }
}

impl Reset {
    /// Whether no partition was left where it was.
    pub fn is_complete(&self) -> bool {
        self.moves.iter().all(|row| row.moved != Some(false))
    }
}

fn refused(what: String, error: KafkaError) -> Failure {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(
            Code::UnknownMemberId
            | Code::IllegalGeneration
            | Code::RebalanceInProgress
            | Code::StaleMemberEpoch,
        ) => Failure::Refused {
            what,
            reason: "somebody is in the group".to_owned(),
            hint: "stop its clients and wait until the broker has missed them (session.timeout.ms)"
                .to_owned(),
        },
        _ => Failure::Kafka {
            doing: what,
            source: error,
        },
    }
}
