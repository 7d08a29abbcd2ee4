//! A field's values from the messages of a topic, where there is no database. The time of each is its message's.

use std::time::Duration;

use serde_json::Value;
use stage::config::Timestamp;

use super::fields::array_items;
use super::series::{Quantity, Series, TimeRange};
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::messages::decode::Decoder;
use crate::messages::message::Message;
use crate::messages::reader::{Met, Reader, Start, Stop};

/// How many messages are read for a plot.
pub const MAX_MESSAGES: u64 = 20_000;
const POLL_TIMEOUT: Duration = Duration::from_millis(200);

/// The messages of a topic that lie in a range, the newest [`MAX_MESSAGES`] of them, and how many messages there are in it
/// if not all were read. Blocks.
pub fn from_topic(
    cluster: &Cluster,
    topic: &str,
    range: TimeRange,
) -> Result<(Vec<Message>, Option<u64>), Failure> {
    let topic = cluster.topic(topic)?;
    let since = Start::Since(Timestamp(range.from / 1_000));
    let newest = Start::LastOffsets(i64::try_from(MAX_MESSAGES).unwrap_or(i64::MAX));
    let mut reader = match Reader::open(cluster, topic, None, since, Stop::AtEnd) {
        // The embedded broker of the demo does not find offsets by time.
        Err(Failure::Refused { .. }) => Reader::open(cluster, topic, None, newest, Stop::AtEnd)?,
        reader => reader?,
    };
    let total = reader.remaining();
    if total > MAX_MESSAGES {
        reader = Reader::open(cluster, topic, None, newest, Stop::AtEnd)?;
    }
    let mut messages = Vec::new();
    loop {
        match reader.next(POLL_TIMEOUT)? {
            Met::Message(message) => {
                let time = message.timestamp.unwrap_or_default().saturating_mul(1_000);
                if (range.from..range.to).contains(&time) {
                    messages.push(*message);
                }
            }
            Met::Nothing => {}
            Met::End => break,
        }
        if messages.len() as u64 >= MAX_MESSAGES {
            break;
        }
    }
    Ok((messages, (total > MAX_MESSAGES).then_some(total)))
}

impl Series {
    /// A field's values in messages that were read; if they are more than `most`, of stretches.
    pub async fn of_messages(
        messages: &[Message],
        of: &Quantity,
        range: TimeRange,
        most: usize,
        decoder: &mut Decoder,
    ) -> Self {
        let (mut values, mut names) = (Vec::new(), Vec::new());
        for message in messages {
            let decoded = decoder.decode(message.value.as_deref(), message.timestamp).await;
            let Some(time) = message.timestamp.map(|time| time.saturating_mul(1_000)) else {
                continue;
            };
            if !of.symbols.is_empty() {
                let name = decoded.value.get(&of.field).and_then(Value::as_str);
                names.extend(name.map(|name| (time, name.to_owned())));
            } else if let Some(value) = value_of(&decoded.value, &of.field) {
                values.push((time, value));
            }
        }
        if !of.symbols.is_empty() {
            names.sort_by_key(|(time, _)| *time);
            return Self::of_names(of, &names, names.len() as u64, range, most);
        }
        values.sort_by_key(|(time, _)| *time);
        Self::of_values(values, range, most)
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
