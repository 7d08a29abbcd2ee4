//! Reads topics from one position to another. It joins no group and commits nothing, so that no other consumer is affected.
//!
//! Up to their ends, topics are read one after the other: the event of an end names its partition but not its topic.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::str::FromStr;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use stage::config::{Timestamp, parse_timestamp};
use stage::kafka::{OneShotContext, Silence};

use super::last;
use super::message::Message;
use super::transient::passes;
use crate::cancel::Cancel;
use crate::cluster::{Cluster, Place, Topic};
use crate::failure::Failure;

/// Where reading begins, in each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The oldest message that is there.
    Beginning,
    /// What comes from now on.
    End,
    /// This many messages before the end.
    Last(i64),
    /// An offset.
    At(i64),
    /// The first message of that time or later.
    Since(Timestamp),
}

/// Where reading ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Nowhere.
    Never,
    /// Where each partition ended when reading began: what comes meanwhile is left out, so that the end is reached
    /// however fast messages come.
    AtEnd,
}

/// What the reader met.
#[derive(Debug)]
pub enum Met {
    /// A message.
    Message(Box<Message>),
    /// Nothing, for as long as it was to wait.
    Nothing,
    /// All partitions are at their end.
    End,
}

/// Reads topics.
pub struct Reader {
    consumer: BaseConsumer<OneShotContext>,
    config: ClientConfig,
    silence: Silence,
    /// What is read now: a topic's name, or how many topics.
    topic: String,
    stop: Stop,
    /// Partitions that are not at their end, with that end; of all topics if there is no end.
    open: HashMap<i32, i64>,
    /// The topics that are read after this one.
    next: VecDeque<Ranges>,
    remaining: u64,
    cancel: Cancel,
    complained: bool,
    on_trouble: fn(&str),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str| {
            text.parse::<i64>()
                .map_err(|_| format!("{text} is larger than any offset"))
        };
        match text {
            "beginning" | "earliest" | "start" | "oldest" => Ok(Self::Beginning),
            "end" | "latest" | "newest" => Ok(Self::End),
            _ if digits(text) => number(text).map(Self::At),
            _ => match text.strip_prefix('-') {
                Some(last) if digits(last) => number(last).map(Self::Last),
                _ => parse_timestamp(text).map(Self::Since).map_err(|error| {
                    format!("expected beginning, end, an offset, -N for the last N, or a moment: {error}")
                }),
            },
        }
    }
}

/// What is to be read of a topic: its partitions, each with its first offset and its end.
struct Ranges {
    topic: String,
    partitions: Vec<(i32, i64, i64)>,
}

impl Reader {
    /// Begins to read a topic, or one partition of it.
    pub fn open(
        cluster: &Cluster,
        topic: &Topic,
        partition: Option<i32>,
        start: Start,
        stop: Stop,
    ) -> Result<Self, Failure> {
        Self::open_all(cluster, &[topic], partition, start, stop)
    }

    /// Begins to read several topics, or the partition of this number of each.
    pub fn open_all(
        cluster: &Cluster,
        topics: &[&Topic],
        partition: Option<i32>,
        start: Start,
        stop: Stop,
    ) -> Result<Self, Failure> {
        let ranges = ranges(cluster, topics, partition, start, stop)?;
        let consumer = cluster.consumer(&[
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "earliest"),
        ])?;
        let all = ranges.iter().flat_map(|topic| &topic.partitions);
        let mut reader = Self {
            consumer,
            config: cluster.config(),
            silence: Silence::new(),
            topic: String::new(),
            stop,
            open: HashMap::new(),
            remaining: all.map(|(_, first, end)| (end - first).unsigned_abs()).sum(),
            next: VecDeque::new(),
            cancel: cluster.cancel(),
            complained: false,
            on_trouble: cluster.on_trouble(),
        };
        match stop {
            Stop::Never => reader.assign(&ranges)?,
            Stop::AtEnd => {
                reader.next = ranges.into();
                reader.assign_next()?;
            }
        }
        Ok(reader)
    }

    /// Turns to the next topic of which something is to be read, if there is one.
    fn assign_next(&mut self) -> Result<(), Failure> {
        while self.open.is_empty()
            && let Some(next) = self.next.pop_front()
        {
            self.assign(&[next])?;
        }
        Ok(())
    }

    fn assign(&mut self, topics: &[Ranges]) -> Result<(), Failure> {
        self.topic = match topics {
            [topic] => topic.topic.clone(),
            several => crate::text::plural(several.len(), "topic"),
        };
        let mut assignment = TopicPartitionList::new();
        for Ranges { topic, partitions } in topics {
            for (partition, first, end) in partitions {
                self.open.insert(*partition, *end);
                assignment
                    .add_partition_offset(topic, *partition, Offset::Offset(*first))
                    .map_err(Failure::kafka("choosing where to read"))?;
            }
        }
        if assignment.count() > 0 {
            self.consumer
                .assign(&assignment)
                .map_err(Failure::kafka(format!("reading {}", self.topic)))?;
        }
        Ok(())
    }

    /// How many offsets there were between start and end when reading began: as many messages, or fewer.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// What comes next, within `wait`.
    pub fn next(&mut self, wait: Duration) -> Result<Met, Failure> {
        self.cancel.check()?;
        self.assign_next()?;
        if self.open.is_empty() {
            return Ok(Met::End);
        }
        let Some(polled) = self.consumer.poll(wait) else {
            if self.silence.look(self.consumer.client(), &self.config) {
                self.complain("no broker answers");
            }
            return Ok(Met::Nothing);
        };
        match polled {
            Ok(message) => {
                self.silence.end();
                let message = Message::of(&message);
                let is_of_topic = self.stop == Stop::Never || message.topic == self.topic;
                Ok(
                    if is_of_topic && self.is_within(message.partition, message.offset) {
                        Met::Message(Box::new(message))
                    } else {
                        Met::Nothing
                    },
                )
            }
            Err(KafkaError::PartitionEOF(partition)) => {
                if self.stop == Stop::AtEnd {
                    self.open.remove(&partition);
                }
                Ok(Met::Nothing)
            }
            Err(error) if passes(&error) => {
                self.complain(&stage::chain(&error));
                Ok(Met::Nothing)
            }
            Err(error) => Err(Failure::kafka(format!("reading {}", self.topic))(error)),
        }
    }

    /// Once only: whoever watches knows from then on.
    fn complain(&mut self, problem: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            (self.on_trouble)(&format!("{problem}; waiting for the brokers"));
        }
    }

    /// Whether a message lies before its partition's end; the last one closes the partition.
    fn is_within(&mut self, partition: i32, offset: i64) -> bool {
        if self.stop == Stop::Never {
            return true;
        }
        let Some(end) = self.open.get(&partition).copied() else {
            return false;
        };
        if offset + 1 >= end {
            self.open.remove(&partition);
        }
        offset < end
    }
}

/// Where reading begins and ends in each partition; up to the end, without those in which there is nothing to read.
fn ranges(
    cluster: &Cluster,
    topics: &[&Topic],
    partition: Option<i32>,
    start: Start,
    stop: Stop,
) -> Result<Vec<Ranges>, Failure> {
    if let Some(partition) = partition {
        topics
            .iter()
            .try_for_each(|topic| topic.check_partition(partition))?;
    }
    let since = match start {
        Start::Since(moment) => since(cluster, topics, moment)?,
        _ => BTreeMap::new(),
    };
    let offsets = cluster.offsets_of_topics(topics)?;
    let mut ranges = Vec::with_capacity(topics.len());
    for (topic, mut offsets) in topics.iter().zip(offsets) {
        offsets.retain(|found| partition.is_none_or(|partition| found.partition == partition));
        let last = match start {
            Start::Last(count) => last::starts(cluster, &topic.name, &offsets, count)?,
            _ => BTreeMap::new(),
        };
        let partitions = offsets.into_iter().map(|found| {
            let place = (topic.name.clone(), found.partition);
            let first = match start {
                Start::Beginning => found.oldest,
                Start::End => found.newest,
                Start::Last(_) => last.get(&found.partition).copied().unwrap_or(found.newest),
                Start::At(offset) => offset,
                Start::Since(_) => since.get(&place).copied().unwrap_or(found.newest),
            };
            (
                found.partition,
                first.clamp(found.oldest, found.newest),
                found.newest,
            )
        });
        ranges.push(Ranges {
            partitions: partitions
                .filter(|(_, first, end)| stop == Stop::Never || first < end)
                .collect(),
            topic: topic.name.clone(),
        });
    }
    Ok(ranges)
}

/// The first offset at or after a moment, without the partitions in which nothing is that late.
fn since(cluster: &Cluster, topics: &[&Topic], moment: Timestamp) -> Result<BTreeMap<Place, i64>, Failure> {
    let places: BTreeSet<Place> = topics.iter().flat_map(|topic| topic.places()).collect();
    let found = cluster.offsets_of(&places, moment)?;
    if !found.is_empty() || cluster.finds_times(&places)? {
        return Ok(found);
    }
    let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    Err(Failure::Refused {
        what: format!("reading {} from {moment}", names.join(", ")),
        reason: "this broker does not find offsets by time, as the embedded one of the demo".to_owned(),
        hint: "start at an offset: beginning, or -N for the last N messages".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        assert_eq!("beginning".parse(), Ok(Start::Beginning));
        assert_eq!("end".parse(), Ok(Start::End));
        assert_eq!("-100".parse(), Ok(Start::Last(100)));
        assert_eq!("100".parse(), Ok(Start::At(100)));
        assert_eq!("1970-01-02".parse(), Ok(Start::Since(Timestamp(86_400_000))));
        assert!(matches!("-5m".parse(), Ok(Start::Since(_))));
        for wrong in ["", "-", "last", "99999999999999999999", "-99999999999999999999"] {
            assert!(wrong.parse::<Start>().is_err(), "{wrong}");
        }
    }
}
