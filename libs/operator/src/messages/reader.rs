//! Reads topics from one position to another. It joins no group and commits nothing, so that no other consumer is affected.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use stage::config::{Timestamp, parse_timestamp};
use stage::kafka::Silence;

use super::last;
use super::message::Message;
use super::transient::passes;
use crate::cancel::Cancel;
use crate::cluster::{Client, Cluster, Place, Topic};
use crate::failure::Failure;
use crate::text::plural;

/// How long nothing may come before positions are compared with ends.
const PAUSE_DURATION: Duration = Duration::from_millis(50);
const EVERLASTING: [(&str, &str); 2] = [
    ("enable.partition.eof", "true"),
    ("auto.offset.reset", "earliest"),
];
/// Somebody waits for the end: a broker that has no more says so sooner.
const ENDING: [(&str, &str); 3] = [
    ("enable.partition.eof", "true"),
    ("auto.offset.reset", "earliest"),
    ("fetch.wait.max.ms", "50"),
];

/// Where reading begins, in each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The oldest message that is there.
    Beginning,
    /// What comes from now on.
    End,
    /// This many messages before the end.
    Last(i64),
    /// This many offsets before the end: as many messages or fewer, but it is known without reading where that is.
    LastOffsets(i64),
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

/// Reads one or more topics.
pub struct Reader {
    consumer: Client,
    config: ClientConfig,
    silence: Silence,
    /// The topic, or how many there are.
    what: String,
    stop: Stop,
    /// Partitions that are not at their end, with that end.
    open: HashMap<Place, i64>,
    /// How many partitions of each number are read.
    of_number: HashMap<i32, usize>,
    /// Whether one of several partitions has met its end, and it is not known yet which.
    has_met_an_end: bool,
    remaining: u64,
    held: u64,
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

    /// Begins to read several topics at once, or the partition of this number of each, which takes as many requests as one
    /// topic does. Messages of one partition keep their order.
    pub fn open_all(
        cluster: &Cluster,
        topics: &[&Topic],
        partition: Option<i32>,
        start: Start,
        stop: Stop,
    ) -> Result<Self, Failure> {
        if let Some(partition) = partition {
            topics
                .iter()
                .try_for_each(|topic| topic.check_partition(partition))?;
        }
        let what = match topics {
            [topic] => topic.name.clone(),
            _ => plural(topics.len(), "topic"),
        };
        let consumer = cluster.consumer(match stop {
            Stop::Never => &EVERLASTING,
            Stop::AtEnd => &ENDING,
        })?;
        let mut offsets = cluster.offsets_of_topics_by(&consumer, topics)?;
        for found in &mut offsets {
            found.retain(|found| partition.is_none_or(|partition| found.partition == partition));
        }
        let since = match start {
            Start::Since(moment) => since(cluster, topics, &what, moment)?,
            _ => BTreeMap::new(),
        };
        let (mut ranges, mut held) = (BTreeMap::new(), 0);
        for (topic, offsets) in topics.iter().zip(offsets) {
            let last = match start {
                Start::Last(count) => {
                    let another = match stop {
                        Stop::Never => Some(cluster.consumer(&ENDING)?),
                        Stop::AtEnd => None,
                    };
                    let scanning = another.as_ref().unwrap_or(&consumer);
                    last::starts(scanning, &topic.name, &offsets, count)?
                }
                _ => BTreeMap::new(),
            };
            for found in offsets {
                let place = (topic.name.clone(), found.partition);
                held += found.newest.saturating_sub(found.oldest).unsigned_abs();
                let first = match start {
                    Start::Beginning => found.oldest,
                    Start::End => found.newest,
                    Start::Last(_) => last.get(&found.partition).copied().unwrap_or(found.newest),
                    Start::LastOffsets(count) => found.newest.saturating_sub(count),
                    Start::At(offset) => offset,
                    Start::Since(_) => since.get(&place).copied().unwrap_or(found.newest),
                }
                .clamp(found.oldest, found.newest);
                if stop == Stop::AtEnd && first >= found.newest {
                    continue;
                }
                ranges.insert(place, (first, found.newest));
            }
        }
        Self::assigned(cluster, consumer, what, stop, ranges, held)
    }

    /// Begins to read partitions, each from one offset to another, which is left out.
    pub fn between(
        cluster: &Cluster,
        what: &str,
        ranges: BTreeMap<Place, (i64, i64)>,
    ) -> Result<Self, Failure> {
        let consumer = cluster.consumer(&ENDING)?;
        let held = ranges
            .values()
            .map(|(first, end)| end.saturating_sub(*first).unsigned_abs())
            .sum();
        Self::assigned(cluster, consumer, what.to_owned(), Stop::AtEnd, ranges, held)
    }

    fn assigned(
        cluster: &Cluster,
        consumer: Client,
        what: String,
        stop: Stop,
        ranges: BTreeMap<Place, (i64, i64)>,
        held: u64,
    ) -> Result<Self, Failure> {
        let mut assignment = TopicPartitionList::new();
        let (mut open, mut of_number, mut remaining) = (HashMap::new(), HashMap::new(), 0);
        for (place, (first, end)) in ranges {
            remaining += end.saturating_sub(first).unsigned_abs();
            assignment
                .add_partition_offset(&place.0, place.1, Offset::Offset(first))
                .map_err(Failure::kafka("choosing where to read"))?;
            *of_number.entry(place.1).or_default() += 1;
            open.insert(place, end);
        }
        if assignment.count() > 0 {
            consumer
                .assign(&assignment)
                .map_err(Failure::kafka(format!("reading {what}")))?;
        }
        Ok(Self {
            consumer,
            config: cluster.config(),
            silence: Silence::new(),
            what,
            stop,
            open,
            of_number,
            has_met_an_end: false,
            remaining,
            held,
            cancel: cluster.cancel(),
            complained: false,
            on_trouble: cluster.on_trouble(),
        })
    }

    /// How many offsets there were between start and end when reading began: as many messages, or fewer.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// How many offsets there were in all of the topics' partitions that are read, wherever reading began.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// How many partitions are not at their end.
    pub fn open_partitions(&self) -> usize {
        self.open.len()
    }

    /// What comes next, within `wait`.
    pub fn next(&mut self, wait: Duration) -> Result<Met, Failure> {
        self.cancel.check()?;
        if self.open.is_empty() {
            return Ok(Met::End);
        }
        let wait = if self.has_met_an_end {
            wait.min(PAUSE_DURATION)
        } else {
            wait
        };
        let Some(polled) = self.consumer.poll(wait) else {
            if std::mem::take(&mut self.has_met_an_end) {
                self.close_what_is_read()?;
            }
            if self.silence.look(self.consumer.client(), &self.config) {
                self.complain("no broker answers");
            }
            return Ok(Met::Nothing);
        };
        match polled {
            Ok(message) => {
                self.silence.end();
                let message = Message::of(&message);
                Ok(if self.is_within(&message) {
                    Met::Message(Box::new(message))
                } else {
                    Met::Nothing
                })
            }
            Err(KafkaError::PartitionEOF(partition)) => {
                if self.stop == Stop::AtEnd {
                    self.met_an_end(partition);
                }
                Ok(Met::Nothing)
            }
            Err(error) if passes(&error) => {
                self.complain(&stage::chain(&error));
                Ok(Met::Nothing)
            }
            Err(error) => Err(Failure::kafka(format!("reading {}", self.what))(error)),
        }
    }

    /// Once only: whoever watches knows from then on.
    fn complain(&mut self, problem: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            (self.on_trouble)(&format!("{problem}; waiting for the brokers"));
        }
    }

    /// A partition of this number is at its end. Of which topic, the event does not say: it may also be one whose last
    /// message has closed it already.
    fn met_an_end(&mut self, partition: i32) {
        if self.of_number.get(&partition) == Some(&1) {
            self.open.retain(|(_, number), _| *number != partition);
        } else {
            self.has_met_an_end = true;
        }
    }

    /// Closes the partitions whose position is their end: behind the last message, there may be markers of transactions.
    fn close_what_is_read(&mut self) -> Result<(), Failure> {
        let positions = self
            .consumer
            .position()
            .map_err(Failure::kafka(format!("reading {}", self.what)))?;
        for element in positions.elements() {
            let place = (element.topic().to_owned(), element.partition());
            if let (Offset::Offset(at), Some(end)) = (element.offset(), self.open.get(&place))
                && at >= *end
            {
                self.open.remove(&place);
            }
        }
        Ok(())
    }

    /// Whether a message lies before its partition's end; the last one closes the partition.
    fn is_within(&mut self, message: &Message) -> bool {
        if self.stop == Stop::Never {
            return true;
        }
        let place = (message.topic.clone(), message.partition);
        let Some(end) = self.open.get(&place).copied() else {
            return false;
        };
        if message.offset + 1 >= end {
            self.open.remove(&place);
        }
        message.offset < end
    }
}

/// The first offset at or after `moment` of each partition that has one.
fn since(
    cluster: &Cluster,
    topics: &[&Topic],
    what: &str,
    moment: Timestamp,
) -> Result<BTreeMap<Place, i64>, Failure> {
    let places: BTreeSet<Place> = topics.iter().flat_map(|topic| topic.places()).collect();
    let found = cluster.offsets_of(&places, moment)?;
    if found.is_empty() && !cluster.finds_times(&places)? {
        return Err(Failure::Refused {
            what: format!("reading {what} from {moment}"),
            reason: "this broker does not find offsets by time, as the embedded one of the demo".to_owned(),
            hint: "start at an offset: beginning, or -N for the last N messages".to_owned(),
        });
    }
    Ok(found)
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
