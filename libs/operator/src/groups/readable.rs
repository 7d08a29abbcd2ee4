//! Whether a group that is a few offsets behind has anything left to read. The markers that end transactions, and what
//! an aborted one wrote, are offsets and no messages: behind the last message of a topic that is written in transactions
//! there is always one, and a lag that only counts offsets never comes to nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::Position;
use crate::cluster::{Cluster, Place};
use crate::failure::Failure;

/// A group that is further behind has messages to read: nobody asks for the exact number then.
const MAX_LAG: i64 = 1_000;
/// How long all partitions together may take; where it was not seen, the lag stays the count of offsets.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_TIMEOUT: Duration = Duration::from_millis(50);

/// The lag of a position: its partition, and the offsets between which it lies.
type Gap = (Place, i64, i64);

/// What was seen, kept for those who ask again and again: whether a message lies in each gap.
#[derive(Default)]
pub struct SeenGaps(HashMap<Gap, bool>);

impl Position {
    fn gap(&self) -> Option<Gap> {
        let lag = self.lag()?;
        let from = self.committed?.max(self.oldest);
        ((1..=MAX_LAG).contains(&lag)).then(|| ((self.topic.clone(), self.partition), from, self.newest))
    }
}

impl Cluster {
    /// Reads in each position that is a little behind, and marks those behind which nothing is left to read.
    pub fn look_for_messages(
        &self,
        positions: &mut [Vec<Position>],
        seen: &mut SeenGaps,
    ) -> Result<(), Failure> {
        let gaps: Vec<Gap> = positions.iter().flatten().filter_map(Position::gap).collect();
        let asked: HashSet<&Gap> = gaps.iter().collect();
        seen.0.retain(|gap, _| asked.contains(gap));
        let unknown = gaps.iter().filter(|gap| !seen.0.contains_key(gap));
        let mut ranges: BTreeMap<Place, Range> = BTreeMap::new();
        for (place, from, end) in unknown {
            let range = ranges.entry(place.clone()).or_insert(Range {
                from: *from,
                last: *from,
                end: *end,
                message: None,
                is_read: false,
            });
            range.from = range.from.min(*from);
            range.last = range.last.max(*from);
        }
        if !ranges.is_empty() {
            self.read(&mut ranges)?;
        }
        for gap in gaps {
            let (place, from, _) = &gap;
            let Some(range) = ranges.get(place) else {
                continue;
            };
            if range.message.is_some_and(|message| message >= *from) {
                seen.0.insert(gap, true);
            } else if range.is_read {
                seen.0.insert(gap, false);
            }
        }
        for position in positions.iter_mut().flatten() {
            let gap = position.gap();
            position.nothing_to_read = gap.and_then(|gap| seen.0.get(&gap)) == Some(&false);
        }
        Ok(())
    }

    fn read(&self, ranges: &mut BTreeMap<Place, Range>) -> Result<(), Failure> {
        let failed = || Failure::kafka("looking for messages behind committed offsets");
        let consumer = self.consumer(&[
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "earliest"),
            ("isolation.level", "read_committed"),
            ("fetch.wait.max.ms", "50"),
            // One batch of each partition is enough.
            ("max.partition.fetch.bytes", "1024"),
            ("queued.min.messages", "1"),
        ])?;
        let mut assignment = TopicPartitionList::new();
        for ((topic, partition), range) in ranges.iter() {
            assignment
                .add_partition_offset(topic, *partition, Offset::Offset(range.from))
                .map_err(failed())?;
        }
        consumer.assign(&assignment).map_err(failed())?;
        let start = Instant::now();
        let mut open = ranges.len();
        // It is not told which topic's partition has ended, and all positions are asked for once that pauses.
        let mut has_ended = false;
        while open > 0 && start.elapsed() < READ_TIMEOUT {
            self.check_wanted()?;
            match consumer.poll(POLL_TIMEOUT) {
                None if has_ended => {
                    has_ended = false;
                    let positions = consumer.position().map_err(failed())?;
                    for element in positions.elements() {
                        let place = (element.topic().to_owned(), element.partition());
                        let Some(range) = ranges.get_mut(&place).filter(|range| !range.is_read) else {
                            continue;
                        };
                        // A position at the end is behind the markers, too.
                        if matches!(element.offset(), Offset::Offset(at) if at >= range.end) {
                            range.is_read = true;
                            open -= 1;
                        }
                    }
                }
                None => {}
                Some(Ok(message)) => {
                    let place: Place = (message.topic().to_owned(), message.partition());
                    let Some(range) = ranges.get_mut(&place).filter(|range| !range.is_read) else {
                        continue;
                    };
                    if message.offset() < range.end {
                        range.message = Some(message.offset());
                    }
                    if message.offset() >= range.last || message.offset() + 1 >= range.end {
                        range.is_read = true;
                        open -= 1;
                        let mut done = TopicPartitionList::new();
                        done.add_partition(&place.0, place.1);
                        consumer.pause(&done).map_err(failed())?;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => has_ended = true,
                Some(Err(error)) => return Err(failed()(error)),
            }
        }
        Ok(())
    }
}

/// What is read of a partition.
struct Range {
    from: i64,
    /// Where the group that is furthest goes on: a message there or later is one for every group.
    last: i64,
    end: i64,
    /// The last message that was met.
    message: Option<i64>,
    is_read: bool,
}
