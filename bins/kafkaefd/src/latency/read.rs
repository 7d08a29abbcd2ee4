//! Reads the records of a time window from many topics at once, with their schemas from the registry.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use influxsink::frame::Frame;
use pipeline::config::Moment;
use pipeline::registry::{Registry, RegistryError};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle;

use super::spans::Spans;
use super::times::Form;
use crate::cluster::{Cluster, Place, Topic};
use crate::failure::Failure;
use crate::screen::bar;

/// How long one poll may take.
const NAP: Duration = Duration::from_millis(100);
/// How long nothing may come before the rest is left out.
const SILENCE: Duration = Duration::from_secs(15);

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
    pub(super) fn read(&self, topics: &[&Topic]) -> Result<Window, Failure> {
        let mut window = Window::default();
        let mut open = self.range(topics)?;
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
        if open.is_empty() {
            return Ok(window);
        }
        consumer.assign(&assignment).map_err(reading())?;
        let bar = bar(total.unsigned_abs(), "records");
        let mut forms: HashMap<u32, Option<Form>> = HashMap::new();
        let mut last = Instant::now();
        while !open.is_empty() && last.elapsed() < SILENCE {
            let message = match consumer.poll(NAP) {
                None => continue,
                Some(Ok(message)) => message,
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    // It does not say of which topic: whoever has come to its end is done.
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
                open.remove(&place);
                let mut done = TopicPartitionList::new();
                done.add_partition(&place.0, place.1);
                consumer.pause(&done).map_err(reading())?;
            }
            if message.offset() >= end {
                continue;
            }
            bar.inc(1);
            let times = match Frame::read(message.payload()) {
                Ok(frame) => self
                    .form(&mut forms, frame.schema_id)?
                    .and_then(|form| form.read(&frame)),
                Err(_) => None,
            };
            match times {
                Some(mut times) => {
                    times.produced = message.timestamp().to_millis().map(|millis| millis * 1_000);
                    window.topics.entry(place.0).or_default().add(&times);
                }
                None => window.others += 1,
            }
        }
        bar.finish_and_clear();
        window.unread = open.len();
        Ok(window)
    }

    /// Where each partition's window begins and ends; without those in which nothing is.
    fn range(&self, topics: &[&Topic]) -> Result<BTreeMap<Place, (i64, i64)>, Failure> {
        let places: BTreeSet<Place> = topics
            .iter()
            .flat_map(|topic| topic.numbers().map(|number| (topic.name.clone(), number)))
            .collect();
        let bounds = self.cluster.bounds(&places)?;
        let (starts, ends) = (
            self.cluster.offsets_of(&places, self.from)?,
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

    /// The schema of that id, compiled; none if it is none of SAL's, or the registry does not know it.
    fn form<'f>(
        &self,
        forms: &'f mut HashMap<u32, Option<Form>>,
        id: u32,
    ) -> Result<Option<&'f Form>, Failure> {
        let form = match forms.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(empty) => {
                let form = match Handle::current().block_on(self.registry.schema_by_id(id)) {
                    Ok(schema) => Form::of(&schema.raw),
                    Err(RegistryError::Missing { .. }) => None,
                    Err(error) => return Err(error.into()),
                };
                empty.insert(form)
            }
        };
        Ok(form.as_ref())
    }
}
