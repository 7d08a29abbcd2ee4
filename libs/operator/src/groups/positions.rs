//! Where groups go on in each partition, and how far behind that is.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use stage::kafka::{OneShotContext, parts};

use super::{Group, SeenGaps};
use crate::cluster::{Cluster, Place, REQUEST_TIMEOUT, known};
use crate::failure::Failure;

/// How many groups are asked about at once.
const AT_ONCE: usize = 8;

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
    /// What a group has committed, among all partitions of the cluster.
    pub fn committed(&self, group: &str) -> Result<BTreeMap<Place, i64>, Failure> {
        self.committed_by(&*self.consumer_of(group)?, group)
    }

    /// The same, asked by a consumer of that group ([`Cluster::consumer_of`]) that is there already.
    pub fn committed_by(
        &self,
        consumer: &BaseConsumer<OneShotContext>,
        group: &str,
    ) -> Result<BTreeMap<Place, i64>, Failure> {
        self.check_wanted()?;
        let mut asked = TopicPartitionList::new();
        for topic in self.topics.iter() {
            for number in topic.numbers() {
                asked.add_partition(&topic.name, number);
            }
        }
        let failed = || Failure::kafka(format!("asking for the offsets that {group} has committed"));
        let mut committed = BTreeMap::new();
        for part in parts(&asked).map_err(failed())? {
            let found = consumer
                .committed_offsets(part, REQUEST_TIMEOUT)
                .map_err(failed())?;
            committed.append(&mut known(&found));
        }
        Ok(committed)
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
        let mut positions = self.positions_by(&*self.consumer(&[])?, groups, &committed)?;
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
        let bounds = self.bounds_by(consumer, &places.iter().flatten().cloned().collect())?;
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
                self.find_topic(topic)
                    .is_some_and(|topic| topic.numbers().any(|known| known == *number))
            })
            .cloned()
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
        assert_eq!(position(Some(31)).lag(), Some(0), "the topic was recreated");
    }
}
