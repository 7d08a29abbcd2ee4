//! Reads the records of a time window from many topics at once, with their schemas from the registry; before that, the texts
//! from which they were made.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use confluent_avro::frame::Frame;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use stage::config::Timestamp;
use stage::registry::{Registry, RegistryError};
use tokio::runtime::Handle;

use super::spans::Spans;
use super::texts::Texts;
use super::timestamps::{TimestampFields, Timestamps};
use crate::cluster::{Cluster, Place, Topic};
use crate::failure::Failure;
use crate::progress::{Counter, Progress};

const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// How long no message may arrive before the rest is given up.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(15);
/// How much earlier than its record a text may have been written.
const MAX_TEXT_AGE: Duration = Duration::from_secs(60);

/// What was read.
#[derive(Debug, Default)]
pub struct Window {
    /// How many Avro topics were read.
    pub read: usize,
    /// By topic; only topics with SAL records.
    pub topics: BTreeMap<String, Spans>,
    /// Messages that are not SAL records.
    pub others: u64,
    /// Partitions that were not read to their end, as no more messages arrived.
    pub unread: usize,
}

/// Reads what the topics hold from one time to another.
pub(super) struct Reader<'c> {
    pub(super) cluster: &'c Cluster,
    pub(super) registry: &'c Registry,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) report: &'c dyn Fn(Progress),
}

impl Reader<'_> {
    /// Reads all of them. Blocks.
    pub(super) fn read(&self, texts: &[&Topic], records: &[&Topic]) -> Result<Window, Failure> {
        let mut window = Window {
            read: records.len(),
            ..Window::default()
        };
        let mut known = Texts::default();
        let earlier = i64::try_from(MAX_TEXT_AGE.as_millis()).unwrap_or_default();
        let from = Timestamp(self.from.0.saturating_sub(earlier));
        window.unread += self.scan(texts, from, "texts", |message| {
            if let (Some(payload), Some(millis)) = (message.payload(), message.timestamp().to_millis()) {
                known.add(payload, millis * 1_000);
            }
            Ok(())
        })?;
        let mut schemas: HashMap<u32, Option<TimestampFields>> = HashMap::new();
        window.unread += self.scan(records, self.from, "records", |message| {
            match self.timestamps(&mut schemas, message)? {
                Some(mut timestamps) => {
                    timestamps.produced = message.timestamp().to_millis().map(|millis| millis * 1_000);
                    timestamps.text = match (timestamps.created, timestamps.sequence) {
                        (Some(created), Some(number)) => known.produced(message.topic(), created, number),
                        _ => None,
                    };
                    match window.topics.get_mut(message.topic()) {
                        Some(spans) => spans.add(&timestamps),
                        None => {
                            let spans = window.topics.entry(message.topic().to_owned());
                            spans.or_default().add(&timestamps);
                        }
                    }
                }
                None => window.others += 1,
            }
            Ok(())
        })?;
        Ok(window)
    }

    /// Hands each message of the window to `each`; returns how many partitions were not read to their end.
    fn scan(
        &self,
        topics: &[&Topic],
        from: Timestamp,
        unit: &'static str,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        let mut open = self.range(topics, from)?;
        if open.is_empty() {
            return Ok(0);
        }
        let consumer = self
            .cluster
            .consumer(&[("enable.partition.eof", "true"), ("fetch.wait.max.ms", "100")])?;
        let reading = || Failure::kafka("reading the topics");
        let mut assignment = TopicPartitionList::new();
        let mut total = 0;
        for ((topic, partition), (start, end)) in &open {
            total += end - start;
            assignment
                .add_partition_offset(topic, *partition, Offset::Offset(*start))
                .map_err(reading())?;
        }
        consumer.assign(&assignment).map_err(reading())?;
        let mut counter = Counter::start(unit, total.unsigned_abs(), self.report);
        let mut last = Instant::now();
        while !open.is_empty() && last.elapsed() < SILENCE_TIMEOUT {
            self.cluster.check_wanted()?;
            let message = match consumer.poll(POLL_TIMEOUT) {
                None => continue,
                Some(Ok(message)) => message,
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    // The event does not name the topic, so all partitions are checked. Positions include the markers that
                    // end transactions, which are not delivered as messages.
                    let positions = consumer.position().map_err(reading())?;
                    for element in positions.elements() {
                        let place = (element.topic().to_owned(), element.partition());
                        if let (Offset::Offset(at), Some((_, end))) = (element.offset(), open.get(&place))
                            && at >= *end
                        {
                            open.remove(&place);
                        }
                    }
                    continue;
                }
                Some(Err(source)) => return Err(reading()(source)),
            };
            last = Instant::now();
            let place: Place = (message.topic().to_owned(), message.partition());
            let Some((_, end)) = open.get(&place).copied() else {
                continue;
            };
            if message.offset() + 1 >= end {
                let mut done = TopicPartitionList::new();
                done.add_partition(&place.0, place.1);
                consumer.pause(&done).map_err(reading())?;
                open.remove(&place);
            }
            if message.offset() < end {
                counter.add_one();
                let time = message.timestamp().to_millis();
                if time.is_none_or(|time| (from.0..self.to.0).contains(&time)) {
                    each(&message)?;
                }
            }
        }
        counter.finish();
        Ok(open.len())
    }

    /// Where each partition's window begins and ends; partitions with an empty window are left out.
    fn range(&self, topics: &[&Topic], from: Timestamp) -> Result<BTreeMap<Place, (i64, i64)>, Failure> {
        let places: BTreeSet<Place> = topics.iter().flat_map(|topic| topic.places()).collect();
        let bounds = self.cluster.bounds(&places)?;
        let (starts, ends) = (
            self.cluster.offsets_of(&places, from)?,
            self.cluster.offsets_of(&places, self.to)?,
        );
        // Without an answer by time, everything is read, and `scan` leaves out what is not of the window.
        let finds_times = !starts.is_empty() || self.cluster.finds_times(&places)?;
        Ok(bounds
            .into_iter()
            .filter_map(|(place, (oldest, newest))| {
                let start = match finds_times {
                    true => *starts.get(&place)?,
                    false => oldest,
                };
                let end = ends.get(&place).copied().unwrap_or(newest).min(newest);
                (start < end).then_some((place, (start, end)))
            })
            .collect())
    }

    /// The timestamps of a record; none if it is not a SAL record, or the registry does not know its schema.
    fn timestamps(
        &self,
        schemas: &mut HashMap<u32, Option<TimestampFields>>,
        message: &BorrowedMessage<'_>,
    ) -> Result<Option<Timestamps>, Failure> {
        let Ok(frame) = Frame::read(message.payload()) else {
            return Ok(None);
        };
        let fields = match schemas.entry(frame.schema_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(empty) => {
                let fields = match Handle::current().block_on(self.registry.schema_by_id(frame.schema_id)) {
                    Ok(schema) => TimestampFields::of_registered(&schema),
                    Err(RegistryError::Missing { .. } | RegistryError::References { .. }) => None,
                    Err(error) => return Err(error.into()),
                };
                empty.insert(fields)
            }
        };
        Ok(fields.as_ref().and_then(|fields| fields.read(&frame)))
    }
}
