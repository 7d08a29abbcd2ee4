//! Where groups go on in each partition, and how far behind that is.

use std::collections::BTreeSet;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use stage::kafka::{Committed, MAX_GROUPS, OneShotContext, committed_by_groups, parts};

use super::{Group, SeenGaps};
use crate::cluster::{Cluster, Place, REQUEST_TIMEOUT, Topic};
use crate::failure::Failure;

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
    pub fn committed(&self, group: &str) -> Result<Committed, Failure> {
        let found = self.committed_by(&*self.consumer(&[])?, &[group], || ())?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    /// The same for several groups, in their order, asked by a consumer that is there already. `done` is called after each.
    pub fn committed_by(
        &self,
        consumer: &BaseConsumer<OneShotContext>,
        groups: &[&str],
        done: impl Fn(),
    ) -> Result<Vec<Committed>, Failure> {
        let places: BTreeSet<Place> = self.topics.iter().flat_map(Topic::places).collect();
        let mut found = Vec::with_capacity(groups.len());
        for some in groups.chunks(MAX_GROUPS) {
            self.check_wanted()?;
            let answers = committed_by_groups(consumer.client(), some, None, REQUEST_TIMEOUT)
                .map_err(Failure::kafka("asking for committed offsets"))?;
            for (group, answer) in some.iter().zip(answers) {
                let failed = Failure::kafka(format!("asking for the offsets that {group} has committed"));
                let mut committed = answer.map_err(failed)?;
                if committed.is_empty() {
                    committed = self.committed_in(consumer, group)?;
                }
                // A group keeps for a while what it had committed in topics that are gone.
                committed.retain(|place, _| places.contains(place));
                found.push(committed);
                done();
            }
        }
        Ok(found)
    }

    /// The same of one group, by the names of all partitions: the embedded broker answers about named partitions only.
    fn committed_in(
        &self,
        consumer: &BaseConsumer<OneShotContext>,
        group: &str,
    ) -> Result<Committed, Failure> {
        let mut named = TopicPartitionList::new();
        for (topic, number) in self.topics.iter().flat_map(Topic::places) {
            named.add_partition(&topic, number);
        }
        let failed = || Failure::kafka(format!("asking for the offsets that {group} has committed"));
        let mut committed = Committed::new();
        for part in parts(&named).map_err(failed())? {
            let answers = committed_by_groups(consumer.client(), &[group], Some(&part), REQUEST_TIMEOUT);
            for answer in answers.map_err(failed())? {
                committed.append(&mut answer.map_err(failed())?);
            }
        }
        Ok(committed)
    }

    /// The positions of groups: in all that each has committed, and in all that its members have. `done` is called after
    /// each group.
    pub fn positions(&self, groups: &[Group], done: impl Fn()) -> Result<Vec<Vec<Position>>, Failure> {
        let consumer = self.consumer(&[])?;
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        let committed = self.committed_by(&consumer, &names, done)?;
        let mut positions = self.positions_by(&consumer, groups, &committed)?;
        self.look_for_messages(&mut positions, &mut SeenGaps::default())?;
        Ok(positions)
    }

    /// The same from what each group has committed, in their order.
    pub fn positions_by(
        &self,
        consumer: &BaseConsumer<OneShotContext>,
        groups: &[Group],
        committed: &[Committed],
    ) -> Result<Vec<Vec<Position>>, Failure> {
        let places: Vec<BTreeSet<Place>> = groups
            .iter()
            .zip(committed)
            .map(|(group, committed)| committed.keys().cloned().chain(self.given(group)).collect())
            .collect();
        let bounds = self.bounds_by(consumer, &places.iter().flatten().cloned().collect())?;
        let position = |committed: &Committed, place: Place| {
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
