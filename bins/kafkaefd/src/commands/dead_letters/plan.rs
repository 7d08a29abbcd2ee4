//! What is to be done with the letters of one dead-letter topic: each original goes back once, by its newest letter.

use std::collections::{BTreeMap, HashMap};

use super::dead_letter::{Letter, Place};
use super::lineage::Lineage;
use super::replay_log::Marks;

/// Letters of one origin, by what keeps them here.
pub(super) type Ways = BTreeMap<(String, Option<&'static str>), u64>;

/// The letters that are to go back, as they are read.
#[derive(Debug)]
pub(super) struct Planning {
    marks: Marks,
    again: bool,
    lineage: Lineage,
    originals: BTreeMap<String, Original>,
    passed_over: PassedOver,
}

/// What is known of one original.
#[derive(Debug, Default)]
struct Original {
    /// Its letters that could go back, the newest last.
    letters: Vec<(Place, String, Option<&'static str>)>,
    /// Letters of it that were replayed.
    replayed: u64,
    /// Letters of replays of it: they were refused again.
    refused_again: u64,
}

/// How many letters stay, and why.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct PassedOver {
    /// Those whose original was replayed before, those that were refused again among them.
    pub(super) replayed_before: u64,
    /// Of these, the letters of replays that were refused again.
    pub(super) refused_again: u64,
    /// Those of an original that goes back by a newer letter.
    pub(super) older: u64,
}

impl Planning {
    /// With `again`, of what was replayed before, too.
    pub(super) fn new(marks: Marks, again: bool) -> Self {
        Self {
            marks,
            again,
            lineage: Lineage::default(),
            originals: BTreeMap::new(),
            passed_over: PassedOver::default(),
        }
    }

    /// Takes note of a letter; `obstacle` is why it cannot go back.
    pub(super) fn note(&mut self, letter: &Letter, obstacle: Option<&'static str>) {
        let name = self.lineage.original(letter);
        let was_replayed = self.marks.has(letter) || self.marks.has_original(&name);
        let original = self.originals.entry(name).or_default();
        original.replayed += u64::from(was_replayed);
        original.refused_again += u64::from(letter.replay_of().is_some());
        original
            .letters
            .push((letter.place(), letter.topic().to_owned(), obstacle));
    }

    /// What goes back: the letters' places with their originals, the ways, and what is passed over.
    pub(super) fn end(mut self) -> (HashMap<Place, String>, Ways, PassedOver) {
        let (mut chosen, mut ways) = (HashMap::new(), Ways::new());
        for (name, original) in self.originals {
            let count = original.letters.len() as u64;
            if !self.again && (original.replayed > 0 || original.refused_again > 0) {
                self.passed_over.replayed_before += count;
                self.passed_over.refused_again += original.refused_again;
                continue;
            }
            let is_free = |letter: &&(Place, String, Option<&'static str>)| letter.2.is_none();
            let newest = original.letters.iter().rfind(is_free).or(original.letters.last());
            if let Some((place, topic, obstacle)) = newest {
                self.passed_over.older += count - 1;
                *ways.entry((topic.clone(), *obstacle)).or_default() += 1;
                if obstacle.is_none() {
                    chosen.insert(*place, name);
                }
            }
        }
        (chosen, ways, self.passed_over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::dead_letters::replay_log;
    use operator::messages::message::{Header, Message};

    fn letter(offset: i64, origin: &str, replay_of: Option<&str>) -> Letter {
        let header =
            |name: &str, value: &str| -> Header { (name.to_owned(), Some(value.as_bytes().to_vec())) };
        let mut headers = vec![
            header("topic", "T"),
            header("partition", "0"),
            header("offset", origin),
        ];
        headers.extend(replay_of.map(|address| header("original.replayed-from", address)));
        Letter::of(Message {
            topic: "g.dead-letter".to_owned(),
            offset,
            headers: Some(headers),
            ..Message::default()
        })
    }

    /// One that was replayed and refused twice, one that was written twice, and one that is new.
    fn planned(again: bool) -> (Vec<i64>, PassedOver) {
        let letters = [
            letter(0, "10", None),
            letter(1, "11", None),
            letter(2, "11", None),
            letter(3, "20", Some("g.dead-letter/0/0")),
            letter(4, "21", Some("g.dead-letter/0/3")),
            letter(5, "12", None),
        ];
        let mut marks = Marks::default();
        for (at, original) in [(0, "T/0/10/-"), (3, "T/0/10/-")] {
            let (key, value) = replay_log::of(&letters[at], original);
            marks.take(Some(key.as_bytes()), Some(value.as_bytes()));
        }
        let mut planning = Planning::new(marks, again);
        letters.iter().for_each(|letter| planning.note(letter, None));
        let (chosen, _, passed_over) = planning.end();
        let mut offsets: Vec<i64> = chosen.into_keys().map(|(_, offset)| offset).collect();
        offsets.sort_unstable();
        (offsets, passed_over)
    }

    #[test]
    fn what_was_replayed_and_refused_again_stays() {
        let (chosen, passed_over) = planned(false);
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
    fn again_puts_each_original_back_once() {
        let (chosen, passed_over) = planned(true);
        assert_eq!(chosen, [2, 4, 5]);
        assert_eq!((passed_over.replayed_before, passed_over.older), (0, 3));
    }
}
