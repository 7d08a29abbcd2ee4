//! A field's values from the messages of a topic, where there is no database. The time of each is its message's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use stage::config::Timestamp;

use super::fields::array_items;
use super::series::{Quantity, Series, TimeRange};
use crate::cluster::{Cluster, PartitionOffsets, Place, Topic};
use crate::failure::Failure;
use crate::messages::decode::Decoder;
use crate::messages::message::Message;
use crate::messages::reader::{Met, Reader};

/// How many messages are read for a plot.
pub const MAX_MESSAGES: u64 = 20_000;
/// How many bytes of messages are kept for a plot.
pub const MAX_BYTES: usize = 16 << 20;
/// How many messages are read first, the newest. It is read backwards in steps, each this many times larger than the one
/// before, so that of large messages few more are read than are kept.
const FIRST_MESSAGES: u64 = 500;
const STEP_FACTOR: u64 = 4;
const POLL_TIMEOUT: Duration = Duration::from_millis(200);

/// Where to read: from one offset to another, which is left out.
type Ranges = BTreeMap<Place, (i64, i64)>;

/// The newest messages so far, by time, partition and offset.
#[derive(Default)]
struct Newest {
    messages: BTreeMap<(i64, i32, i64), Message>,
    bytes: usize,
    has_left_out: bool,
}

/// The messages of a topic that lie in a range, in the order of time. At most [`MAX_MESSAGES`] of [`MAX_BYTES`], the newest;
/// with them, if that is not all, how many offsets there are in the range. A broker that does not find offsets by time, as
/// the demo's embedded one, counts those of the whole topic. Blocks.
pub fn from_topic(
    cluster: &Cluster,
    topic: &str,
    range: TimeRange,
) -> Result<(Vec<Message>, Option<u64>), Failure> {
    let topic = cluster.topic(topic)?;
    let all = ranges_of(cluster, topic, range)?;
    let total = count(&all);
    let mut kept = Newest::default();
    let (mut rest, mut step) = (newest_of(&all, MAX_MESSAGES), FIRST_MESSAGES);
    while !rest.is_empty() && !kept.has_left_out {
        let next = newest_of(&rest, step);
        for (place, (first, _)) in &next {
            rest.entry(place.clone()).and_modify(|(_, end)| *end = *first);
        }
        rest.retain(|_, (first, end)| first < end);
        kept.read(Reader::between(cluster, &topic.name, next)?, range)?;
        step = step.saturating_mul(STEP_FACTOR);
    }
    let is_part = total > MAX_MESSAGES || kept.has_left_out;
    Ok((kept.messages.into_values().collect(), is_part.then_some(total)))
}

/// Where the messages of a range lie, as Kafka finds times: each partition from the first message of the range or later to
/// the first that is too late.
fn ranges_of(cluster: &Cluster, topic: &Topic, range: TimeRange) -> Result<Ranges, Failure> {
    let places: BTreeSet<Place> = topic.places().collect();
    let offsets = cluster.offsets(topic)?;
    // In milliseconds, of which the first that is too late is not before the end. Kafka takes negative times for other things.
    let moment = |micros: i64| Timestamp(micros.div_euclid(1_000).max(0));
    let starts = cluster.offsets_of(&places, moment(range.from))?;
    let finds_times = !starts.is_empty() || cluster.finds_times(&places)?;
    let ends = match finds_times {
        true => cluster.offsets_of(&places, moment(range.to.saturating_add(999)))?,
        false => BTreeMap::new(),
    };
    let of_partition = |found: PartitionOffsets| {
        let place = (topic.name.clone(), found.partition);
        let first = match finds_times {
            true => (*starts.get(&place)?).max(found.oldest),
            false => found.oldest,
        };
        let end = ends.get(&place).copied().unwrap_or(found.newest);
        (first < end).then_some((place, (first, end)))
    };
    Ok(offsets.into_iter().filter_map(of_partition).collect())
}

/// How many offsets there are.
fn count(ranges: &Ranges) -> u64 {
    ranges
        .values()
        .map(|(first, end)| end.saturating_sub(*first).max(0).unsigned_abs())
        .sum()
}

/// The ends of ranges, of about `most` offsets in all. Each partition has its share: which of their messages are newer is
/// not known without reading.
fn newest_of(ranges: &Ranges, most: u64) -> Ranges {
    let total = count(ranges);
    if total <= most {
        return ranges.clone();
    }
    let share = |(first, end): (i64, i64)| {
        let own = u128::from(end.saturating_sub(first).max(0).unsigned_abs());
        let share = own * u128::from(most) / u128::from(total);
        // At least one: otherwise, of many partitions, nothing would be read.
        (end - i64::try_from(share).unwrap_or(i64::MAX).max(1), end)
    };
    ranges
        .iter()
        .map(|(place, range)| (place.clone(), share(*range)))
        .collect()
}

impl Newest {
    /// Reads what is of the range to its end.
    fn read(&mut self, mut reader: Reader, range: TimeRange) -> Result<(), Failure> {
        loop {
            match reader.next(POLL_TIMEOUT)? {
                Met::Message(message) => {
                    let time = message.timestamp.unwrap_or_default();
                    if (range.from..range.to).contains(&time.saturating_mul(1_000)) {
                        self.add(time, *message);
                    }
                }
                Met::Nothing => {}
                Met::End => return Ok(()),
            }
        }
    }

    /// Takes a message in, and leaves the oldest out while they have too many bytes.
    fn add(&mut self, time: i64, message: Message) {
        self.bytes += message.size();
        self.messages
            .insert((time, message.partition, message.offset), message);
        while self.bytes > MAX_BYTES
            && let Some((_, oldest)) = self.messages.pop_first()
        {
            self.bytes -= oldest.size();
            self.has_left_out = true;
        }
    }
}

impl Series {
    /// The values of fields in messages that were read, each of which is decoded once; of a field that has more than `most`,
    /// of stretches.
    pub async fn of_messages(
        messages: &[Message],
        of: &[Quantity],
        range: TimeRange,
        most: usize,
        decoder: &mut Decoder,
    ) -> Vec<Self> {
        let mut found: Vec<(&Quantity, Found)> = of.iter().map(|of| (of, Found::default())).collect();
        for message in messages {
            let Some(time) = message.timestamp.map(|time| time.saturating_mul(1_000)) else {
                continue;
            };
            let decoded = decoder.decode(message.value.as_deref(), message.timestamp).await;
            for (of, found) in &mut found {
                found.add(time, &decoded.value, of);
            }
        }
        found
            .into_iter()
            .map(|(of, found)| found.series(of, range, most))
            .collect()
    }
}

/// What a field has been found to be: numbers, or the names of an enumeration.
#[derive(Default)]
struct Found {
    values: Vec<(i64, f64)>,
    names: Vec<(i64, String)>,
}

impl Found {
    fn add(&mut self, time: i64, record: &Value, of: &Quantity) {
        if of.symbols.is_empty() {
            self.values
                .extend(value_of(record, &of.field).map(|value| (time, value)));
        } else {
            let name = record.get(&of.field).and_then(Value::as_str);
            self.names.extend(name.map(|name| (time, name.to_owned())));
        }
    }

    fn series(mut self, of: &Quantity, range: TimeRange, most: usize) -> Series {
        if of.symbols.is_empty() {
            self.values.sort_by_key(|(time, _)| *time);
            return Series::of_values(self.values, range, most);
        }
        self.names.sort_by_key(|(time, _)| *time);
        Series::of_names(of, &self.names, self.names.len() as u64, range, most)
    }
}

/// The number that a record has under a flattened name.
fn value_of(record: &Value, flat: &str) -> Option<f64> {
    let number = |value: &Value| match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        value => value.as_f64(),
    };
    let item = |(array, index): (&str, usize)| record.get(array)?.get(index).and_then(number);
    let value = record.get(flat).and_then(number);
    value.or_else(|| array_items(flat).find_map(item))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_partition_has_its_share_of_the_newest() {
        let ranges = |ranges: &[(i64, i64)]| -> Ranges {
            let places = (0..).map(|number| ("t".to_owned(), number));
            places.zip(ranges.iter().copied()).collect()
        };
        let all = ranges(&[(0, 300), (1_000, 1_100), (7, 8)]);
        assert_eq!(newest_of(&all, 401), all);
        assert_eq!(newest_of(&all, 41), ranges(&[(270, 300), (1_090, 1_100), (7, 8)]));
        assert_eq!(count(&newest_of(&ranges(&[(0, i64::MAX)]), 20)), 20);
    }

    #[test]
    fn values_are_found_by_their_flattened_names() {
        let record = json!({"x": 1.5, "on": true, "v": [1, 2, 3], "a1": 7, "word": "w",
            "t1": [10, 11], "t": (0..30).collect::<Vec<_>>()});
        for (flat, value) in [
            ("x", Some(1.5)),
            ("on", Some(1.0)),
            ("v2", Some(3.0)),
            ("v3", None),
            ("a1", Some(7.0)),
            ("word", None),
            ("none", None),
            // The longest name that has such an item: `t1` has two, and no place is written `00`.
            ("t10", Some(10.0)),
            ("t11", Some(11.0)),
            ("t12", Some(12.0)),
            ("t1", Some(1.0)),
            ("t01", None),
            ("99", None),
        ] {
            assert_eq!(value_of(&record, flat), value, "{flat}");
        }
    }
}
