//! A time range that is read once: where each partition starts and ends, and which have reached their end.
//!
//! Times are those of Kafka's records. A partition's end is the first record at or after the range's end; where there
//! is none, it is the end of the log when the partition was assigned.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::{Offset, TopicPartitionList};

use crate::config::Timestamp;
use crate::lock;

/// The time for one request for offsets.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The range, in milliseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The time of the first record; none to read each partition from its start.
    pub from: Option<i64>,
    /// Records at or after this time are excluded.
    pub to: i64,
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(from) => write!(f, "{} to {}", Timestamp(from), Timestamp(self.to)),
            None => write!(f, "the beginning to {}", Timestamp(self.to)),
        }
    }
}

/// The range, and how far the assigned partitions are in it.
#[derive(Debug)]
pub(super) struct RangeReader {
    range: TimeRange,
    assigned: Mutex<Assigned>,
    is_finished: AtomicBool,
}

/// The assigned partitions.
#[derive(Debug, Default)]
struct Assigned {
    partitions: HashMap<(String, i32), Stretch>,
    /// Partitions could not be located: the intake cannot continue.
    failure: Option<KafkaError>,
}

/// One partition's part of the range.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    end: i64,
    is_read: bool,
}

/// How far the range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    NothingAssigned,
    Reading,
    /// Each assigned partition is read to its end.
    Read,
}

impl RangeReader {
    pub(super) fn new(range: TimeRange) -> Self {
        Self {
            range,
            assigned: Mutex::default(),
            is_finished: AtomicBool::new(false),
        }
    }

    /// Notes that everything read is also finished.
    pub(super) fn finish(&self) -> bool {
        self.is_finished.store(true, Ordering::Relaxed);
        true
    }

    /// Whether it is.
    pub(super) fn is_finished(&self) -> bool {
        self.is_finished.load(Ordering::Relaxed)
    }

    /// Remembers that partitions could not be located.
    pub(super) fn fail(&self, error: KafkaError) {
        lock(&self.assigned).failure = Some(error);
    }

    /// Sets the start of newly assigned partitions (the committed offset or the range's start), and notes their ends.
    pub(super) fn locate<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        list: &mut TopicPartitionList,
    ) -> KafkaResult<()> {
        let committed = consumer.committed_offsets(list.clone(), REQUEST_TIMEOUT)?;
        let starts = match self.range.from {
            Some(from) => Some(at(consumer, list, from)?),
            None => None,
        };
        let ends = at(consumer, list, self.range.to)?;
        let places: Vec<_> = list
            .elements()
            .iter()
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect();
        for (topic, partition) in places {
            let (low, high) = consumer.fetch_watermarks(&topic, partition, REQUEST_TIMEOUT)?;
            let offset = |list: &TopicPartitionList| match list
                .find_partition(&topic, partition)
                .map(|element| element.offset())
            {
                Some(Offset::Offset(offset)) => Some(offset),
                _ => None,
            };
            let start = offset(&committed).unwrap_or_else(|| match &starts {
                Some(starts) => offset(starts).unwrap_or(high),
                None => low,
            });
            let end = offset(&ends).unwrap_or(high);
            list.set_partition_offset(&topic, partition, Offset::Offset(start))?;
            let stretch = Stretch {
                end,
                is_read: start >= end,
            };
            lock(&self.assigned)
                .partitions
                .insert((topic, partition), stretch);
        }
        Ok(())
    }

    /// Partitions are no longer assigned.
    pub(super) fn forget(&self, list: &TopicPartitionList) {
        let mut assigned = lock(&self.assigned);
        for key in list.to_topic_map().into_keys() {
            assigned.partitions.remove(&key);
        }
    }

    /// Whether the message at `offset` is in the range. The first one after the range shows that its partition is read.
    pub(super) fn takes(&self, topic: &str, partition: i32, offset: i64) -> bool {
        let key = (topic.to_owned(), partition);
        match lock(&self.assigned).partitions.get_mut(&key) {
            Some(stretch) if offset < stretch.end => true,
            Some(stretch) => {
                stretch.is_read = true;
                false
            }
            None => false,
        }
    }

    /// The offset after the last one of the range in a partition.
    pub(super) fn end(&self, key: &(String, i32)) -> Option<i64> {
        lock(&self.assigned)
            .partitions
            .get(key)
            .map(|stretch| stretch.end)
    }

    /// Whether a partition is read to the range's end.
    pub(super) fn is_read(&self, key: &(String, i32)) -> bool {
        let assigned = lock(&self.assigned);
        assigned
            .partitions
            .get(key)
            .is_some_and(|stretch| stretch.is_read)
    }

    /// Notes how far librdkafka has fetched: the end of a range may hold no message to show it, only a transaction's
    /// marker or a gap left by compaction.
    pub(super) fn learn(&self, statistics: &Statistics) {
        for ((topic, number), stretch) in &mut lock(&self.assigned).partitions {
            let found = statistics
                .topics
                .get(topic)
                .and_then(|topic| topic.partitions.get(number));
            if found.is_some_and(|state| state.fetchq_cnt == 0 && state.next_offset >= stretch.end) {
                stretch.is_read = true;
            }
        }
    }

    /// How far the range is read, or, once, why partitions could not be located.
    pub(super) fn progress(&self) -> KafkaResult<Progress> {
        let mut assigned = lock(&self.assigned);
        if let Some(error) = assigned.failure.take() {
            return Err(error);
        }
        Ok(if assigned.partitions.is_empty() {
            Progress::NothingAssigned
        } else if assigned.partitions.values().all(|stretch| stretch.is_read) {
            Progress::Read
        } else {
            Progress::Reading
        })
    }
}

/// The first offsets at or after a time.
fn at<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    list: &TopicPartitionList,
    time: i64,
) -> KafkaResult<TopicPartitionList> {
    let mut asked = list.clone();
    asked.set_all_offsets(Offset::Offset(time))?;
    consumer.offsets_for_times(asked, REQUEST_TIMEOUT)
}
