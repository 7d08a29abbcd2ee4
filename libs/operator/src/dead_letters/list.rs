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
    let mut rows: BTreeMap<[String; 4], Row> = BTreeMap::new();
    let mut lineage = Lineage::default();
    for topic in selection.topics(cluster)? {
        let mut originals = HashSet::new();
        let replay_log = ReplayLog::read(cluster, &topic.name)?;
        selection.read(cluster, topic, report, |letter| {
            let names = [
                &topic.name,
                letter.header("stage"),
                letter.header("reason"),
                letter.topic(),
            ]
            .map(str::to_owned);
            let row = rows
                .entry(names.clone())
                .or_insert_with(|| Row::empty(names.clone()));
            let time = letter.message.timestamp;
            row.letters += 1;
            row.originals += u64::from(originals.insert((names, lineage.original(&letter))));
            row.replayed += u64::from(replay_log.has(&letter));
            row.refused_again += u64::from(letter.replay_of().is_some());
            row.first = row.first.into_iter().chain(time).min();
            row.last = row.last.max(time);
            Ok(())
        })?;
    }
    Ok(rows.into_values().collect())
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
