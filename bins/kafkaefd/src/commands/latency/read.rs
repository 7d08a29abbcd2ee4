//! Reads the records of a time window from many topics at once, with their schemas from the registry, and before them the
//! texts from which they were made.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use confluent_avro::frame::Frame;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use stage::config::Moment;
use stage::registry::{Registry, RegistryError};
use tokio::runtime::Handle;

use super::spans::Spans;
use super::text::Texts;
use super::times::{Form, Times};
use crate::terminal::bar;
use operator::cluster::{Cluster, Place, Topic};
use operator::failure::Failure;

/// How long one poll may take.
const NAP: Duration = Duration::from_millis(100);
/// How long nothing may come before the rest is left out.
const SILENCE: Duration = Duration::from_secs(15);
/// How much earlier than its record a text may be.
const EARLIER: Duration = Duration::from_secs(60);

/// What a window held.
#[derive(Default)]
pub(super) struct Window {
    /// By topic; only those with records of SAL's.
    pub(super) topics: BTreeMap<String, Spans>,
    /// Messages that are none of SAL's records.
    pub(super) others: u64,
    /// Partitions that were not read to their end, as nothing came any more.
    pub(super) unread: usize,
}

/// Reads what the topics hold from one moment to another.
pub(super) struct Reader<'c> {
    pub(super) cluster: &'c Cluster,
    pub(super) registry: &'c Registry,
    pub(super) from: Moment,
    pub(super) to: Moment,
}

impl Reader<'_> {
    /// Reads them all. Blocks.
    pub(super) fn read(&self, texts: &[&Topic], records: &[&Topic]) -> Result<Window, Failure> {
        let mut window = Window::default();
        let mut known = Texts::default();
        let earlier = i64::try_from(EARLIER.as_millis()).unwrap_or_default();
        let from = Moment(self.from.0.saturating_sub(earlier));
        window.unread += self.scan(texts, from, "texts", |message| {
            if let (Some(payload), Some(millis)) = (message.payload(), message.timestamp().to_millis()) {
                known.add(payload, millis * 1_000);
            }
            Ok(())
        })?;
        let mut forms: HashMap<u32, Option<Form>> = HashMap::new();
        window.unread += self.scan(records, self.from, "records", |message| {
            match self.times(&mut forms, message)? {
                Some(mut times) => {
                    times.produced = message.timestamp().to_millis().map(|millis| millis * 1_000);
                    times.text = match (times.created, times.sequence) {
                        (Some(created), Some(number)) => known.produced(message.topic(), created, number),
                        _ => None,
                    };
                    match window.topics.get_mut(message.topic()) {
                        Some(spans) => spans.add(&times),
                        None => {
                            let spans = window.topics.entry(message.topic().to_owned());
                            spans.or_default().add(&times);
                        }
                    }
                }
                None => window.others += 1,
            }
            Ok(())
        })?;
        Ok(window)
    }

    /// Hands each message of the window to `each`; answers how many partitions were not read to their end.
    fn scan(
        &self,
        topics: &[&Topic],
        from: Moment,
        unit: &str,
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
        let bar = bar(total.unsigned_abs(), unit);
        let mut last = Instant::now();
        while !open.is_empty() && last.elapsed() < SILENCE {
            let message = match consumer.poll(NAP) {
                None => continue,
                Some(Ok(message)) => message,
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    // It does not say of which topic: whoever has come to its end is done. The markers that end
                    // transactions are no messages, and positions are behind them here.
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
                bar.inc(1);
                each(&message)?;
            }
        }
        bar.finish_and_clear();
        Ok(open.len())
    }

    /// Where each partition's window begins and ends; without those in which nothing is.
    fn range(&self, topics: &[&Topic], from: Moment) -> Result<BTreeMap<Place, (i64, i64)>, Failure> {
        let places: BTreeSet<Place> = topics
            .iter()
            .flat_map(|topic| topic.numbers().map(|number| (topic.name.clone(), number)))
            .collect();
        let bounds = self.cluster.bounds(&places)?;
        let (starts, ends) = (
            self.cluster.offsets_of(&places, from)?,
            self.cluster.offsets_of(&places, self.to)?,
        );
        Ok(bounds
            .into_iter()
            .filter_map(|(place, (_, newest))| {
                let start = *starts.get(&place)?;
                let end = ends.get(&place).copied().unwrap_or(newest).min(newest);
                (start < end).then_some((place, (start, end)))
            })
            .collect())
    }

    /// The moments of a record; none if it is none of SAL's, or the registry does not know its schema.
    fn times(
        &self,
        forms: &mut HashMap<u32, Option<Form>>,
        message: &BorrowedMessage<'_>,
    ) -> Result<Option<Times>, Failure> {
        let Ok(frame) = Frame::read(message.payload()) else {
            return Ok(None);
        };
        let form = match forms.entry(frame.schema_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(empty) => {
                let form = match Handle::current().block_on(self.registry.schema_by_id(frame.schema_id)) {
                    Ok(schema) => Form::of(&schema.raw),
                    Err(RegistryError::Missing { .. }) => None,
                    Err(error) => return Err(error.into()),
                };
                empty.insert(form)
            }
        };
        Ok(form.as_ref().and_then(|form| form.read(&frame)))
    }
}
