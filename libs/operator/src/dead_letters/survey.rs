//! What a page of dead letters shows, from one reading: how many there are by reason and origin, and the newest. Of a topic
//! with very many, only the last are read.

use super::list::{Counts, Row, is_replayed};
use super::newest::{Last, Newest};
use super::replay_log::ReplayLog;
use super::selection::Selection;
use crate::cluster::Cluster;
use crate::failure::Failure;

/// What was found in the dead letters that were read.
#[derive(Debug, Default)]
pub struct Survey {
    /// By reason and origin.
    pub rows: Vec<Row>,
    /// The newest of each topic.
    pub newest: Newest,
    /// How many dead letters were read.
    pub read: u64,
    /// How many there are.
    pub held: u64,
}

/// Counts the selected dead letters and keeps the newest `count` of each topic, of `max_bytes` in all. With `most`, only about
/// so many of each partition are read, the last.
pub fn survey(
    cluster: &Cluster,
    selection: &Selection,
    count: usize,
    max_bytes: usize,
    most: Option<i64>,
) -> Result<Survey, Failure> {
    let topics = selection.topics(cluster)?;
    let names = || topics.iter().map(|topic| topic.name.as_str());
    let replay_logs = ReplayLog::read_all(cluster, names())?;
    let (mut counts, mut last) = (Counts::default(), Last::new(count, max_bytes));
    let range = selection.read_last(cluster, &topics, most, &|_| (), |letter| {
        let is_replayed = is_replayed(&replay_logs, &letter);
        counts.add(&letter, is_replayed);
        last.add(letter, is_replayed);
        Ok(())
    })?;
    Ok(Survey {
        rows: counts.finish(),
        newest: last.finish(),
        read: range.read,
        held: range.held,
    })
}
