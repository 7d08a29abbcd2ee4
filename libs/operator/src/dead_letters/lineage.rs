//! Which dead letters are of the same original. A message that is refused, replayed and refused again has a dead letter for
//! each refusal, but is replayed once.

use std::collections::HashMap;

use super::dead_letter::DeadLetter;

/// The originals of the dead letters that were read, by the dead letters' addresses.
#[derive(Debug, Default)]
pub(super) struct Lineage(HashMap<String, String>);

impl Lineage {
    /// The original of a dead letter, `topic/partition/offset/time`; to be called in the order in which they are read. The
    /// dead letter of a replay has the original of the one that was replayed. Where that one has been deleted, its address
    /// stands for the original.
    pub(super) fn original(&mut self, letter: &DeadLetter) -> String {
        let original = match (letter.replay_of(), &letter.origin) {
            (Some(address), _) => self.0.get(address).map_or(address, String::as_str).to_owned(),
            (None, Some(origin)) => {
                let time = letter.original_timestamp().map(|time| time.to_string());
                format!(
                    "{}/{}/{}/{}",
                    origin.topic,
                    origin.partition,
                    origin.offset,
                    time.as_deref().unwrap_or("-")
                )
            }
            // Its origin is unknown: it counts as an original of its own.
            (None, None) => letter.address(),
        };
        self.0.insert(letter.address(), original.clone());
        original
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::message::{Header, Message};

    fn letter(offset: i64, headers: &[(&str, &str)]) -> DeadLetter {
        let header = |(name, value): &(&str, &str)| -> Header {
            ((*name).to_owned(), Some(value.as_bytes().to_vec()))
        };
        DeadLetter::of(Message {
            topic: "g.dead-letter".to_owned(),
            offset,
            headers: Some(headers.iter().map(header).collect()),
            ..Message::default()
        })
    }

    #[test]
    fn replays_that_are_refused_again_are_of_the_first_original() {
        let mut lineage = Lineage::default();
        let origin = |offset| [("topic", "T"), ("partition", "1"), ("offset", offset)];
        let replay = |offset, from| [&origin(offset)[..], &[("original.replayed-from", from)]].concat();
        let first = lineage.original(&letter(0, &origin("22")));
        assert_eq!(first, "T/1/22/-");
        assert_eq!(lineage.original(&letter(1, &origin("23"))), "T/1/23/-");
        assert_eq!(
            lineage.original(&letter(2, &replay("24", "g.dead-letter/0/0"))),
            first
        );
        assert_eq!(
            lineage.original(&letter(3, &replay("25", "g.dead-letter/0/2"))),
            first
        );
        assert_eq!(
            lineage.original(&letter(4, &replay("26", "gone.dead-letter/0/9"))),
            "gone.dead-letter/0/9"
        );
        assert_eq!(lineage.original(&letter(5, &[])), "g.dead-letter/0/5");
    }
}
