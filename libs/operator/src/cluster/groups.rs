//! The cluster's consumer groups: who is in them, what they have committed, and how far behind that is.

mod protocol;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::groups::{GroupInfo, GroupMemberInfo};
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;
use stage::config::Moment;
use stage::kafka::OneShotContext;

use super::{Cluster, PATIENCE, SeenGaps};
use crate::failure::{Failure, nearest};

/// The command that lists what [`Cluster::group`] looks among.
const LIST_GROUPS: &str = "kafkaefd groups list";

/// How many groups are asked about at once.
const AT_ONCE: usize = 8;

/// A partition by its topic and number.
pub type Place = (String, i32);

/// A consumer group, as its coordinator describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What its coordinator says of it.
    pub state: GroupState,
    /// `consumer` for consumers, empty where nobody has joined; Kafka Connect and registries have their own.
    pub protocol_type: String,
    /// How its members share the partitions out.
    pub assignor: String,
    /// Those that are in it now.
    pub members: Vec<Member>,
}

/// Whether a group is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupState {
    /// Its members have their partitions.
    Stable,
    /// Its members join, or wait for their partitions.
    Rebalancing,
    /// Nobody is in it.
    Empty,
    /// Its members speak a protocol whose groups do not answer this question (KIP-848): it may have members.
    Untold,
}

/// One client of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The id that the coordinator gave it.
    pub id: String,
    /// `client.id`.
    pub client: String,
    /// Where it connects from.
    pub host: String,
    /// What it subscribes to.
    pub topics: Vec<String>,
    /// What it was given.
    pub partitions: Vec<Place>,
}

/// Where a group goes on in a partition, and what the partition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
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
    /// Whether what lies between is known to hold no message ([`Cluster::look_for_messages`]).
    pub nothing_to_read: bool,
}

impl GroupState {
    fn of(state: &str) -> Self {
        match state {
            "Stable" => Self::Stable,
            "Empty" => Self::Empty,
            "PreparingRebalance" | "CompletingRebalance" => Self::Rebalancing,
            _ => Self::Untold,
        }
    }

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Rebalancing => "rebalancing",
            Self::Empty => "empty",
            Self::Untold => "untold",
        }
    }
}

impl Group {
    /// Whether anybody is known to be in it.
    pub fn is_active(&self) -> bool {
        !self.members.is_empty() || matches!(self.state, GroupState::Stable | GroupState::Rebalancing)
    }
}

impl Position {
    /// Messages that the group has yet to read; none if nothing is committed.
    pub fn lag(&self) -> Option<i64> {
        if self.nothing_to_read {
            return Some(0);
        }
        Some((self.newest - self.committed?.max(self.oldest)).max(0))
    }
}

impl Cluster {
    /// All consumer groups, by name.
    pub fn groups(&self) -> Result<Vec<Group>, Failure> {
        self.groups_by(&self.consumer(&[])?)
    }

    /// The same, asked by a consumer that is there already.
    pub fn groups_by(&self, consumer: &BaseConsumer<OneShotContext>) -> Result<Vec<Group>, Failure> {
        self.check_wanted()?;
        let list = consumer
            .fetch_group_list(None, PATIENCE)
            .map_err(Failure::kafka("asking for the groups"))?;
        // rdkafka panics on names that are not UTF-8. Brokers of Java send none; whoever does is left out.
        let mut groups: Vec<Group> = list
            .groups()
            .iter()
            .filter_map(|info| catch_unwind(AssertUnwindSafe(|| group(info))).ok())
            .filter(|group| !group.name.is_empty())
            .collect();
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        groups.dedup_by(|one, other| one.name == other.name);
        Ok(groups)
    }

    /// The group of that name, or the names that are nearest to it.
    pub fn group(&self, name: &str) -> Result<Group, Failure> {
        let groups = self.groups()?;
        let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
        groups
            .into_iter()
            .find(|group| group.name == name)
            .ok_or_else(|| Failure::Unknown {
                kind: "group",
                name: name.to_owned(),
                nearest: nearest(name, names.iter().map(String::as_str)),
                list: LIST_GROUPS,
            })
    }

    /// A consumer that speaks for a group without joining it.
    pub fn consumer_of(&self, group: &str) -> Result<BaseConsumer<OneShotContext>, Failure> {
        self.consumer(&[("group.id", group)])
    }

    /// What a group has committed, among all partitions of the cluster.
    pub fn committed(&self, group: &str) -> Result<BTreeMap<Place, i64>, Failure> {
        self.committed_by(&self.consumer_of(group)?, group)
    }

    /// The same, asked by a consumer of that group ([`Cluster::consumer_of`]) that is there already.
    pub fn committed_by(
        &self,
        consumer: &BaseConsumer<OneShotContext>,
        group: &str,
    ) -> Result<BTreeMap<Place, i64>, Failure> {
        self.check_wanted()?;
        let mut asked = TopicPartitionList::new();
        for topic in &self.topics {
            for number in topic.numbers() {
                asked.add_partition(&topic.name, number);
            }
        }
        if asked.count() == 0 {
            return Ok(BTreeMap::new());
        }
        let found = consumer
            .committed_offsets(asked, PATIENCE)
            .map_err(Failure::kafka(format!(
                "asking for the offsets that {group} has committed"
            )))?;
        Ok(offsets(&found))
    }

    /// The positions of groups: in all that each has committed, and in all that its members have. `done` is called after
    /// each group.
    pub fn positions(&self, groups: &[Group], done: impl Fn() + Sync) -> Result<Vec<Vec<Position>>, Failure> {
        let ask = |group: &Group| {
            let committed = self.committed(&group.name);
            done();
            committed
        };
        // A new client takes a second to find its group's coordinator.
        let mut committed = Vec::new();
        for some in groups.chunks(AT_ONCE) {
            let answers = std::thread::scope(|scope| {
                let threads: Vec<_> = some.iter().map(|group| scope.spawn(|| ask(group))).collect();
                let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
                    Ok(answer) => answer,
                    Err(panic) => std::panic::resume_unwind(panic),
                };
                threads.into_iter().map(join).collect::<Vec<Result<_, _>>>()
            });
            for answer in answers {
                committed.push(answer?);
            }
        }
        let mut positions = self.positions_by(&self.consumer(&[])?, groups, &committed)?;
        self.look_for_messages(&mut positions, &mut SeenGaps::default())?;
        Ok(positions)
    }

    /// The same from what each group has committed, in their order.
    pub fn positions_by(
        &self,
        consumer: &BaseConsumer<OneShotContext>,
        groups: &[Group],
        committed: &[BTreeMap<Place, i64>],
    ) -> Result<Vec<Vec<Position>>, Failure> {
        let places: Vec<BTreeSet<Place>> = groups
            .iter()
            .zip(committed)
            .map(|(group, committed)| committed.keys().cloned().chain(self.given(group)).collect())
            .collect();
        let bounds = bounds(consumer, &places.iter().flatten().cloned().collect())?;
        let position = |committed: &BTreeMap<Place, i64>, place: Place| {
            let &(oldest, newest) = bounds.get(&place)?;
            Some(Position {
                committed: committed.get(&place).copied(),
                topic: place.0,
                partition: place.1,
                oldest,
                newest,
                nothing_to_read: false,
            })
        };
        Ok(places
            .into_iter()
            .zip(committed)
            .map(|(places, committed)| {
                let places = places.into_iter();
                places.filter_map(|place| position(committed, place)).collect()
            })
            .collect())
    }

    /// What a group's members have. They write what they like, so that only what is in the cluster counts.
    fn given(&self, group: &Group) -> impl Iterator<Item = Place> {
        let places = group.members.iter().flat_map(|member| &member.partitions);
        places
            .filter(|(topic, number)| {
                self.topic(topic)
                    .is_ok_and(|topic| topic.numbers().any(|known| known == *number))
            })
            .cloned()
    }

    /// The first offset at or after a moment of partitions; without those in which nothing is that late.
    pub fn offsets_of(
        &self,
        places: &BTreeSet<Place>,
        moment: Moment,
    ) -> Result<BTreeMap<Place, i64>, Failure> {
        times(&self.consumer(&[])?, places, Offset::Offset(moment.0))
    }

    /// The oldest and the newest offset of partitions, in two requests to each broker; without those that are gone.
    pub fn bounds(&self, places: &BTreeSet<Place>) -> Result<BTreeMap<Place, (i64, i64)>, Failure> {
        bounds(&self.consumer(&[])?, places)
    }
}

fn bounds(
    consumer: &BaseConsumer<OneShotContext>,
    places: &BTreeSet<Place>,
) -> Result<BTreeMap<Place, (i64, i64)>, Failure> {
    let (oldest, mut newest) = (
        times(consumer, places, Offset::Beginning)?,
        times(consumer, places, Offset::End)?,
    );
    Ok(oldest
        .into_iter()
        .filter_map(|(place, oldest)| {
            let newest = newest.remove(&place)?;
            Some((place, (oldest, newest)))
        })
        .collect())
}

/// What Kafka answers to a time stamp, of which the two ends are special ones.
fn times(
    consumer: &BaseConsumer<OneShotContext>,
    places: &BTreeSet<Place>,
    at: Offset,
) -> Result<BTreeMap<Place, i64>, Failure> {
    let failed = || Failure::kafka("asking where partitions begin and end");
    let mut asked = TopicPartitionList::new();
    for (topic, partition) in places {
        asked
            .add_partition_offset(topic, *partition, at)
            .map_err(failed())?;
    }
    if places.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = consumer.offsets_for_times(asked, PATIENCE).map_err(failed())?;
    Ok(offsets(&found))
}

/// The offsets of those elements that have one.
fn offsets(list: &TopicPartitionList) -> BTreeMap<Place, i64> {
    list.elements()
        .iter()
        .filter(|element| element.error().is_ok())
        .filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some(((element.topic().to_owned(), element.partition()), offset)),
            _ => None,
        })
        .collect()
}

fn group(info: &GroupInfo) -> Group {
    let state = GroupState::of(info.state());
    Group {
        name: info.name().to_owned(),
        state,
        protocol_type: info.protocol_type().to_owned(),
        assignor: info.protocol().to_owned(),
        members: match state {
            GroupState::Untold => Vec::new(),
            // What is not of the consumers' protocol (Connect, the registries) has no partitions that could be named.
            _ => {
                let of_consumers = info.protocol_type() == "consumer";
                info.members()
                    .iter()
                    .map(|info| member(info, of_consumers))
                    .collect()
            }
        },
    }
}

fn member(info: &GroupMemberInfo, of_consumers: bool) -> Member {
    Member {
        id: info.id().to_owned(),
        client: info.client_id().to_owned(),
        host: info.client_host().trim_start_matches('/').to_owned(),
        topics: info
            .metadata()
            .filter(|_| of_consumers)
            .and_then(protocol::subscription)
            .unwrap_or_default(),
        partitions: info
            .assignment()
            .filter(|_| of_consumers)
            .and_then(protocol::assignment)
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_what_is_there() {
        let position = |committed| Position {
            topic: "t".to_owned(),
            partition: 0,
            committed,
            oldest: 10,
            newest: 30,
            nothing_to_read: false,
        };
        assert_eq!(position(None).lag(), None);
        assert_eq!(position(Some(25)).lag(), Some(5));
        assert_eq!(position(Some(2)).lag(), Some(20), "retention took the rest");
        assert_eq!(position(Some(31)).lag(), Some(0), "the topic was made anew");
    }

    #[test]
    fn unknown_states_are_not_taken_for_empty() {
        assert_eq!(GroupState::of("Empty"), GroupState::Empty);
        for untold in ["Dead", "", "Assigning", "Reconciling"] {
            assert_eq!(GroupState::of(untold), GroupState::Untold);
        }
    }
}
