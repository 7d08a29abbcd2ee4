//! Which dead letters are asked for, and reading them.

use std::collections::BTreeSet;

use stage::config::Timestamp;
use stage::dead_letter::SUFFIX;

use super::POLL_TIMEOUT;
use super::dead_letter::DeadLetter;
use crate::cluster::{Cluster, Topic};
use crate::failure::Failure;
use crate::messages::reader::{Met, Reader, Start, Stop};
use crate::progress::{Counter, Progress};

/// The steps of saltransform, then those of influxsink, that refuse messages.
pub const STAGES: [&str; 8] = [
    "parse", "schema", "encode", "produce", "frame", "decode", "line", "write",
];

/// All conditions hold for a dead letter that is selected; without any, all dead letters are.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The dead-letter topics to read; if it is empty, all whose names end with `.dead-letter`.
    pub topics: Vec<String>,
    /// The step of a stage that refused the message: one of [`STAGES`].
    pub stage: Option<String>,
    /// The reason of the refusal, such as `bad_header`.
    pub reason: Option<String>,
    /// The topic of its origin.
    pub topic: Option<String>,
    /// When it became a dead letter: at this time or later.
    pub from: Option<Timestamp>,
    /// When it became a dead letter: before this time.
    pub to: Option<Timestamp>,
}

/// How many offsets were read, and how many the topics hold.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ReadRange {
    pub(super) read: u64,
    pub(super) held: u64,
}

impl Selection {
    /// The dead-letter topics.
    pub fn topics<'c>(&self, cluster: &'c Cluster) -> Result<Vec<&'c Topic>, Failure> {
        if !self.topics.is_empty() {
            let names: BTreeSet<&String> = self.topics.iter().collect();
            return names.into_iter().map(|name| cluster.topic(name)).collect();
        }
        let found = cluster.topics.iter();
        Ok(found.filter(|topic| topic.name.ends_with(SUFFIX)).collect())
    }

    /// Hands each selected dead letter of these topics to `take`, in the order of each partition.
    pub(super) fn read(
        &self,
        cluster: &Cluster,
        topics: &[&Topic],
        report: &dyn Fn(Progress),
        take: impl FnMut(DeadLetter) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.read_last(cluster, topics, None, report, take)?;
        Ok(())
    }

    /// The same; unless a time is given from which to read, only the last `most` offsets of each partition.
    pub(super) fn read_last(
        &self,
        cluster: &Cluster,
        topics: &[&Topic],
        most: Option<i64>,
        report: &dyn Fn(Progress),
        mut take: impl FnMut(DeadLetter) -> Result<(), Failure>,
    ) -> Result<ReadRange, Failure> {
        if topics.is_empty() {
            return Ok(ReadRange::default());
        }
        let start = match (self.from, most) {
            (Some(from), _) => Start::Since(from),
            (None, Some(most)) => Start::LastOffsets(most),
            (None, None) => Start::Beginning,
        };
        let mut reader = Reader::open_all(cluster, topics, None, start, Stop::AtEnd)?;
        let range = ReadRange {
            read: reader.remaining(),
            held: reader.held(),
        };
        let mut counter = Counter::start("dead letters", range.read, report);
        loop {
            match reader.next(POLL_TIMEOUT)? {
                Met::Message(message) => {
                    counter.add_one();
                    let letter = DeadLetter::of(*message);
                    if self.includes(&letter) {
                        take(letter)?;
                    }
                }
                Met::Nothing => {}
                Met::End => break,
            }
        }
        counter.finish();
        Ok(range)
    }

    fn includes(&self, letter: &DeadLetter) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let time = letter.message.timestamp.map(Timestamp);
        is(&self.stage, letter.header("stage"))
            && is(&self.reason, letter.header("reason"))
            && is(&self.topic, letter.topic())
            && self.from.is_none_or(|from| time.is_some_and(|time| time >= from))
            && self.to.is_none_or(|to| time.is_some_and(|time| time < to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::message::Message;

    #[test]
    fn each_condition_selects() {
        let letter = DeadLetter::of(Message {
            timestamp: Some(1_000),
            headers: Some(
                [
                    ("topic", "T"),
                    ("partition", "0"),
                    ("offset", "0"),
                    ("stage", "parse"),
                    ("reason", "r"),
                ]
                .map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())))
                .to_vec(),
            ),
            ..Message::default()
        });
        let all = Selection::default();
        assert!(all.includes(&letter));
        let text = |text: &str| Some(text.to_owned());
        for (selection, included) in [
            (
                Selection {
                    stage: text("parse"),
                    ..all.clone()
                },
                true,
            ),
            (
                Selection {
                    stage: text("write"),
                    ..all.clone()
                },
                false,
            ),
            (
                Selection {
                    reason: text("s"),
                    ..all.clone()
                },
                false,
            ),
            (
                Selection {
                    topic: text("T"),
                    ..all.clone()
                },
                true,
            ),
            (
                Selection {
                    topic: text("t"),
                    ..all.clone()
                },
                false,
            ),
            (
                Selection {
                    from: Some(Timestamp(1_000)),
                    to: Some(Timestamp(1_001)),
                    ..all.clone()
                },
                true,
            ),
            (
                Selection {
                    from: Some(Timestamp(1_001)),
                    ..all.clone()
                },
                false,
            ),
            (
                Selection {
                    to: Some(Timestamp(1_000)),
                    ..all.clone()
                },
                false,
            ),
        ] {
            assert_eq!(selection.includes(&letter), included, "{selection:?}");
        }
    }
}
