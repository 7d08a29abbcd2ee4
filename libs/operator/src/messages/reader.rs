//! Reads one topic from one position to another. It joins no group and commits nothing, so that no other consumer is affected.

use std::collections::{BTreeMap, HashMap};
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
use crate::cluster::{Cluster, Topic};
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

/// Reads a topic.
pub struct Reader {
    consumer: BaseConsumer<OneShotContext>,
    config: ClientConfig,
    silence: Silence,
    topic: String,
    stop: Stop,
    /// Partitions that are not at their end, with that end.
    open: HashMap<i32, i64>,
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
            "beginning" | "earliest" => Ok(Self::Beginning),
            "end" | "latest" => Ok(Self::End),
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

impl Reader {
    /// Begins to read a topic, or one partition of it.
    pub fn open(
        cluster: &Cluster,
        topic: &Topic,
        partition: Option<i32>,
        start: Start,
        stop: Stop,
    ) -> Result<Self, Failure> {
        if let Some(partition) = partition {
            topic.check_partition(partition)?;
        }
        let mut offsets = cluster.offsets(topic)?;
        offsets.retain(|found| partition.is_none_or(|partition| found.partition == partition));
        let since: HashMap<i32, Option<i64>> = match start {
            Start::Since(moment) => {
                let found = cluster.offsets_at(topic, moment)?;
                let is_nowhere = found.iter().all(|found| found.offset.is_none());
                if is_nowhere && !cluster.finds_times(&topic.places().collect())? {
                    return Err(Failure::Refused {
                        what: format!("reading {} from {moment}", topic.name),
                        reason: "this broker does not find offsets by time, as the embedded one of the demo"
                            .to_owned(),
                        hint: "start at an offset: beginning, or -N for the last N messages".to_owned(),
                    });
                }
                found
                    .into_iter()
                    .map(|found| (found.partition, found.offset))
                    .collect()
            }
            _ => HashMap::new(),
        };
        let last = match start {
            Start::Last(count) => last::starts(cluster, &topic.name, &offsets, count)?,
            _ => BTreeMap::new(),
        };
        let consumer = cluster.consumer(&[
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "earliest"),
        ])?;
        let mut assignment = TopicPartitionList::new();
        let (mut open, mut remaining) = (HashMap::new(), 0);
        for found in offsets {
            let first = match start {
                Start::Beginning => found.oldest,
                Start::End => found.newest,
                Start::Last(_) => last.get(&found.partition).copied().unwrap_or(found.newest),
                Start::At(offset) => offset,
                Start::Since(_) => since
                    .get(&found.partition)
                    .copied()
                    .flatten()
                    .unwrap_or(found.newest),
            }
            .clamp(found.oldest, found.newest);
            if stop == Stop::AtEnd && first >= found.newest {
                continue;
            }
            open.insert(found.partition, found.newest);
            remaining += (found.newest - first).unsigned_abs();
            assignment
                .add_partition_offset(&topic.name, found.partition, Offset::Offset(first))
                .map_err(Failure::kafka("choosing where to read"))?;
        }
        if assignment.count() > 0 {
            consumer
                .assign(&assignment)
                .map_err(Failure::kafka(format!("reading {}", topic.name)))?;
        }
        Ok(Self {
            consumer,
            config: cluster.config(),
            silence: Silence::new(),
            topic: topic.name.clone(),
            stop,
            open,
            remaining,
            cancel: cluster.cancel(),
            complained: false,
            on_trouble: cluster.on_trouble(),
        })
    }

    /// How many offsets there were between start and end when reading began: as many messages, or fewer.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// What comes next, within `wait`.
    pub fn next(&mut self, wait: Duration) -> Result<Met, Failure> {
        self.cancel.check()?;
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
                Ok(if self.is_within(message.partition, message.offset) {
                    Met::Message(Box::new(message))
                } else {
                    Met::Nothing
                })
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
