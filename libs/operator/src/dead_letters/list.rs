//! How many dead letters there are, by reason and origin.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::dead_letter::DeadLetter;
use super::lineage::Lineage;
use super::replay_log::ReplayLog;
use super::selection::Selection;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::progress::Progress;

/// The dead letters of one topic that have step, reason and topic of origin in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Where they are.
    pub dead_letter_topic: String,
    /// The step that refused their originals.
    pub stage: String,
    /// Why it did.
    pub reason: String,
    /// Where their originals were read; `-` if that is unknown.
    pub topic: String,
    /// How many there are.
    pub letters: u64,
    /// How many messages they are of: one that was replayed and refused again has several dead letters.
    pub originals: u64,
    /// How many of them were replayed.
    pub replayed: u64,
    /// How many of them are of replays, which were refused again.
    pub refused_again: u64,
    /// Timestamp of the earliest, in milliseconds since 1970.
    pub first: Option<i64>,
    /// Timestamp of the latest, in milliseconds since 1970.
    pub last: Option<i64>,
}

/// Counts dead letters.
pub fn list(
    cluster: &Cluster,
    selection: &Selection,
    report: &dyn Fn(Progress),
) -> Result<Vec<Row>, Failure> {
    let topics = selection.topics(cluster)?;
    let replay_logs = ReplayLog::read_all(cluster, topics.iter().map(|topic| topic.name.as_str()))?;
    let mut counts = Counts::default();
    selection.read(cluster, &topics, report, |letter| {
        counts.add(&letter, is_replayed(&replay_logs, &letter));
        Ok(())
    })?;
    Ok(counts.finish())
}

/// Whether a dead letter was replayed, by the replay logs of all topics.
pub(super) fn is_replayed(replay_logs: &HashMap<String, ReplayLog>, letter: &DeadLetter) -> bool {
    let replay_log = replay_logs.get(&letter.message.topic);
    replay_log.is_some_and(|replay_log| replay_log.has(letter))
}

/// The counts of the dead letters that were added.
#[derive(Default)]
pub(super) struct Counts {
    rows: BTreeMap<[String; 4], Counted>,
    lineage: Lineage,
}

impl Counts {
    pub(super) fn add(&mut self, letter: &DeadLetter, is_replayed: bool) {
        let names = [
            letter.message.topic.as_str(),
            letter.header("stage"),
            letter.header("reason"),
            letter.topic(),
        ]
        .map(str::to_owned);
        let counted = self.rows.entry(names.clone());
        let Counted { row, addresses } = counted.or_insert_with(|| Counted::empty(names));
        let time = letter.message.timestamp;
        row.letters += 1;
        row.replayed += u64::from(is_replayed);
        row.refused_again += u64::from(letter.replay_of().is_some());
        row.first = row.first.into_iter().chain(time).min();
        row.last = row.last.max(time);
        addresses.push(self.lineage.add(letter));
    }

    pub(super) fn finish(self) -> Vec<Row> {
        let counted = self.rows.into_values();
        counted.map(|counted| counted.finish(&self.lineage)).collect()
    }
}

/// A row, and the addresses of its dead letters, whose originals are known once all are read.
struct Counted {
    row: Row,
    addresses: Vec<String>,
}

impl Counted {
    fn empty(names: [String; 4]) -> Self {
        Self {
            row: Row::empty(names),
            addresses: Vec::new(),
        }
    }

    fn finish(mut self, lineage: &Lineage) -> Row {
        let originals: HashSet<&str> = self
            .addresses
            .iter()
            .map(|address| lineage.original(address))
            .collect();
        self.row.originals = originals.len() as u64;
        self.row
    }
}

impl Row {
    fn empty([dead_letter_topic, stage, reason, topic]: [String; 4]) -> Self {
        Self {
            dead_letter_topic,
            stage,
            reason,
            topic,
            letters: 0,
            originals: 0,
            replayed: 0,
            refused_again: 0,
            first: None,
            last: None,
        }
    }
}
