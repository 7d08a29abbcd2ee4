//! Which letters were replayed: a topic beside each dead-letter topic, `<dead-letter topic>.replayed`, compacted and so
//! without an end. A mark's key is the letter's place, `partition/offset`; its value is JSON with the letter's time stamp
//! (so that a dead-letter topic that was deleted and made anew begins anew), where the message went, and when.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stage::config::Moment;
use stage::dead_letter::REPLAYED_SUFFIX;
use stage::topics::{Created, Shape, create};

use super::dead_letter::{Letter, Place};
use operator::cluster::{Cluster, PATIENCE};
use operator::failure::Failure;
use operator::messages::reader::{Met, Reader, Start, Stop};

const POLL: Duration = Duration::from_millis(500);

/// The letters of one dead-letter topic that were replayed.
#[derive(Debug, Default)]
pub(super) struct Marks {
    letters: HashMap<Place, Option<i64>>,
    originals: HashSet<String>,
}

/// A mark's value.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    letter_timestamp: Option<i64>,
    topic: String,
    replayed_at: i64,
    /// Which message it is, however often that has a letter; marks of earlier versions do not say.
    #[serde(default)]
    original: Option<String>,
}

/// The topic of a dead-letter topic's marks.
pub(super) fn topic_of(dead_letters: &str) -> String {
    format!("{dead_letters}{REPLAYED_SUFFIX}")
}

/// Makes that topic, unless it is there: not everybody may.
pub(super) async fn make(cluster: &Cluster, dead_letters: &str) -> Result<(), Failure> {
    const SHAPE: Shape = Shape {
        partitions: 1,
        replication: -1,
    };
    let name = topic_of(dead_letters);
    if cluster.topic(&name).is_ok() {
        return Ok(());
    }
    let created = create(
        &cluster.config(),
        &[&name],
        SHAPE,
        &[("cleanup.policy", "compact")],
        PATIENCE,
    )
    .await
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

/// Key and value of a letter's mark.
pub(super) fn of(letter: &Letter, original: &str) -> (String, String) {
    let (partition, offset) = letter.place();
    let mark = Mark {
        letter_timestamp: letter.message.timestamp,
        topic: letter.topic().to_owned(),
        replayed_at: Moment::now().0,
        original: Some(original.to_owned()),
    };
    let value = serde_json::to_string(&mark).unwrap_or_default();
    (format!("{partition}/{offset}"), value)
}

impl Marks {
    /// Reads the marks of a dead-letter topic; none if it has no such topic.
    pub(super) fn read(cluster: &Cluster, dead_letters: &str) -> Result<Self, Failure> {
        let mut marks = Self::default();
        let name = topic_of(dead_letters);
        let Some(topic) = cluster.topics.iter().find(|topic| topic.name == name) else {
            return Ok(marks);
        };
        let mut reader = Reader::open(cluster, topic, None, Start::Beginning, Stop::AtEnd)?;
        loop {
            match reader.next(POLL)? {
                Met::Message(message) => marks.take(message.key.as_deref(), message.value.as_deref()),
                Met::Nothing => {}
                Met::End => return Ok(marks),
            }
        }
    }

    /// Whether the letter was replayed.
    pub(super) fn has(&self, letter: &Letter) -> bool {
        self.letters.get(&letter.place()) == Some(&letter.message.timestamp)
    }

    /// Whether any letter of that original was replayed.
    pub(super) fn has_original(&self, original: &str) -> bool {
        self.originals.contains(original)
    }

    /// What is no mark is none: nobody else has business in that topic.
    pub(super) fn take(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let place = key
            .and_then(|key| std::str::from_utf8(key).ok())
            .and_then(|key| key.split_once('/'))
            .and_then(|(partition, offset)| Some((partition.parse().ok()?, offset.parse().ok()?)));
        let mark = value.and_then(|value| serde_json::from_slice::<Mark>(value).ok());
        if let (Some(place), Some(mark)) = (place, mark) {
            self.letters.insert(place, mark.letter_timestamp);
            self.originals.extend(mark.original);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use operator::messages::message::Message;

    #[test]
    fn a_mark_is_of_one_letter() {
        let letter = |offset, timestamp| {
            Letter::of(Message {
                partition: 1,
                offset,
                timestamp: Some(timestamp),
                ..Message::default()
            })
        };
        let (key, value) = of(&letter(5, 100), "T/0/7/-");
        let mut marks = Marks::default();
        marks.take(Some(key.as_bytes()), Some(value.as_bytes()));
        marks.take(Some(b"nonsense"), Some(value.as_bytes()));
        marks.take(None, None);
        assert!(marks.has(&letter(5, 100)));
        assert!(
            !marks.has(&letter(5, 101)),
            "another letter, in a topic made anew"
        );
        assert!(!marks.has(&letter(6, 100)));
        assert!(marks.has_original("T/0/7/-") && !marks.has_original("T/0/8/-"));
    }
}
