//! The brokers' side: the groups' lag, asked again and again by clients that are kept, in a thread of its own.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;
use regex::Regex;
use serde::Serialize;
use stage::config::KafkaArgs;
use stage::kafka::OneShotContext;

use crate::commands::reach;
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::groups::{Group, GroupState, Position, SeenGaps};

/// With fewer messages, a partition is not behind: some are always on their way.
pub(super) const NOTABLE: i64 = 100;
/// How old the list of topics may be.
const TOPICS_FRESH: Duration = Duration::from_secs(60);

/// What is shown of the brokers.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct BrokersView {
    /// Why they are not shown.
    pub(super) away: Option<String>,
    pub(super) brokers: usize,
    pub(super) groups: Vec<GroupRow>,
}

/// A group and its partitions.
#[derive(Debug, Clone, Serialize)]
pub(super) struct GroupRow {
    pub(super) group: String,
    pub(super) state: GroupState,
    /// Null where it cannot be told.
    pub(super) members: Option<usize>,
    pub(super) lag: i64,
    pub(super) partitions: Vec<PartitionRow>,
}

/// A group in one partition.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PartitionRow {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) committed: Option<i64>,
    pub(super) end: i64,
    pub(super) lag: Option<i64>,
}

/// Asks the brokers.
pub(super) struct Brokers {
    args: KafkaArgs,
    filter: Option<Regex>,
    known: Option<Known>,
}

/// The cluster, and a client for each group.
struct Known {
    since: Instant,
    cluster: Cluster,
    consumer: BaseConsumer<OneShotContext>,
    of_groups: HashMap<String, BaseConsumer<OneShotContext>>,
    gaps: SeenGaps,
}

impl Brokers {
    /// Of groups whose names match.
    pub(super) fn new(args: KafkaArgs, filter: Option<Regex>) -> Self {
        Self {
            args,
            filter,
            known: None,
        }
    }

    /// Asks. Blocks.
    pub(super) fn look(&mut self) -> BrokersView {
        match self.ask() {
            Ok(view) => view,
            Err(failure) => {
                // They are reached anew the next time, and why they are not is said then.
                self.known = None;
                BrokersView {
                    away: Some(stage::chain(&failure)),
                    ..BrokersView::default()
                }
            }
        }
    }

    fn ask(&mut self) -> Result<BrokersView, Failure> {
        let kept = self
            .known
            .take()
            .filter(|known| known.since.elapsed() < TOPICS_FRESH);
        let known = match kept {
            Some(known) => known,
            None => {
                let cluster = reach(&self.args)?;
                let consumer = cluster.consumer(&[])?;
                Known {
                    since: Instant::now(),
                    cluster,
                    consumer,
                    of_groups: HashMap::new(),
                    gaps: SeenGaps::default(),
                }
            }
        };
        let Known {
            cluster,
            consumer,
            of_groups,
            gaps,
            ..
        } = self.known.insert(known);
        let mut groups = cluster.groups_by(consumer)?;
        if let Some(filter) = &self.filter {
            groups.retain(|group| filter.is_match(&group.name));
        }
        of_groups.retain(|name, _| groups.iter().any(|group| group.name == *name));
        let mut committed = Vec::new();
        for group in &groups {
            if !of_groups.contains_key(&group.name) {
                of_groups.insert(group.name.clone(), cluster.consumer_of(&group.name)?);
            }
            committed.push(match of_groups.get(&group.name) {
                Some(consumer) => cluster.committed_by(consumer, &group.name)?,
                None => cluster.committed(&group.name)?,
            });
        }
        let mut positions = cluster.positions_by(consumer, &groups, &committed)?;
        cluster.look_for_messages(&mut positions, gaps)?;
        let mut groups: Vec<GroupRow> = groups
            .iter()
            .zip(positions)
            .map(|(group, positions)| row(group, positions))
            .collect();
        // Who is at work first.
        groups.sort_by_key(|group| group.state == GroupState::Empty);
        Ok(BrokersView {
            away: None,
            brokers: cluster.brokers.len(),
            groups,
        })
    }
}

fn row(group: &Group, positions: Vec<Position>) -> GroupRow {
    let mut partitions: Vec<PartitionRow> = positions
        .into_iter()
        .map(|position| PartitionRow {
            lag: position.lag(),
            committed: position.committed,
            end: position.newest,
            partition: position.partition,
            topic: position.topic,
        })
        .collect();
    // What is behind first, as a screen shows the first rows. Those that are not would only change places all the time.
    partitions.sort_by_key(|row| Reverse(row.lag.filter(|lag| *lag >= NOTABLE)));
    GroupRow {
        group: group.name.clone(),
        state: group.state,
        members: (group.state != GroupState::Untold).then_some(group.members.len()),
        lag: partitions.iter().filter_map(|row| row.lag).sum(),
        partitions,
    }
}
