//! The ledger: every message that was sent, what must become of it, and what did.
//!
//! A SAL message is known by its topic and sequence number, which it carries through every stage; anything else by its
//! origin (topic, partition, offset), which dead letters name. Each is due exactly one fate.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// A stage, as the owner of a consumer group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// saltransform.
    Transform,
    /// influxsink.
    Sink,
}

/// A stage and a reason that a dead letter may name.
pub(crate) type Why = (&'static str, &'static str);

/// What must become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// A point in the database.
    Stored,
    /// A dead letter of that stage, for one of these reasons.
    Dead(Stage, &'static [Why]),
    /// Nothing, as it carries nothing: the stage's group must pass it.
    Skipped(Stage),
}

/// Where a message is, or was, in Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// A SAL message's name: its topic, by number, and its sequence number.
pub(crate) type Name = (usize, i64);

/// One message.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The window that it was sent in.
    pub(crate) window: usize,
    /// Its topic, its sequence number and its time in milliseconds; none for what is no SAL message.
    pub(crate) sal: Option<(Name, i64)>,
    pub(crate) due: Due,
    /// Once the broker has it.
    pub(crate) origin: Option<Origin>,
    pub(crate) stored: bool,
    pub(crate) skipped: bool,
    /// Dead letters with the right reason, by distinct origins.
    pub(crate) letters: u32,
    /// Fates that it must not have: a point and a letter, a letter for a wrong reason, a second point.
    pub(crate) wrong: u32,
    /// How often it is in the output topics.
    pub(crate) records: u32,
}

/// A dead letter, as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) by: Stage,
    pub(crate) origin: Origin,
    pub(crate) stage: String,
    pub(crate) reason: String,
    pub(crate) detail: String,
    /// The message's name, where the payload is a record.
    pub(crate) name: Option<Name>,
}

/// All messages of a run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<Entry>,
    by_name: HashMap<Name, usize>,
    by_origin: HashMap<Origin, usize>,
    /// Entries without their fate.
    open: BTreeSet<usize>,
    window: usize,
    /// Dead letters whose message the broker has not acknowledged yet.
    early: Vec<Letter>,
    /// Records of no message that was sent through saltransform.
    unnamed: Vec<(Name, Origin)>,
    letter_origins: HashSet<(Stage, Origin)>,
    /// Dead letters beyond the first of an origin: what at-least-once allows.
    pub(crate) repeated_letters: u64,
    strays: BTreeSet<(usize, i64, i64)>,
    complaints: Vec<String>,
    /// Complaints beyond those that are kept in words.
    unsaid: usize,
}

/// More complaints than this say nothing new.
const MOST_COMPLAINTS: usize = 100;

/// A ledger that traffic, readers and checks share.
pub(crate) type SharedLedger = Arc<Mutex<Ledger>>;

impl Ledger {
    /// Notes, in words, something that must not be.
    pub(crate) fn complain(&mut self, what: String) {
        if self.complaints.len() < MOST_COMPLAINTS {
            self.complaints.push(what);
        } else {
            self.unsaid += 1;
        }
    }

    /// The complaints, and how many more there were.
    pub(crate) fn complaints(&self) -> (&[String], usize) {
        (&self.complaints, self.unsaid)
    }

    /// Notes a message before it is sent; answers its number.
    pub(crate) fn begin(&mut self, sal: Option<(Name, i64)>, due: Due) -> usize {
        let number = self.entries.len();
        self.entries.push(Entry {
            window: self.window,
            sal,
            due,
            origin: None,
            stored: false,
            skipped: false,
            letters: 0,
            wrong: 0,
            records: 0,
        });
        if let Some((name, _)) = sal {
            self.by_name.insert(name, number);
        }
        self.open.insert(number);
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
    }

    /// Notes a point that is in the database. The same point may be noted again and again.
    pub(crate) fn point(&mut self, name: Name, time_ms: i64) {
        let found = self.by_name.get(&name).copied();
        let entry = found.and_then(|number| self.entries.get_mut(number));
        match (found, entry) {
            (Some(number), Some(entry)) if entry.sal == Some((name, time_ms)) => {
                if !entry.stored {
                    entry.stored = true;
                    let due = entry.due;
                    if due != Due::Stored {
                        entry.wrong += 1;
                        self.complain(format!("{name:?} is in the database, due is {due:?}"));
                    }
                    self.settle(number);
                }
            }
            (_, entry) => {
                if self.strays.insert((name.0, name.1, time_ms)) {
                    if let Some(entry) = entry {
                        entry.wrong += 1;
                    }
                    self.complain(format!("a point that nobody sent: {name:?} at {time_ms} ms"));
                }
            }
        }
    }

    /// Notes a record in an output topic.
    pub(crate) fn record(&mut self, name: Name, origin: Origin) {
        match self
            .by_name
            .get(&name)
            .and_then(|number| self.entries.get_mut(*number))
        {
            Some(entry) => entry.records += 1,
            None => self.unnamed.push((name, origin)),
        }
    }

    /// At the end: complains of records and dead letters that belong to no message. Bytes that the harness itself put into an
    /// output topic may look like a record.
    pub(crate) fn complain_of_strangers(&mut self) {
        self.place_early();
        for letter in std::mem::take(&mut self.early) {
            self.complain(format!("a dead letter of a message that nobody sent: {letter:?}"));
        }
        for (name, origin) in std::mem::take(&mut self.unnamed) {
            if !self.by_origin.contains_key(&origin) {
                self.complain(format!("a record that nobody sent: {name:?} at {origin}"));
            }
        }
    }

    /// Notes a dead letter.
    pub(crate) fn letter(&mut self, letter: Letter) {
        if !self.letter_origins.insert((letter.by, letter.origin.clone())) {
            self.repeated_letters += 1;
            return;
        }
        self.place(letter);
    }

    fn place(&mut self, letter: Letter) {
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
            self.settle(number);
        } else {
            entry.wrong += 1;
            let due = entry.due;
            self.complain(format!(
                "dead letter of {:?} {} ({}/{}: {}), due is {due:?}",
                letter.by, letter.origin, letter.stage, letter.reason, letter.detail
            ));
        }
    }

    /// Tries again to place dead letters that came before the broker's acknowledgement of their message.
    pub(crate) fn place_early(&mut self) {
        for letter in std::mem::take(&mut self.early) {
            self.place(letter);
        }
    }

    /// Notes how far a group has committed: messages that carry nothing are passed.
    pub(crate) fn committed(&mut self, by: Stage, positions: &BTreeMap<(String, i32), i64>) {
        let passed: Vec<usize> = self
            .open
            .iter()
            .copied()
            .filter(|number| {
                let Some(entry) = self.entries.get(*number) else {
                    return false;
                };
                let position = entry
                    .origin
                    .as_ref()
                    .and_then(|origin| positions.get(&(origin.topic.to_string(), origin.partition)));
                entry.due == Due::Skipped(by) && position > entry.origin.as_ref().map(|origin| &origin.offset)
            })
            .collect();
        for number in passed {
            if let Some(entry) = self.entries.get_mut(number) {
                entry.skipped = true;
            }
            self.settle(number);
        }
    }

    fn settle(&mut self, number: usize) {
        self.open.remove(&number);
    }

    /// How many of the first `upto` messages have no fate yet.
    pub(crate) fn outstanding(&self, upto: usize) -> usize {
        self.open.range(..upto).count()
    }

    /// Whether any of the first `upto` messages waits to be passed by a group.
    pub(crate) fn waits_for_a_commit(&self, upto: usize) -> bool {
        let mut open = self
            .open
            .range(..upto)
            .filter_map(|number| self.entries.get(*number));
        open.any(|entry| matches!(entry.due, Due::Skipped(_)))
    }

    /// The times of points that are due and not seen yet, as few spans in milliseconds (both ends included).
    pub(crate) fn spans(&self, upto: usize) -> Vec<(i64, i64)> {
        const GAP_MS: i64 = 60_000;
        let open = self
            .open
            .range(..upto)
            .filter_map(|number| self.entries.get(*number));
        let mut times: Vec<i64> = open
            .filter(|entry| entry.due == Due::Stored)
            .filter_map(|entry| entry.sal.map(|(_, time)| time))
            .collect();
        times.sort_unstable();
        let mut spans: Vec<(i64, i64)> = Vec::new();
        for time in times {
            match spans.last_mut() {
                Some(span) if time - span.1 <= GAP_MS => span.1 = time,
                _ => spans.push((time, time)),
            }
        }
        spans
    }

    /// The first few messages without a fate, in words.
    pub(crate) fn examples(&self, upto: usize) -> Vec<String> {
        let open = self
            .open
            .range(..upto)
            .filter_map(|number| self.entries.get(*number));
        open.take(5)
            .map(|entry| {
                let origin = entry
                    .origin
                    .as_ref()
                    .map_or("not acknowledged".to_owned(), ToString::to_string);
                format!(
                    "{:?} at {origin}, records {}, due {:?}",
                    entry.sal, entry.records, entry.due
                )
            })
            .collect()
    }

    /// Messages sent so far.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}
