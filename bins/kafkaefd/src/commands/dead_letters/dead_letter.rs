//! A dead letter, read by its headers: see [`stage::dead_letter`] for what they hold.

use serde::Serialize;
use stage::dead_letter::{OMITTED_HEADERS, OMITTED_KEY, OMITTED_VALUE, ORIGINAL, REPLAYED_FROM};

use operator::messages::message::{Header, Message};

/// A message of a dead-letter topic.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) message: Message,
    /// None where the headers cannot be read: nobody can tell where it came from.
    pub(super) origin: Option<Origin>,
    /// What the dead-letter topic did not take, if it did not take all.
    pub(super) omitted: Option<Omitted>,
    /// The original's own headers, where they had to be read from its origin.
    found_headers: Option<Vec<Header>>,
}

/// The lengths of what a letter had to leave out, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Omitted {
    pub(super) value: Option<usize>,
    pub(super) key: Option<usize>,
    pub(super) headers: Option<usize>,
}

/// Where a letter came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// A letter's place in its dead-letter topic.
pub(super) type Place = (i32, i64);

impl Letter {
    pub(super) fn of(message: Message) -> Self {
        let number = |name| message.header_text(name)?.parse::<i64>().ok();
        let origin = || {
            Some(Origin {
                topic: message.header_text("topic")?.to_owned(),
                partition: number("partition")?.try_into().ok()?,
                offset: number("offset")?,
            })
        };
        let length = |name| message.header_text(name)?.parse().ok();
        let omitted = Omitted {
            value: length(OMITTED_VALUE),
            key: length(OMITTED_KEY),
            headers: length(OMITTED_HEADERS),
        };
        Self {
            origin: origin(),
            omitted: (omitted != Omitted::default()).then_some(omitted),
            found_headers: None,
            message,
        }
    }

    pub(super) fn place(&self) -> Place {
        (self.message.partition, self.message.offset)
    }

    /// Where it lies, as the header of its replay names it.
    pub(super) fn address(&self) -> String {
        let (partition, offset) = self.place();
        format!("{}/{partition}/{offset}", self.message.topic)
    }

    /// A header's text: `stage`, `reason`, `detail`, `group`; `-` if it is missing.
    pub(super) fn said(&self, name: &str) -> &str {
        self.message.header_text(name).unwrap_or("-")
    }

    /// The topic that it came from; `-` if nobody can tell.
    pub(super) fn topic(&self) -> &str {
        self.origin.as_ref().map_or("-", |origin| origin.topic.as_str())
    }

    /// When the original was written, in milliseconds since 1970.
    pub(super) fn original_timestamp(&self) -> Option<i64> {
        self.message.header_text("timestamp")?.parse().ok()
    }

    /// The letter that its message was replayed from, if it was: it was refused again.
    pub(super) fn replay_of(&self) -> Option<&str> {
        self.message.header_text(&format!("{ORIGINAL}{REPLAYED_FROM}"))
    }

    /// The letter with what it lacks from the message at its origin; why that is not its message, if it is not.
    pub(super) fn completed(mut self, found: Message) -> Result<Self, &'static str> {
        let Some(omitted) = self.omitted.take() else {
            return Ok(self);
        };
        let is = |length: Option<usize>, found: &Option<Vec<u8>>| {
            length.is_none_or(|length| found.as_ref().map(Vec::len) == Some(length))
        };
        let is_same = self.original_timestamp() == found.timestamp
            && is(omitted.value, &found.value)
            && is(omitted.key, &found.key)
            && (omitted.value.is_some() || found.value == self.message.value)
            && (omitted.key.is_some() || found.key == self.message.key);
        if !is_same {
            return Err("another message is at its origin: the topic was made anew");
        }
        (self.message.value, self.message.key) = (found.value, found.key);
        self.found_headers = Some(found.headers.unwrap_or_default());
        Ok(self)
    }

    /// The original's own headers.
    pub(super) fn original_headers(&self) -> Vec<Header> {
        if let Some(found) = &self.found_headers {
            return found.clone();
        }
        let headers = self.message.headers.iter().flatten();
        headers
            .filter_map(|(name, value)| {
                let name = name.strip_prefix(ORIGINAL)?;
                Some((name.to_owned(), value.clone()))
            })
            .collect()
    }

    /// The headers of its replay: the original's own, and where the replay comes from. An earlier replay's is replaced.
    pub(super) fn replay_headers(&self) -> Vec<Header> {
        let mut headers = self.original_headers();
        headers.retain(|(name, _)| name != REPLAYED_FROM);
        headers.push((REPLAYED_FROM.to_owned(), Some(self.address().into_bytes())));
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        (name.to_owned(), Some(value.as_bytes().to_vec()))
    }

    #[test]
    fn a_letter_knows_where_it_came_from_and_what_it_was() {
        let mut headers: Vec<Header> = [
            ("topic", "T"),
            ("partition", "1"),
            ("offset", "22"),
            ("stage", "parse"),
        ]
        .map(|(name, value)| header(name, value))
        .to_vec();
        // The original had a header of a name that ours have, too, and was a replay itself.
        headers.extend([
            header("original.topic", "mine"),
            header("original.original.x", "y"),
            header("original.replayed-from", "old/0/0"),
        ]);
        let letter = Letter::of(Message {
            topic: "g.dead-letter".to_owned(),
            partition: 0,
            offset: 3,
            headers: Some(headers),
            ..Message::default()
        });
        let origin = letter.origin.clone().unwrap();
        assert_eq!(
            (origin.topic.as_str(), origin.partition, origin.offset),
            ("T", 1, 22)
        );
        assert_eq!((letter.said("stage"), letter.said("reason")), ("parse", "-"));
        assert_eq!(
            letter.replay_headers(),
            [
                header("topic", "mine"),
                header("original.x", "y"),
                header("replayed-from", "g.dead-letter/0/3")
            ]
        );
        assert!(Letter::of(Message::default()).origin.is_none());
    }
}
