//! Which dead letters are meant, and reading them.

use std::time::Duration;

use clap::Args;
use stage::config::{Moment, moment};
use stage::dead_letter::SUFFIX;

use super::dead_letter::Letter;
use crate::terminal::bar;
use operator::cluster::{Cluster, Topic};
use operator::failure::Failure;
use operator::messages::reader::{Met, Reader, Start, Stop};

/// How long Kafka may say nothing before it is asked again.
const POLL: Duration = Duration::from_millis(500);

/// The flags that choose letters.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Which letters")]
pub(super) struct ChoiceArgs {
    /// Topic of dead letters, as often as needed [default: all whose names end with .dead-letter]
    #[arg(long = "in", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only those that this stage refused: parse, schema, encode, produce, decode, line, write
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,
    /// Only those with this reason, such as bad_header
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Only those that came from this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only those of this moment or later (2026-11-21T10:00:00Z, 2026-11-21, -2h): when they became dead letters
    #[arg(long, value_name = "WHEN", value_parser = moment, allow_hyphen_values = true)]
    from: Option<Moment>,
    /// Only those before this moment
    #[arg(long, value_name = "WHEN", value_parser = moment, allow_hyphen_values = true)]
    to: Option<Moment>,
}

impl ChoiceArgs {
    /// The topics of dead letters.
    pub(super) fn topics<'c>(&self, cluster: &'c Cluster) -> Result<Vec<&'c Topic>, Failure> {
        if !self.topics.is_empty() {
            return self.topics.iter().map(|name| cluster.topic(name)).collect();
        }
        let found = cluster.topics.iter();
        Ok(found.filter(|topic| topic.name.ends_with(SUFFIX)).collect())
    }

    /// Hands each letter that is meant to `take`, in each partition in its order.
    pub(super) fn read(
        &self,
        cluster: &Cluster,
        topic: &Topic,
        mut take: impl FnMut(Letter) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let offsets = cluster.offsets(topic)?;
        let total: i64 = offsets.iter().map(|partition| partition.count()).sum();
        let progress = bar(total.unsigned_abs(), "dead letters");
        let start = self.from.map_or(Start::Beginning, Start::Since);
        let mut reader = Reader::open(cluster, topic, None, start, Stop::AtEnd)?;
        loop {
            match reader.next(POLL)? {
                Met::Message(message) => {
                    progress.inc(1);
                    let letter = Letter::of(*message);
                    if self.means(&letter) {
                        take(letter)?;
                    }
                }
                Met::Nothing => {}
                Met::End => break,
            }
        }
        progress.finish_and_clear();
        Ok(())
    }

    fn means(&self, letter: &Letter) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let time = letter.message.timestamp.map(Moment);
        is(&self.stage, letter.said("stage"))
            && is(&self.reason, letter.said("reason"))
            && is(&self.topic, letter.topic())
            && self.from.is_none_or(|from| time.is_some_and(|time| time >= from))
            && self.to.is_none_or(|to| time.is_some_and(|time| time < to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use operator::messages::message::Message;

    #[test]
    fn letters_are_chosen() {
        let letter = Letter::of(Message {
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
        let all = ChoiceArgs::default();
        assert!(all.means(&letter));
        let text = |text: &str| Some(text.to_owned());
        for (choice, means) in [
            (
                ChoiceArgs {
                    stage: text("parse"),
                    ..all.clone()
                },
                true,
            ),
            (
                ChoiceArgs {
                    stage: text("write"),
                    ..all.clone()
                },
                false,
            ),
            (
                ChoiceArgs {
                    reason: text("s"),
                    ..all.clone()
                },
                false,
            ),
            (
                ChoiceArgs {
                    topic: text("T"),
                    ..all.clone()
                },
                true,
            ),
            (
                ChoiceArgs {
                    topic: text("t"),
                    ..all.clone()
                },
                false,
            ),
            (
                ChoiceArgs {
                    from: Some(Moment(1_000)),
                    to: Some(Moment(1_001)),
                    ..all.clone()
                },
                true,
            ),
            (
                ChoiceArgs {
                    from: Some(Moment(1_001)),
                    ..all.clone()
                },
                false,
            ),
            (
                ChoiceArgs {
                    to: Some(Moment(1_000)),
                    ..all.clone()
                },
                false,
            ),
        ] {
            assert_eq!(choice.means(&letter), means, "{choice:?}");
        }
    }
}
