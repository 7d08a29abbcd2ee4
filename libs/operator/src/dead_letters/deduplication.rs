//! Chooses what is replayed of one dead-letter topic: each original once, by its newest dead letter.

use std::collections::{BTreeMap, HashMap};

use super::dead_letter::{DeadLetter, Place};
use super::lineage::Lineage;
use super::replay_log::ReplayLog;

/// The dead letters of one topic, added as they are read.
#[derive(Debug)]
pub(super) struct Deduplication {
    replay_log: ReplayLog,
    again: bool,
    lineage: Lineage,
    originals: BTreeMap<String, Original>,
}

/// What is known of one original.
#[derive(Debug, Default)]
struct Original {
    /// Its dead letters, the newest last: place, topic of origin, and why it cannot be replayed.
    dead_letters: Vec<(Place, String, Option<&'static str>)>,
    /// How many of them were replayed.
    replayed: u64,
    /// How many of them are of replays, which were refused again.
    refused_again: u64,
}

/// What is replayed, and what is not.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The dead letters to replay, each with its original.
    pub(super) chosen: HashMap<Place, String>,
    /// How many originals there are by topic of origin and by what keeps them from being replayed.
    pub(super) routes: BTreeMap<(String, Option<&'static str>), u64>,
    pub(super) passed_over: PassedOver,
}

/// How many dead letters are passed over, and why.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct PassedOver {
    /// Their original was replayed before; includes `refused_again`.
    pub(super) replayed_before: u64,
    /// They are of replays, which were refused again.
    pub(super) refused_again: u64,
    /// Their original is replayed by a newer dead letter.
    pub(super) older: u64,
}

impl Deduplication {
    /// With `again`, originals that were replayed before are chosen as well.
    pub(super) fn new(replay_log: ReplayLog, again: bool) -> Self {
        Self {
            replay_log,
            again,
            lineage: Lineage::default(),
            originals: BTreeMap::new(),
        }
    }

    /// Adds a dead letter; `obstacle` is why it cannot be replayed.
    pub(super) fn add(&mut self, letter: &DeadLetter, obstacle: Option<&'static str>) {
        let address = self.lineage.add(letter);
        let name = self.lineage.original(&address).to_owned();
        let was_replayed = self.replay_log.has(letter) || self.replay_log.has_original(&name);
        let original = self.originals.entry(name).or_default();
        original.replayed += u64::from(was_replayed);
        original.refused_again += u64::from(letter.replay_of().is_some());
        original
            .dead_letters
            .push((letter.place(), letter.topic().to_owned(), obstacle));
    }

    /// Chooses among the dead letters that were added.
    pub(super) fn finish(self) -> Choice {
        let mut choice = Choice::default();
        for (name, original) in self.originals {
            let count = original.dead_letters.len() as u64;
            if !self.again && (original.replayed > 0 || original.refused_again > 0) {
                choice.passed_over.replayed_before += count;
                choice.passed_over.refused_again += original.refused_again;
                continue;
            }
            let is_free = |letter: &&(Place, String, Option<&'static str>)| letter.2.is_none();
            let dead_letters = &original.dead_letters;
            let newest = dead_letters.iter().rfind(is_free).or(dead_letters.last());
            if let Some((place, topic, obstacle)) = newest {
                choice.passed_over.older += count - 1;
                *choice.routes.entry((topic.clone(), *obstacle)).or_default() += 1;
                if obstacle.is_none() {
                    choice.chosen.insert(*place, name);
                }
            }
        }
        choice
    }
}

#[cfg(test)]
mod tests {
    use super::super::replay_log::entry;
    use super::*;
    use crate::messages::message::{Header, Message};

    fn letter(offset: i64, origin: &str, replay_of: Option<&str>) -> DeadLetter {
        let header =
            |name: &str, value: &str| -> Header { (name.to_owned(), Some(value.as_bytes().to_vec())) };
        let mut headers = vec![
            header("topic", "T"),
            header("partition", "0"),
            header("offset", origin),
        ];
        headers.extend(replay_of.map(|address| header("original.replayed-from", address)));
        DeadLetter::of(Message {
            topic: "g.dead-letter".to_owned(),
            offset,
            headers: Some(headers),
            ..Message::default()
        })
    }

    /// One that was replayed and refused twice, one that was written twice, and one that is new.
    fn chosen(again: bool) -> (Vec<i64>, PassedOver) {
        let letters = [
            letter(0, "10", None),
            letter(1, "11", None),
            letter(2, "11", None),
            letter(3, "20", Some("g.dead-letter/0/0")),
            letter(4, "21", Some("g.dead-letter/0/3")),
            letter(5, "12", None),
        ];
        let mut replay_log = ReplayLog::default();
        for (at, original) in [(0, "T/0/10/-"), (3, "T/0/10/-")] {
            let (key, value) = entry(&letters[at], original);
            replay_log.take(Some(key.as_bytes()), Some(value.as_bytes()));
        }
        let mut deduplication = Deduplication::new(replay_log, again);
        letters.iter().for_each(|letter| deduplication.add(letter, None));
        let choice = deduplication.finish();
        let mut offsets: Vec<i64> = choice.chosen.into_keys().map(|(_, offset)| offset).collect();
        offsets.sort_unstable();
        (offsets, choice.passed_over)
    }

    #[test]
    fn what_was_replayed_and_refused_again_is_passed_over() {
        let (chosen, passed_over) = chosen(false);
        assert_eq!(chosen, [2, 5]);
        assert_eq!(
            passed_over,
            PassedOver {
                replayed_before: 3,
                refused_again: 2,
                older: 1
            }
        );
    }

    #[test]
    fn again_replays_each_original_once() {
        let (chosen, passed_over) = chosen(true);
        assert_eq!(chosen, [2, 4, 5]);
        assert_eq!((passed_over.replayed_before, passed_over.older), (0, 3));
    }
}
