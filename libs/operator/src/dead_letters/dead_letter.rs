//! A dead letter as its headers describe it; [`stage::dead_letter`] defines them.

use serde::Serialize;
use stage::dead_letter::{OMITTED_HEADERS, OMITTED_KEY, OMITTED_VALUE, ORIGINAL, REPLAYED_FROM};

use crate::messages::message::{Header, Message};

/// A message of a dead-letter topic.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// As it lies in the dead-letter topic.
    pub message: Message,
    /// None if the headers cannot be read: its origin is unknown.
    pub origin: Option<Origin>,
    /// What did not fit into the dead-letter topic; none if all of it did.
    pub omitted: Option<Omitted>,
    /// The original's own headers, where they had to be read from its origin.
    found_headers: Option<Vec<Header>>,
}

/// The lengths, in bytes, of what a dead letter had to leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Omitted {
    /// The original's value.
    pub value: Option<usize>,
    /// The original's key.
    pub key: Option<usize>,
    /// All headers of the original together.
    pub headers: Option<usize>,
}

/// Where the original of a dead letter was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The topic that the stage consumed.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The offset in it.
    pub offset: i64,
}

/// Partition and offset in the dead-letter topic.
pub(super) type Place = (i32, i64);

impl DeadLetter {
    /// Reads the headers of a message of a dead-letter topic.
    pub fn of(message: Message) -> Self {
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

    /// `topic/partition/offset` in the dead-letter topic, as the header of its replay names it.
    pub fn address(&self) -> String {
        let (partition, offset) = self.place();
        format!("{}/{partition}/{offset}", self.message.topic)
    }

    /// The text of a header, such as `stage`, `reason`, `detail` and `group`; `-` if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.message.header_text(name).unwrap_or("-")
    }

    /// The topic of its origin; `-` if that is unknown.
    pub fn topic(&self) -> &str {
        self.origin.as_ref().map_or("-", |origin| origin.topic.as_str())
    }

    /// When the original was written, in milliseconds since 1970.
    pub fn original_timestamp(&self) -> Option<i64> {
        self.message.header_text("timestamp")?.parse().ok()
    }

    /// The address of the dead letter that its original was replayed from. If there is one, the replay was refused again.
    pub fn replay_of(&self) -> Option<&str> {
        self.message.header_text(&format!("{ORIGINAL}{REPLAYED_FROM}"))
    }

    /// Adds what was omitted, from the message at its origin; why that is another message, if it is.
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
            return Err("another message is at its origin: the topic was recreated");
        }
        (self.message.value, self.message.key) = (found.value, found.key);
        self.found_headers = Some(found.headers.unwrap_or_default());
        Ok(self)
    }

    /// The original's own headers.
    pub fn original_headers(&self) -> Vec<Header> {
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

    /// The headers of its replay: the original's own and `replayed-from`, which replaces that of an earlier replay.
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
    fn a_dead_letter_knows_its_origin_and_its_original_headers() {
        let mut headers: Vec<Header> = [
            ("topic", "T"),
            ("partition", "1"),
            ("offset", "22"),
            ("stage", "parse"),
        ]
        .map(|(name, value)| header(name, value))
        .to_vec();
        // The original had a header named like one of ours, and was a replay itself.
        headers.extend([
            header("original.topic", "mine"),
            header("original.original.x", "y"),
            header("original.replayed-from", "old/0/0"),
        ]);
        let letter = DeadLetter::of(Message {
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
        assert_eq!((letter.header("stage"), letter.header("reason")), ("parse", "-"));
        assert_eq!(
            letter.replay_headers(),
            [
                header("topic", "mine"),
                header("original.x", "y"),
                header("replayed-from", "g.dead-letter/0/3")
            ]
        );
        assert!(DeadLetter::of(Message::default()).origin.is_none());
    }
}
