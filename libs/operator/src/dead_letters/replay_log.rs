//! Which dead letters were replayed: a topic beside each dead-letter topic, `<dead-letter topic>.replayed`. It is compacted,
//! so its entries never expire. An entry's key is the dead letter's place, `partition/offset`. Its value is JSON: the dead
//! letter's timestamp (entries do not apply to a dead-letter topic that was recreated), where the original went, and when.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use stage::config::Timestamp;
use stage::create_topics::{Created, Shape, create};
use stage::dead_letter::REPLAYED_SUFFIX;

use super::POLL_TIMEOUT;
use super::dead_letter::{DeadLetter, Place};
use crate::cluster::{Cluster, REQUEST_TIMEOUT, Topic};
use crate::failure::Failure;
use crate::messages::reader::{Met, Reader, Start, Stop};

/// The dead letters of one topic that were replayed.
#[derive(Debug, Default)]
pub(super) struct ReplayLog {
    dead_letters: HashMap<Place, Option<i64>>,
    originals: HashSet<String>,
}

/// An entry's value.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    letter_timestamp: Option<i64>,
    topic: String,
    replayed_at: i64,
    /// Identifies the message, however many dead letters it has. Entries of earlier versions do not have it.
    #[serde(default)]
    original: Option<String>,
}

/// The topic that holds a dead-letter topic's entries.
pub(super) fn topic_of(dead_letters: &str) -> String {
    format!("{dead_letters}{REPLAYED_SUFFIX}")
}

/// Creates that topic unless it exists: not every user is allowed to.
pub(super) fn ensure_topic(cluster: &Cluster, dead_letters: &str) -> Result<(), Failure> {
    const SHAPE: Shape = Shape {
        partitions: 1,
        replication: -1,
    };
    let name = topic_of(dead_letters);
    if cluster.find_topic(&name).is_some() {
        return Ok(());
    }
    let (config, compacted) = (cluster.config(), [("cleanup.policy", "compact")]);
    let created = Cluster::wait(create(&config, &[&name], SHAPE, &compacted, REQUEST_TIMEOUT))
        .map_err(Failure::kafka(format!("creating {name}")))?;
    match created.first() {
        Some(Created::Refused(code)) => Err(Failure::Refused {
            what: format!("creating {name}, which holds what was replayed,"),
            reason: code.to_string(),
            hint: "ask for the right to create it, or have it made: 1 partition, cleanup.policy=compact"
                .to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Key and value of a dead letter's entry.
pub(super) fn entry(letter: &DeadLetter, original: &str) -> (String, String) {
    let (partition, offset) = letter.place();
    let entry = Entry {
        letter_timestamp: letter.message.timestamp,
        topic: letter.topic().to_owned(),
        replayed_at: Timestamp::now().0,
        original: Some(original.to_owned()),
    };
    let value = serde_json::to_string(&entry).unwrap_or_default();
    (format!("{partition}/{offset}"), value)
}

impl ReplayLog {
    /// Reads the entries of a dead-letter topic; none if the topic for them does not exist.
    pub(super) fn read(cluster: &Cluster, dead_letters: &str) -> Result<Self, Failure> {
        let mut all = Self::read_all(cluster, [dead_letters])?;
        Ok(all.remove(dead_letters).unwrap_or_default())
    }

    /// The same for several dead-letter topics, by their names. Without those of which nothing was replayed.
    pub(super) fn read_all<'n>(
        cluster: &Cluster,
        dead_letters: impl IntoIterator<Item = &'n str>,
    ) -> Result<HashMap<String, Self>, Failure> {
        let topics = dead_letters.into_iter().map(topic_of);
        let topics: Vec<&Topic> = topics.filter_map(|name| cluster.find_topic(&name)).collect();
        let mut all: HashMap<String, Self> = HashMap::new();
        if topics.is_empty() {
            return Ok(all);
        }
        let mut reader = Reader::open_all(cluster, &topics, None, Start::Beginning, Stop::AtEnd)?;
        loop {
            match reader.next(POLL_TIMEOUT)? {
                Met::Message(message) => {
                    let Some(dead_letters) = message.topic.strip_suffix(REPLAYED_SUFFIX) else {
                        continue;
                    };
                    let replay_log = all.entry(dead_letters.to_owned()).or_default();
                    replay_log.take(message.key.as_deref(), message.value.as_deref());
                }
                Met::Nothing => {}
                Met::End => return Ok(all),
            }
        }
    }

    /// Whether the dead letter was replayed.
    pub(super) fn has(&self, letter: &DeadLetter) -> bool {
        self.dead_letters.get(&letter.place()) == Some(&letter.message.timestamp)
    }

    /// Whether any dead letter of that original was replayed.
    pub(super) fn has_original(&self, original: &str) -> bool {
        self.originals.contains(original)
    }

    /// Adds an entry. Anything else in that topic is ignored.
    pub(super) fn take(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let place = key
            .and_then(|key| std::str::from_utf8(key).ok())
            .and_then(|key| key.split_once('/'))
            .and_then(|(partition, offset)| Some((partition.parse().ok()?, offset.parse().ok()?)));
        let entry = value.and_then(|value| serde_json::from_slice::<Entry>(value).ok());
        if let (Some(place), Some(entry)) = (place, entry) {
            self.dead_letters.insert(place, entry.letter_timestamp);
            self.originals.extend(entry.original);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::message::Message;

    #[test]
    fn an_entry_is_of_one_dead_letter() {
        let letter = |offset, timestamp| {
            DeadLetter::of(Message {
                partition: 1,
                offset,
                timestamp: Some(timestamp),
                ..Message::default()
            })
        };
        let (key, value) = entry(&letter(5, 100), "T/0/7/-");
        let mut replay_log = ReplayLog::default();
        replay_log.take(Some(key.as_bytes()), Some(value.as_bytes()));
        replay_log.take(Some(b"nonsense"), Some(value.as_bytes()));
        replay_log.take(None, None);
        assert!(replay_log.has(&letter(5, 100)));
        assert!(
            !replay_log.has(&letter(5, 101)),
            "another dead letter, in a recreated topic"
        );
        assert!(!replay_log.has(&letter(6, 100)));
        assert!(replay_log.has_original("T/0/7/-") && !replay_log.has_original("T/0/8/-"));
    }
}
