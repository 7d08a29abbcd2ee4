//! The newest dead letters of each topic, with their originals decoded.

use std::collections::{BTreeMap, VecDeque};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::dead_letter::{DeadLetter, Omitted};
use super::list::is_replayed;
use super::replay_log::ReplayLog;
use super::selection::Selection;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::messages::decode::{Decoded, Decoder};
use crate::messages::message::shown;
use crate::progress::Progress;

/// The newest dead letters of each topic.
#[derive(Debug, Default)]
pub struct Newest {
    /// How many dead letters were selected.
    pub selected: usize,
    /// The newest of each topic, and whether each was replayed.
    pub newest: Vec<(DeadLetter, bool)>,
}

/// A dead letter with its original decoded; as JSON, the texts and bytes of both.
#[derive(Debug)]
pub struct Shown {
    /// The dead letter.
    pub letter: DeadLetter,
    /// Whether it was replayed.
    pub is_replayed: bool,
    /// The original's value.
    pub decoded: Decoded,
}

/// Reads the newest `count` dead letters of each topic.
pub fn newest(
    cluster: &Cluster,
    selection: &Selection,
    count: usize,
    report: &dyn Fn(Progress),
) -> Result<Newest, Failure> {
    let topics = selection.topics(cluster)?;
    let replay_logs = ReplayLog::read_all(cluster, topics.iter().map(|topic| topic.name.as_str()))?;
    let mut last = Last::new(count, usize::MAX);
    selection.read(cluster, &topics, report, |letter| {
        let is_replayed = is_replayed(&replay_logs, &letter);
        last.add(letter, is_replayed);
        Ok(())
    })?;
    Ok(last.finish())
}

/// The last dead letters of each topic that were added, of limited size in all.
pub(super) struct Last {
    count: usize,
    max_bytes: usize,
    bytes: usize,
    selected: usize,
    by_topic: BTreeMap<String, VecDeque<(DeadLetter, bool)>>,
}

impl Last {
    pub(super) fn new(count: usize, max_bytes: usize) -> Self {
        Self {
            count,
            max_bytes,
            bytes: 0,
            selected: 0,
            by_topic: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, letter: DeadLetter, is_replayed: bool) {
        self.selected += 1;
        self.bytes += letter.message.size();
        let newest = self.by_topic.entry(letter.message.topic.clone()).or_default();
        newest.push_back((letter, is_replayed));
        if newest.len() > self.count {
            let oldest = newest.pop_front();
            self.bytes -= size(oldest);
        }
        // The newest of all is kept however large it is.
        while self.bytes > self.max_bytes && self.by_topic.values().map(VecDeque::len).sum::<usize>() > 1 {
            let filled = self.by_topic.values_mut().filter(|letters| !letters.is_empty());
            let oldest =
                filled.min_by_key(|letters| letters.front().and_then(|(letter, _)| letter.message.timestamp));
            let oldest = oldest.and_then(VecDeque::pop_front);
            self.bytes -= size(oldest);
        }
    }

    pub(super) fn finish(self) -> Newest {
        Newest {
            selected: self.selected,
            newest: self.by_topic.into_values().flatten().collect(),
        }
    }
}

fn size(letter: Option<(DeadLetter, bool)>) -> usize {
    letter.map_or(0, |(letter, _)| letter.message.size())
}

impl Newest {
    /// Decodes the originals.
    pub async fn decode(self, decoder: &mut Decoder) -> Vec<Shown> {
        let mut all = Vec::new();
        for (letter, is_replayed) in self.newest {
            let value = letter.message.value.as_deref();
            let decoded = decoder.decode(value, letter.original_timestamp()).await;
            all.push(Shown {
                letter,
                is_replayed,
                decoded,
            });
        }
        all
    }
}

#[derive(Serialize)]
struct Json<'s> {
    dead_letter: Place<'s>,
    stage: Option<&'s str>,
    reason: Option<&'s str>,
    detail: Option<&'s str>,
    group: Option<&'s str>,
    origin: Option<Place<'s>>,
    replayed: bool,
    replay_of: Option<&'s str>,
    omitted: Option<Omitted>,
    key: Option<Value>,
    headers: Map<String, Value>,
    original: Option<Value>,
    form: &'static str,
    decoded: &'s Value,
}

#[derive(Serialize)]
struct Place<'s> {
    topic: &'s str,
    partition: i32,
    offset: i64,
    timestamp: Option<i64>,
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (letter, message) = (&self.letter, &self.letter.message);
        let headers = letter.original_headers().into_iter();
        Json {
            dead_letter: Place {
                topic: &message.topic,
                partition: message.partition,
                offset: message.offset,
                timestamp: message.timestamp,
            },
            stage: message.header_text("stage"),
            reason: message.header_text("reason"),
            detail: message.header_text("detail"),
            group: message.header_text("group"),
            origin: letter.origin.as_ref().map(|origin| Place {
                topic: &origin.topic,
                partition: origin.partition,
                offset: origin.offset,
                timestamp: letter.original_timestamp(),
            }),
            replayed: self.is_replayed,
            replay_of: letter.replay_of(),
            omitted: letter.omitted,
            key: message.key.as_deref().map(shown),
            headers: headers
                .map(|(name, value)| (name, value.as_deref().map(shown).unwrap_or_default()))
                .collect(),
            original: message.value.as_deref().map(shown),
            form: self.decoded.form.name(),
            decoded: &self.decoded.value,
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::message::Message;

    fn letter(topic: &str, timestamp: i64, bytes: usize) -> DeadLetter {
        DeadLetter::of(Message {
            topic: topic.to_owned(),
            offset: timestamp,
            timestamp: Some(timestamp),
            value: Some(vec![0; bytes]),
            ..Message::default()
        })
    }

    /// The times of what is kept of these letters, of 100 bytes in all.
    fn kept(letters: &[(&str, i64, usize)]) -> Vec<i64> {
        let mut last = Last::new(10, 100);
        for (topic, timestamp, bytes) in letters {
            last.add(letter(topic, *timestamp, *bytes), false);
        }
        let found = last.finish();
        assert_eq!(found.selected, letters.len());
        let times = found.newest.iter().map(|(letter, _)| letter.message.timestamp);
        times.flatten().collect()
    }

    #[test]
    fn the_oldest_is_left_out_whatever_its_topic() {
        assert_eq!(kept(&[("a", 1, 60), ("b", 2, 60)]), [2]);
        assert_eq!(kept(&[("b", 1, 60), ("a", 2, 60)]), [2]);
        assert_eq!(kept(&[("a", 1, 40), ("a", 3, 40), ("b", 2, 40)]), [3, 2]);
        assert_eq!(kept(&[("a", 1, 500)]), [1], "however large it is");
    }
}
