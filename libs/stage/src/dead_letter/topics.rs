//! Dead-letter topics, which no stage reads by an expression: a stage whose dead letters are its input would produce
//! another of each without end, and so would two stages that read each other's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use super::letter::is_letter;
use crate::intake::Topics;

/// The default suffix of dead-letter topics.
pub const SUFFIX: &str = ".dead-letter";
/// The suffix of the topic that records which dead letters were replayed, after the dead-letter topic's name.
pub const REPLAYED_SUFFIX: &str = ".replayed";

/// A stage would read its own dead letters.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{topic} is the topic of this stage's dead letters and an input as well: each of them would be read and refused again, \
     without an end; give --dead-letter-topic another name, or read other topics"
)]
pub struct FeedsOnItself {
    topic: String,
}

/// The dead-letter topic of a group: the given one, or `<group>.dead-letter`.
pub fn topic_of(group: &str, asked: Option<&str>) -> String {
    asked.map_or_else(|| format!("{group}{SUFFIX}"), str::to_owned)
}

/// What a stage with this dead-letter topic skips among its inputs.
#[derive(Debug, Clone)]
pub struct LetterFilter {
    /// None if the inputs are given by name: what an operator names is read.
    own: Option<String>,
    /// Whether topics are checked in addition to headers.
    looks_at_topics: bool,
    has_warned: Arc<AtomicBool>,
}

impl FeedsOnItself {
    /// With the dead letters in `topic`.
    pub fn by(topic: impl Into<String>) -> Self {
        Self { topic: topic.into() }
    }
}

impl LetterFilter {
    /// The filter for these inputs. An error if the stage's own dead-letter topic is among their names, or an
    /// expression is nothing but its name; an expression that also matches it is allowed, because the filter skips it.
    pub fn new(topics: &Topics, dead_letter_topic: &str) -> Result<Self, FeedsOnItself> {
        let is_named = match topics {
            Topics::Named(names) => names
                .iter()
                .any(|name| name == dead_letter_topic || is_marks_of(dead_letter_topic, name)),
            Topics::Matching(regex) => {
                let anchored = regex.strip_prefix('^').and_then(|regex| regex.strip_suffix('$'));
                let name = anchored.unwrap_or(regex);
                name == dead_letter_topic || name == regex::escape(dead_letter_topic)
            }
        };
        if is_named {
            return Err(FeedsOnItself::by(dead_letter_topic));
        }
        Ok(Self {
            own: matches!(topics, Topics::Matching(_)).then(|| dead_letter_topic.to_owned()),
            looks_at_topics: false,
            has_warned: Arc::default(),
        })
    }

    /// Also checks the messages' topics: a broker that evaluates the expression itself (KIP-848) assigns all topics
    /// that match.
    pub fn looks_at_topics(self, looks_at_topics: bool) -> Self {
        Self {
            looks_at_topics,
            ..self
        }
    }

    /// Whether messages of this topic are not meant for the stage.
    pub fn has(&self, topic: &str) -> bool {
        self.own.as_deref().is_some_and(|own| {
            topic == own
                || is_marks_of(own, topic)
                || topic.ends_with(SUFFIX)
                || topic
                    .strip_suffix(REPLAYED_SUFFIX)
                    .is_some_and(|topic| topic.ends_with(SUFFIX))
        })
    }

    /// Those topics in the form of librdkafka's `topic.blacklist`: expressions, separated by commas. None if there are
    /// none.
    pub fn blacklist(&self) -> Option<String> {
        let own = regex::escape(self.own.as_deref()?);
        let [suffix, replayed] = [SUFFIX, REPLAYED_SUFFIX].map(regex::escape);
        Some(format!(
            "^{own}$,^{own}{replayed}$,^.*{suffix}$,^.*{suffix}{replayed}$"
        ))
    }

    /// Whether the stage skips a message: a dead letter, by its headers, because dead-letter topics can have any name;
    /// or any message in such a topic.
    pub fn passes_over(&self, message: &BorrowedMessage<'_>) -> bool {
        let is_of_them = || is_letter(message) || (self.looks_at_topics && self.has(message.topic()));
        if self.own.is_none() || !is_of_them() {
            return false;
        }
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                topic = message.topic(),
                partition = message.partition(),
                offset = message.offset(),
                "dead letters of a stage are among the topics that match: all of them are skipped"
            );
        }
        true
    }
}

/// Whether `topic` records the replayed letters of `dead_letters`.
fn is_marks_of(dead_letters: &str, topic: &str) -> bool {
    topic.strip_suffix(REPLAYED_SUFFIX) == Some(dead_letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(regex: &str, own: &str) -> Result<LetterFilter, FeedsOnItself> {
        LetterFilter::new(&Topics::Matching(regex.to_owned()), own)
    }

    #[test]
    fn an_expression_never_includes_dead_letters() {
        let filter = matching("^sink", "sink.refused").unwrap();
        for topic in [
            "sink.refused",
            "sink.refused.replayed",
            "other.dead-letter",
            "mirror.other.dead-letter.replayed",
        ] {
            assert!(filter.has(topic), "{topic}");
            let patterns = filter.blacklist().unwrap();
            let mut patterns = patterns.split(',').map(|one| regex::Regex::new(one).unwrap());
            assert!(patterns.any(|pattern| pattern.is_match(topic)), "{topic}");
        }
        for topic in [
            "sink.data",
            "sinkxrefused",
            "a.dead-letters",
            "a.replayed",
            "sink.refused2",
        ] {
            assert!(!filter.has(topic), "{topic}");
            let patterns = filter.blacklist().unwrap();
            let mut patterns = patterns.split(',').map(|one| regex::Regex::new(one).unwrap());
            assert!(!patterns.any(|pattern| pattern.is_match(topic)), "{topic}");
        }
    }

    #[test]
    fn a_named_topic_is_read_unless_it_is_ones_own() {
        let named = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            LetterFilter::new(&Topics::Named(names), "g.dead-letter")
        };
        let other = named(&["a", "other.dead-letter"]).unwrap();
        assert!(!other.has("other.dead-letter"));
        assert_eq!(other.blacklist(), None);
        let error = named(&["a", "g.dead-letter"]).unwrap_err();
        assert!(
            error.to_string().starts_with("g.dead-letter is the topic"),
            "{error}"
        );
        assert!(named(&["g.dead-letter.replayed"]).is_err());
    }

    #[test]
    fn an_expression_that_is_ones_own_topic_is_refused() {
        for regex in ["^a\\.b$", "a.b", "^a.b$"] {
            assert!(matching(regex, "a.b").is_err(), "{regex}");
        }
        assert!(matching("^a", "a.b").is_ok());
    }
}
