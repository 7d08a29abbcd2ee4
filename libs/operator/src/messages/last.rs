//! Where the last N messages of each partition begin. Offsets do not count messages: the markers that end transactions,
//! what aborted ones wrote and what compaction removed have some, too. So it is read backwards, in steps that double,
//! until there are N or the partition begins.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use stage::kafka::OneShotContext;

use super::transient::passes;
use crate::cluster::PartitionOffsets;
use crate::failure::Failure;

const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// How long nothing may come before what was found so far is enough.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(10);

/// What is known of a partition.
struct Found {
    /// From here on everything has been read.
    from: i64,
    /// The offsets of the messages behind it, at most as many as are wanted.
    messages: VecDeque<i64>,
}

/// The offset of the last message but `count` in each partition, or the oldest where there are fewer. The consumer
/// reports the end of each partition; what it is assigned is another range afterwards.
pub(super) fn starts(
    consumer: &BaseConsumer<OneShotContext>,
    topic: &str,
    partitions: &[PartitionOffsets],
    count: i64,
) -> Result<BTreeMap<i32, i64>, Failure> {
    let wanted = usize::try_from(count).unwrap_or(usize::MAX);
    let mut found: BTreeMap<i32, Found> = partitions
        .iter()
        .map(|partition| {
            let nothing = Found {
                from: partition.newest,
                messages: VecDeque::new(),
            };
            (partition.partition, nothing)
        })
        .collect();
    let mut step = count;
    loop {
        let ranges: BTreeMap<i32, (i64, i64)> = partitions
            .iter()
            .filter_map(|partition| {
                let known = found.get(&partition.partition)?;
                let from = known.from.saturating_sub(step).max(partition.oldest);
                let is_open = known.messages.len() < wanted && from < known.from;
                is_open.then_some((partition.partition, (from, known.from)))
            })
            .collect();
        if ranges.is_empty() {
            break;
        }
        let mut read = scan(consumer, topic, &ranges, wanted)?;
        for (partition, (from, _)) in &ranges {
            let (Some(known), Some(mut earlier)) = (found.get_mut(partition), read.remove(partition)) else {
                continue;
            };
            known.from = *from;
            earlier.append(&mut known.messages);
            earlier.drain(..earlier.len().saturating_sub(wanted));
            known.messages = earlier;
        }
        step = step.saturating_mul(2);
    }
    Ok(found
        .into_iter()
        .map(|(partition, known)| (partition, known.messages.front().copied().unwrap_or(known.from)))
        .collect())
}

/// The offsets of the last `wanted` messages in each range.
fn scan(
    consumer: &BaseConsumer<OneShotContext>,
    topic: &str,
    ranges: &BTreeMap<i32, (i64, i64)>,
    wanted: usize,
) -> Result<BTreeMap<i32, VecDeque<i64>>, Failure> {
    let failed = || Failure::kafka(format!("looking for the last messages of {topic}"));
    let mut assignment = TopicPartitionList::new();
    for (partition, (from, _)) in ranges {
        assignment
            .add_partition_offset(topic, *partition, Offset::Offset(*from))
            .map_err(failed())?;
    }
    consumer.assign(&assignment).map_err(failed())?;
    let mut read: BTreeMap<i32, VecDeque<i64>> = ranges
        .keys()
        .map(|partition| (*partition, VecDeque::new()))
        .collect();
    let mut open: BTreeMap<i32, i64> = ranges
        .iter()
        .map(|(partition, (_, end))| (*partition, *end))
        .collect();
    let mut last = Instant::now();
    while !open.is_empty() && last.elapsed() < SILENCE_TIMEOUT {
        match consumer.poll(POLL_TIMEOUT) {
            None => continue,
            Some(Ok(message)) => {
                let partition = message.partition();
                let Some(end) = open.get(&partition).copied() else {
                    continue;
                };
                if let Some(messages) = read.get_mut(&partition).filter(|_| message.offset() < end) {
                    messages.push_back(message.offset());
                    if messages.len() > wanted {
                        messages.pop_front();
                    }
                }
                if message.offset() + 1 >= end {
                    open.remove(&partition);
                    let mut done = TopicPartitionList::new();
                    done.add_partition(topic, partition);
                    consumer.pause(&done).map_err(failed())?;
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            // librdkafka goes on by itself.
            Some(Err(error)) if passes(&error) => continue,
            Some(Err(error)) => return Err(failed()(error)),
        }
        last = Instant::now();
    }
    // The next range may be of the same partitions.
    consumer.resume(&assignment).map_err(failed())?;
    Ok(read)
}
