//! The consumer groups' lag. The brokers are asked repeatedly, by clients that are kept.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use regex::Regex;
use serde::Serialize;
use stage::config::KafkaArgs;

use crate::cancel::Cancel;
use crate::cluster::{Client, Cluster};
use crate::failure::Failure;
use crate::groups::{Group, GroupState, Position, SeenGaps};

/// With less lag a group is not considered behind, as some messages are always in flight.
pub const NOTABLE_LAG: i64 = 100;
/// How old the list of topics may become.
const MAX_TOPICS_AGE: Duration = Duration::from_secs(60);

/// The brokers and the consumer groups.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BrokersRow {
    /// Why they are unknown; none if the brokers answered.
    pub away: Option<String>,
    /// How many brokers there are.
    pub brokers: usize,
    /// Whether they answer, but do not list groups: as the embedded broker of the demo.
    pub lists_no_groups: bool,
    /// The groups with members first.
    pub groups: Vec<GroupRow>,
    /// When this was known; none for a single sample.
    #[serde(skip)]
    pub answered: Option<Instant>,
}

/// A group and its partitions.
#[derive(Debug, Clone, Serialize)]
pub struct GroupRow {
    /// Its name.
    pub group: String,
    /// As its coordinator describes it.
    pub state: GroupState,
    /// None where it is unknown.
    pub members: Option<usize>,
    /// Messages that it has yet to read, in all partitions.
    pub lag: i64,
    /// Those in which it has committed an offset, or has a member; those with a notable lag first.
    pub partitions: Vec<PartitionRow>,
}

/// A group in one partition.
#[derive(Debug, Clone, Serialize)]
pub struct PartitionRow {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The offset of the next message to read; none if nothing is committed.
    pub committed: Option<i64>,
    /// The offset that the next message will get.
    pub end: i64,
    /// Messages between the two; none if nothing is committed.
    pub lag: Option<i64>,
}

/// Asks the brokers.
pub struct BrokersWatcher {
    args: KafkaArgs,
    filter: Option<Regex>,
    on_trouble: fn(&str),
    known: Option<Known>,
}

/// The cluster, and the client that asks.
struct Known {
    since: Instant,
    cluster: Cluster,
    consumer: Client,
    gaps: SeenGaps,
}

impl BrokersWatcher {
    /// Watches the groups whose names match, or all; `on_trouble` is called with what keeps an answer waiting.
    pub fn new(args: KafkaArgs, filter: Option<Regex>, on_trouble: fn(&str)) -> Self {
        Self {
            args,
            filter,
            on_trouble,
            known: None,
        }
    }

    /// The address of the brokers.
    pub fn broker(&self) -> &str {
        &self.args.broker
    }

    /// The name of their cluster.
    pub fn cluster(&self) -> Option<&str> {
        self.args.cluster_name()
    }

    /// Asks the brokers, for as long as the answer is wanted. Blocks.
    pub fn look(&mut self, cancel: &Cancel) -> BrokersRow {
        match self.ask(cancel) {
            Ok(view) => view,
            Err(failure) => {
                // The next look connects again, unless the brokers answered and refused.
                let refused = matches!(failure, Failure::Refused { .. });
                let known = self.known.take().filter(|_| refused);
                let brokers = known.as_ref().map(|known| known.cluster.brokers.len());
                self.known = known;
                BrokersRow {
                    away: Some(stage::chain(&failure)),
                    brokers: brokers.unwrap_or_default(),
                    lists_no_groups: refused,
                    ..BrokersRow::default()
                }
            }
        }
    }

    fn ask(&mut self, cancel: &Cancel) -> Result<BrokersRow, Failure> {
        let kept = self
            .known
            .take()
            .filter(|known| known.since.elapsed() < MAX_TOPICS_AGE);
        let known = match kept {
            Some(known) => known,
            None => {
                let cluster =
                    Cluster::reach_while(&self.args, cancel.clone())?.with_trouble_to(self.on_trouble);
                let consumer = cluster.consumer(&[])?;
                Known {
                    since: Instant::now(),
                    cluster,
                    consumer,
                    gaps: SeenGaps::default(),
                }
            }
        };
        let Known {
            cluster,
            consumer,
            gaps,
            ..
        } = self.known.insert(known);
        let mut groups = cluster.groups_by(consumer)?;
        if let Some(filter) = &self.filter {
            groups.retain(|group| filter.is_match(&group.name));
        }
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        let committed = cluster.committed_by(consumer, &names, || ())?;
        let mut positions = cluster.positions_by(consumer, &groups, &committed)?;
        cluster.look_for_messages(&mut positions, gaps)?;
        let mut groups: Vec<GroupRow> = groups
            .iter()
            .zip(positions)
            .map(|(group, positions)| row(group, positions))
            .collect();
        groups.sort_by_key(|group| group.state == GroupState::Empty);
        Ok(BrokersRow {
            away: None,
            brokers: cluster.brokers.len(),
            lists_no_groups: false,
            groups,
            answered: None,
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
    // What is behind comes first, as a screen shows the first rows. The rest keeps its order, so that rows do not jump.
    partitions.sort_by_key(|row| Reverse(row.lag.filter(|lag| *lag >= NOTABLE_LAG)));
    GroupRow {
        group: group.name.clone(),
        state: group.state,
        members: (group.state != GroupState::Untold).then_some(group.members.len()),
        lag: partitions.iter().filter_map(|row| row.lag).sum(),
        partitions,
    }
}
