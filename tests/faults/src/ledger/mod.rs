//! The ledger: every message that was sent, its expected outcome, and its actual one.
//!
//! A SAL message is identified by its topic and sequence number, which it keeps through every stage; anything
//! else by its origin (topic, partition, offset), which dead letters record. Each has exactly one expected
//! outcome.

mod entry;
mod outcomes;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

pub(crate) use self::entry::{DeadLetter, Due, Entry, Name, Origin, Stage, Why};
use crate::undisturbed::Undisturbed;

/// All messages of a run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<Entry>,
    by_name: HashMap<Name, usize>,
    by_origin: HashMap<Origin, usize>,
    /// The messages of a topic that share a millisecond.
    sharing: HashMap<(usize, i64), Vec<usize>>,
    /// Entries without an outcome.
    open: BTreeSet<usize>,
    window: usize,
    /// Dead letters whose message the broker has not acknowledged yet.
    early: Vec<DeadLetter>,
    /// Records that belong to no message sent through saltransform.
    unnamed: Vec<(Name, Origin)>,
    letter_origins: HashSet<(Stage, Origin)>,
    /// Dead letters beyond the first of an origin, which at-least-once delivery allows.
    pub(crate) repeated_letters: u64,
    strays: BTreeSet<(usize, i64, i64)>,
    /// Time in which no fault explains that a message waits.
    pub(crate) clock: Undisturbed,
    /// Processes and partitions that were stuck, as text.
    stuck: Vec<String>,
    /// Topics, by index, that were recreated while they were read, and until when that may have gone
    /// unnoticed.
    unnoticed: HashMap<usize, Instant>,
    /// What was already reported in this window.
    reported: HashSet<String>,
    complaints: Vec<String>,
    /// The number of complaints beyond those kept as text.
    unsaid: usize,
}

/// Beyond this number, further complaints add nothing.
const MAX_COMPLAINTS: usize = 100;

/// A ledger shared by traffic, readers and checks.
pub(crate) type SharedLedger = Arc<Mutex<Ledger>>;

impl Ledger {
    /// Records something that must not happen.
    pub(crate) fn complain(&mut self, what: String) {
        if self.complaints.len() < MAX_COMPLAINTS {
            self.complaints.push(what);
        } else {
            self.unsaid += 1;
        }
    }

    /// Records a process or partition that is stuck for longer than its waits explain.
    pub(crate) fn note_stuck(&mut self, what: String) {
        self.stuck.push(what);
    }

    /// Whether this is reported for the first time in this window.
    pub(crate) fn is_news(&mut self, what: String) -> bool {
        self.reported.insert(what)
    }

    /// What was stuck so far.
    pub(crate) fn stuck(&self) -> &[String] {
        &self.stuck
    }

    /// The complaints, and the number of further ones.
    pub(crate) fn complaints(&self) -> (&[String], usize) {
        (&self.complaints, self.unsaid)
    }

    /// Records a message before it is sent; returns its number.
    pub(crate) fn begin(&mut self, sal: Option<(Name, i64)>, due: Due) -> usize {
        let number = self.entries.len();
        let may_repeat = sal.is_some_and(|((line, _), _)| {
            let until = self.unnoticed.get(&line);
            until.is_some_and(|until| *until > Instant::now())
        });
        self.entries.push(Entry {
            may_repeat,
            window: self.window,
            sal,
            due,
            origin: None,
            stored: false,
            skipped: false,
            letters: 0,
            wrong: 0,
            taken: false,
            records: 0,
            record: None,
            overwritten: false,
            length: None,
            weight: 1,
            since: self.clock.total(),
        });
        if let Some((name, time_ms)) = sal {
            self.by_name.insert(name, number);
            if due == Due::Shares {
                self.sharing.entry((name.0, time_ms)).or_default().push(number);
            }
        }
        self.open.insert(number);
        number
    }

    /// Like `begin`, for bytes that are not a SAL message: their dead letter must have the same length.
    pub(crate) fn begin_bytes(&mut self, length: usize, due: Due) -> usize {
        let number = self.begin(None, due);
        if let Some(entry) = self.entries.get_mut(number) {
            entry.length = Some(length);
        }
        number
    }

    /// Like `begin`, for a batch of messages of which only the last one's origin will be known.
    pub(crate) fn begin_batch(&mut self, weight: u64, due: Due) -> usize {
        let number = self.begin(None, due);
        if let Some(entry) = self.entries.get_mut(number) {
            entry.weight = weight;
        }
        number
    }

    /// The broker has acknowledged a message.
    pub(crate) fn acknowledge(&mut self, number: usize, origin: Origin) {
        self.by_origin.insert(origin.clone(), number);
        if let Some(entry) = self.entries.get_mut(number) {
            entry.origin = Some(origin);
        }
    }

    /// What is sent from now on belongs to this window.
    pub(crate) fn open_window(&mut self, window: usize) {
        self.window = window;
        self.reported.clear();
    }

    /// Records a point in the database. The same point may be recorded repeatedly.
    pub(crate) fn point(&mut self, name: Name, time_ms: i64) {
        let found = self.by_name.get(&name).copied();
        let entry = found.and_then(|number| self.entries.get_mut(number));
        match (found, entry) {
            (Some(number), Some(entry)) if entry.sal == Some((name, time_ms)) => {
                if !entry.stored {
                    entry.stored = true;
                    entry.overwritten = false;
                    let due = entry.due;
                    match due {
                        Due::Stored => {}
                        Due::Shares => self.overwrite(number, (name.0, time_ms)),
                        _ => {
                            entry.wrong += 1;
                            self.complain(format!("{name:?} is in the database, expected {due:?}"));
                        }
                    }
                    self.settle(number);
                }
            }
            (_, entry) => {
                if self.strays.insert((name.0, name.1, time_ms)) {
                    if let Some(entry) = entry {
                        entry.wrong += 1;
                    }
                    self.complain(format!("a point that was never sent: {name:?} at {time_ms} ms"));
                }
            }
        }
    }

    /// The database has one point per line and time: the previous point there no longer exists.
    fn overwrite(&mut self, by: usize, shared: (usize, i64)) {
        for other in self.sharing.get(&shared).into_iter().flatten() {
            if let Some(entry) = self
                .entries
                .get_mut(*other)
                .filter(|entry| *other != by && entry.stored)
            {
                entry.stored = false;
                entry.overwritten = true;
            }
        }
    }

    /// Records a record in an output topic.
    pub(crate) fn record(&mut self, name: Name, origin: Origin) {
        match self
            .by_name
            .get(&name)
            .and_then(|number| self.entries.get_mut(*number))
        {
            Some(entry) => {
                entry.records += 1;
                entry.record = Some(origin);
            }
            None => self.unnamed.push((name, origin)),
        }
    }

    /// At the end: complains about records and dead letters that belong to no message. Bytes that the harness
    /// itself put into an output topic may look like a record.
    pub(crate) fn complain_of_strangers(&mut self) {
        self.place_early();
        for letter in std::mem::take(&mut self.early) {
            self.complain(format!(
                "a dead letter of a message that was never sent: {letter:?}"
            ));
        }
        for (name, origin) in std::mem::take(&mut self.unnamed) {
            if !self.by_origin.contains_key(&origin) {
                self.complain(format!("a record that was never sent: {name:?} at {origin}"));
            }
        }
    }

    /// Records a dead letter.
    pub(crate) fn dead_letter(&mut self, letter: DeadLetter) {
        if !self.letter_origins.insert((letter.by, letter.origin.clone())) {
            self.repeated_letters += 1;
            return;
        }
        self.place(letter);
    }

    fn place(&mut self, letter: DeadLetter) {
        let by_name = || letter.name.and_then(|name| self.by_name.get(&name));
        let Some(&number) = self.by_origin.get(&letter.origin).or_else(by_name) else {
            self.early.push(letter);
            return;
        };
        let Some(entry) = self.entries.get_mut(number) else {
            return;
        };
        let is_right = matches!(entry.due, Due::Dead(by, whys) if by == letter.by
            && whys.contains(&(letter.stage.as_str(), letter.reason.as_str())));
        if is_right {
            entry.letters += 1;
            let length = entry.length;
            if length.is_some_and(|length| length != letter.length) {
                self.complain(format!(
                    "dead letter of {} with {} bytes, expected {length:?}",
                    letter.origin, letter.length
                ));
            }
            self.settle(number);
        } else {
            entry.wrong += 1;
            let due = entry.due;
            self.complain(format!(
                "dead letter of {:?} {} ({}/{}: {}), expected {due:?}",
                letter.by, letter.origin, letter.stage, letter.reason, letter.detail
            ));
        }
    }

    /// Tries again to match dead letters that arrived before the acknowledgement of their message.
    pub(crate) fn place_early(&mut self) {
        for letter in std::mem::take(&mut self.early) {
            self.place(letter);
        }
    }

    fn settle(&mut self, number: usize) {
        self.open.remove(&number);
    }

    /// How many of the first `upto` messages have no outcome yet.
    pub(crate) fn outstanding(&self, upto: usize) -> usize {
        self.open.range(..upto).count()
    }

    /// The number of messages sent so far.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
