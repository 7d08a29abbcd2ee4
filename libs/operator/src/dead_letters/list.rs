//! How many dead letters there are, by reason and origin.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

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
    let mut rows: BTreeMap<[String; 4], Counted> = BTreeMap::new();
    let mut lineage = Lineage::default();
    selection.read(cluster, &topics, report, |letter| {
        let names = [
            letter.message.topic.as_str(),
            letter.header("stage"),
            letter.header("reason"),
            letter.topic(),
        ]
        .map(str::to_owned);
        let is_replayed = replay_logs
            .get(&letter.message.topic)
            .is_some_and(|replay_log| replay_log.has(&letter));
        let Counted { row, addresses } = rows.entry(names.clone()).or_insert_with(|| Counted::empty(names));
        let time = letter.message.timestamp;
        row.letters += 1;
        row.replayed += u64::from(is_replayed);
        row.refused_again += u64::from(letter.replay_of().is_some());
        row.first = row.first.into_iter().chain(time).min();
        row.last = row.last.max(time);
        addresses.push(lineage.add(&letter));
        Ok(())
    })?;
    Ok(rows
        .into_values()
        .map(|counted| counted.finish(&lineage))
        .collect())
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
