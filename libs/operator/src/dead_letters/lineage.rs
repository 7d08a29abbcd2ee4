//! Which dead letters are of the same original. A message that is refused, replayed and refused again has a dead letter for
//! each refusal, but is replayed once.

use std::collections::HashMap;

use super::dead_letter::DeadLetter;

/// Where the dead letters that were read come from, by the dead letters' addresses.
#[derive(Debug, Default)]
pub(super) struct Lineage(HashMap<String, Origin>);

/// Where one dead letter comes from.
#[derive(Debug)]
enum Origin {
    /// Its original, `topic/partition/offset/time`.
    Original(String),
    /// The address of the dead letter that was replayed.
    Replay(String),
}

impl Lineage {
    /// Notes a dead letter and returns its address.
    pub(super) fn add(&mut self, letter: &DeadLetter) -> String {
        let address = letter.address();
        let origin = match (letter.replay_of(), &letter.origin) {
            (Some(replayed), _) => Origin::Replay(replayed.to_owned()),
            (None, Some(origin)) => {
                let time = letter.original_timestamp().map(|time| time.to_string());
                Origin::Original(format!(
                    "{}/{}/{}/{}",
                    origin.topic,
                    origin.partition,
                    origin.offset,
                    time.as_deref().unwrap_or("-")
                ))
            }
            // Its origin is unknown: it counts as an original of its own.
            (None, None) => Origin::Original(address.clone()),
        };
        self.0.insert(address.clone(), origin);
        address
    }

    /// The original of the dead letter at an address. The dead letter of a replay has the original of the one that was
    /// replayed, once that one was noted; where it has been deleted, its address stands for the original.
    pub(super) fn original<'l>(&'l self, address: &'l str) -> &'l str {
        let mut at = address;
        // A dead letter names one that was there before it; headers that form a circle are not followed for ever.
        for _ in 0..=self.0.len() {
            match self.0.get(at) {
                Some(Origin::Replay(replayed)) => at = replayed,
                Some(Origin::Original(original)) => return original,
                None => return at,
            }
        }
        at
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
        // In any order: of several topics, each is read at its own pace.
        let letters = [
            letter(3, &replay("25", "g.dead-letter/0/2")),
            letter(0, &origin("22")),
            letter(1, &origin("23")),
            letter(2, &replay("24", "g.dead-letter/0/0")),
            letter(4, &replay("26", "gone.dead-letter/0/9")),
            letter(5, &[]),
            letter(6, &replay("27", "g.dead-letter/0/7")),
            letter(7, &replay("28", "g.dead-letter/0/6")),
        ];
        let addresses = letters.each_ref().map(|letter| lineage.add(letter));
        let originals = addresses.each_ref().map(|address| lineage.original(address));
        assert_eq!(
            originals[..6],
            [
                "T/1/22/-",
                "T/1/22/-",
                "T/1/23/-",
                "T/1/22/-",
                "gone.dead-letter/0/9",
                "g.dead-letter/0/5"
            ]
        );
    }
}
