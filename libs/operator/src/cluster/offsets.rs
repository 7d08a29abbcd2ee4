//! Where partitions begin and end, and which offset a moment has. An answer takes a request to each broker for each
//! [`MAX_PARTITIONS`] that it is about.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;
use stage::config::Timestamp;
use stage::kafka::{MAX_PARTITIONS, OneShotContext};

use super::{Cluster, REQUEST_TIMEOUT, Topic};
use crate::failure::Failure;

const ASKING: &str = "asking where partitions begin and end";

/// A partition by its topic and number.
pub type Place = (String, i32);

/// The offsets that a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PartitionOffsets {
    /// The partition's number.
    pub partition: i32,
    /// The first offset that is there (retention removes what was before).
    pub oldest: i64,
    /// The offset that the next message will get.
    pub newest: i64,
}

impl PartitionOffsets {
    /// Messages between them. Compacted topics and transactions hold fewer: Kafka counts offsets, not messages.
    pub fn count(&self) -> i64 {
        (self.newest - self.oldest).max(0)
    }
}

impl Cluster {
    /// Where each partition of a topic begins and ends, by number.
    pub fn offsets(&self, topic: &Topic) -> Result<Vec<PartitionOffsets>, Failure> {
        Ok(self.offsets_of_topics(&[topic])?.pop().unwrap_or_default())
    }

    /// The same for several topics, in their order. Fails if the offsets of any partition are not known.
    pub fn offsets_of_topics(&self, topics: &[&Topic]) -> Result<Vec<Vec<PartitionOffsets>>, Failure> {
        self.offsets_of_topics_by(&*self.consumer(&[])?, topics)
    }

    /// The same, asked by a consumer that is there already.
    pub(crate) fn offsets_of_topics_by(
        &self,
        consumer: &BaseConsumer<OneShotContext>,
        topics: &[&Topic],
    ) -> Result<Vec<Vec<PartitionOffsets>>, Failure> {
        let places: BTreeSet<Place> = topics.iter().flat_map(|topic| topic.places()).collect();
        let doing = match topics {
            [topic] => format!("asking for the offsets of {}", topic.name),
            _ => ASKING.to_owned(),
        };
        let places: Vec<&Place> = places.iter().collect();
        let (mut oldest, mut newest) = (BTreeMap::new(), BTreeMap::new());
        for places in places.chunks(MAX_PARTITIONS) {
            oldest.append(&mut complete(&self.at(
                consumer,
                places,
                Offset::Beginning,
                &doing,
            )?)?);
            newest.append(&mut complete(&self.at(consumer, places, Offset::End, &doing)?)?);
        }
        let of_partition = |topic: &Topic, partition: i32| {
            let place = (topic.name.clone(), partition);
            Some(PartitionOffsets {
                partition,
                oldest: *oldest.get(&place)?,
                newest: *newest.get(&place)?,
            })
        };
        Ok(topics
            .iter()
            .map(|topic| {
                let numbers = topic.numbers();
                numbers.filter_map(|number| of_partition(topic, number)).collect()
            })
            .collect())
    }

    /// The first offset at or after a moment of partitions; without those in which nothing is that late, and without those
    /// that nobody leads.
    pub fn offsets_of(
        &self,
        places: &BTreeSet<Place>,
        moment: Timestamp,
    ) -> Result<BTreeMap<Place, i64>, Failure> {
        self.known_at(&*self.consumer(&[])?, places, Offset::Offset(moment.0))
    }

    /// Whether the brokers find offsets by time. Those of Kafka do; the demo's embedded broker answers every moment with
    /// the end. To be asked where no partition has a message at a moment.
    pub fn finds_times(&self, places: &BTreeSet<Place>) -> Result<bool, Failure> {
        let bounds = self.bounds(places)?;
        let filled: BTreeSet<Place> = bounds
            .into_iter()
            .filter_map(|(place, (oldest, newest))| (oldest < newest).then_some(place))
            .collect();
        // No message is earlier than 1970.
        Ok(filled.is_empty() || !self.offsets_of(&filled, Timestamp(0))?.is_empty())
    }

    /// The oldest and the newest offset of partitions; without those that are gone or that nobody leads.
    pub fn bounds(&self, places: &BTreeSet<Place>) -> Result<BTreeMap<Place, (i64, i64)>, Failure> {
        self.bounds_by(&*self.consumer(&[])?, places)
    }

    /// The same, asked by a consumer that is there already.
    pub(crate) fn bounds_by(
        &self,
        consumer: &BaseConsumer<OneShotContext>,
        places: &BTreeSet<Place>,
    ) -> Result<BTreeMap<Place, (i64, i64)>, Failure> {
        let oldest = self.known_at(consumer, places, Offset::Beginning)?;
        let mut newest = self.known_at(consumer, places, Offset::End)?;
        Ok(oldest
            .into_iter()
            .filter_map(|(place, oldest)| {
                let newest = newest.remove(&place)?;
                Some((place, (oldest, newest)))
            })
            .collect())
    }

    /// The offsets that Kafka answers to a time stamp, without the partitions of which it knows none.
    fn known_at(
        &self,
        consumer: &BaseConsumer<OneShotContext>,
        places: &BTreeSet<Place>,
        time: Offset,
    ) -> Result<BTreeMap<Place, i64>, Failure> {
        let mut offsets = BTreeMap::new();
        for places in places.iter().collect::<Vec<_>>().chunks(MAX_PARTITIONS) {
            match self.at(consumer, places, time, ASKING) {
                // librdkafka's answer where each partition is gone or without a leader, so that there is nobody to ask.
                Err(Failure::Kafka { source, .. })
                    if source.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownPartition) => {}
                found => offsets.append(&mut known(&found?)),
            }
        }
        Ok(offsets)
    }

    /// What Kafka answers to a time stamp, of which the two ends are special ones. Asks about at most [`MAX_PARTITIONS`].
    fn at(
        &self,
        consumer: &BaseConsumer<OneShotContext>,
        places: &[&Place],
        time: Offset,
        doing: &str,
    ) -> Result<TopicPartitionList, Failure> {
        self.check_wanted()?;
        let failed = || Failure::kafka(doing);
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in places {
            asked
                .add_partition_offset(topic, *partition, time)
                .map_err(failed())?;
        }
        consumer
            .offsets_for_times(asked, REQUEST_TIMEOUT)
            .map_err(failed())
    }
}

/// The offsets of those elements that have one.
fn known(list: &TopicPartitionList) -> BTreeMap<Place, i64> {
    list.elements()
        .iter()
        .filter_map(|element| Some((place(element), offset(element).ok()?)))
        .collect()
}

/// The offsets of all elements.
fn complete(list: &TopicPartitionList) -> Result<BTreeMap<Place, i64>, Failure> {
    list.elements()
        .iter()
        .map(|element| {
            let (topic, partition) = place(element);
            let asking = format!("asking for the offsets of {topic}[{partition}]");
            let offset = offset(element).map_err(Failure::kafka(asking))?;
            Ok(((topic, partition), offset))
        })
        .collect()
}

fn place(element: &TopicPartitionListElem<'_>) -> Place {
    (element.topic().to_owned(), element.partition())
}

fn offset(element: &TopicPartitionListElem<'_>) -> Result<i64, KafkaError> {
    element.error()?;
    match element.offset() {
        Offset::Offset(offset) => Ok(offset),
        _ => Err(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset)),
    }
}
