//! Queries on the ledger: what is outstanding, where to look for it, and what has waited too long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Due, Ledger, Origin, Stage};

/// The stages check every 10 s which topics they read, and the answer takes time.
const UNNOTICED_FOR: Duration = Duration::from_secs(20);

impl Ledger {
    /// Records a group's committed offsets: messages that carry nothing count as skipped.
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
        if by == Stage::Sink {
            self.settle_overwritten(positions);
        }
    }

    /// Messages that the sink has passed and that have no point, while another message with the same time has
    /// one: it took their place.
    fn settle_overwritten(&mut self, positions: &BTreeMap<(String, i32), i64>) {
        let is_passed = |record: &Origin| {
            let position = positions.get(&(record.topic.to_string(), record.partition));
            position.is_some_and(|position| *position > record.offset)
        };
        let open = self.open.iter().copied();
        let passed: Vec<usize> = open
            .filter(|number| {
                self.entries.get(*number).is_some_and(|entry| {
                    let key = entry
                        .sal
                        .map(|((line, _), time)| (line, time))
                        .unwrap_or_default();
                    let sharing = self.sharing.get(&key).into_iter().flatten();
                    let mut others = sharing.filter_map(|other| self.entries.get(*other));
                    entry.due == Due::Shares
                        && entry.record.as_ref().is_some_and(is_passed)
                        && others.any(|other| other.stored)
                })
            })
            .collect();
        for number in passed {
            if let Some(entry) = self.entries.get_mut(number) {
                entry.overwritten = true;
            }
            self.settle(number);
        }
    }

    /// Whether any of the first `upto` messages waits to be passed by a group.
    pub(crate) fn waits_for_a_commit(&self, upto: usize) -> bool {
        let mut open = self
            .open
            .range(..upto)
            .filter_map(|number| self.entries.get(*number));
        open.any(|entry| matches!(entry.due, Due::Skipped(_) | Due::Shares))
    }

    /// The times of expected points that were not seen yet, as spans in milliseconds (both ends included).
    /// Spans are short: one from a single lost message to the present would be too large for one query.
    pub(crate) fn spans(&self, upto: usize) -> Vec<(i64, i64)> {
        const LONGEST_MS: i64 = 10_000;
        let open = self
            .open
            .range(..upto)
            .filter_map(|number| self.entries.get(*number));
        let mut times: Vec<i64> = open
            .filter(|entry| matches!(entry.due, Due::Stored | Due::Shares))
            .filter_map(|entry| entry.sal.map(|(_, time)| time))
            .collect();
        times.sort_unstable();
        let mut spans: Vec<(i64, i64)> = Vec::new();
        for time in times {
            match spans.last_mut() {
                Some(span) if time - span.0 <= LONGEST_MS => span.1 = time,
                _ => spans.push((time, time)),
            }
        }
        spans
    }

    /// The messages without an outcome, as text.
    pub(crate) fn missing(&self, upto: usize) -> Vec<String> {
        let open = self
            .open
            .range(..upto)
            .filter_map(|number| self.entries.get(*number));
        open.map(|entry| {
            let at = |origin: &Option<Origin>, none: &str| {
                origin
                    .as_ref()
                    .map_or_else(|| none.to_owned(), ToString::to_string)
            };
            format!(
                "{:?} at {}, records {}, the last at {}, due {:?}",
                entry.sal,
                at(&entry.origin, "not acknowledged"),
                entry.records,
                at(&entry.record, "nowhere"),
                entry.due
            )
        })
        .collect()
    }

    /// Retention has deleted a topic's messages up to these offsets, of which the stage had read none from
    /// `since` on: nothing is expected any more of those without a later copy. Returns their number.
    pub(crate) fn taken(&mut self, by: Stage, gone: &BTreeMap<(String, i32), std::ops::Range<i64>>) -> u64 {
        let is_gone = |origin: &Origin| {
            let range = gone.get(&(origin.topic.to_string(), origin.partition));
            range.is_some_and(|range| range.contains(&origin.offset))
        };
        let numbers: Vec<usize> = self.open.iter().copied().collect();
        let mut messages = 0;
        for number in numbers {
            let Some(entry) = self.entries.get_mut(number) else {
                continue;
            };
            let place = match by {
                Stage::Transform => entry.origin.as_ref(),
                // A message without a record is in the topic itself.
                Stage::Sink => entry.record.as_ref().or(entry.origin.as_ref()),
            };
            if place.is_some_and(is_gone) {
                entry.taken = true;
                messages += entry.weight;
                self.settle(number);
            }
        }
        messages
    }

    /// The number of messages of these lines that were not seen yet in the topic that the stage reads.
    pub(crate) fn without_a_place(&self, read_by: Stage, lines: &[usize]) -> usize {
        let open = self.open.iter().filter_map(|number| self.entries.get(*number));
        let ours = open.filter(|entry| entry.sal.is_some_and(|((line, _), _)| lines.contains(&line)));
        ours.filter(|entry| match (read_by, entry.due) {
            (Stage::Transform, _) | (Stage::Sink, Due::Dead(Stage::Transform, _)) => entry.origin.is_none(),
            (Stage::Sink, _) => entry.record.is_none(),
        })
        .count()
    }

    /// A topic was deleted and recreated: its offsets start again at 0. Every message of the old one must
    /// have its outcome.
    pub(crate) fn topic_recreated(&mut self, topic: &str) {
        // Known while the old topic's offsets are: bytes of the harness that looked like a record.
        self.unnamed
            .retain(|(_, origin)| &*origin.topic != topic || !self.by_origin.contains_key(origin));
        self.by_origin.retain(|origin, _| &*origin.topic != topic);
        self.letter_origins.retain(|(_, origin)| &*origin.topic != topic);
    }

    /// Topics were recreated while a stage reads them.
    pub(crate) fn recreated_unnoticed(&mut self, lines: &[usize]) {
        let until = Instant::now() + UNNOTICED_FOR;
        self.unnoticed.extend(lines.iter().map(|line| (*line, until)));
    }

    /// Stops waiting for outcomes of the first `upto` messages; returns how many that are. Late outcomes are
    /// still recorded.
    pub(crate) fn give_up(&mut self, upto: usize) -> usize {
        let later = self.open.split_off(&upto);
        std::mem::replace(&mut self.open, later).len()
    }

    /// Where messages have waited for more than `limit` of undisturbed time: the stage that has not processed
    /// them, topic and partition, and the time.
    pub(crate) fn overdue(&self, limit: Duration) -> BTreeMap<(Stage, String), Duration> {
        let now = self.clock.total();
        let mut found = BTreeMap::new();
        for entry in self.open.iter().filter_map(|number| self.entries.get(*number)) {
            let waits = now.saturating_sub(entry.since);
            // Messages are recorded in chronological order.
            if waits <= limit {
                break;
            }
            let at = |origin: &Option<Origin>| {
                let origin = origin.as_ref();
                origin.map_or("not acknowledged".to_owned(), |origin| {
                    format!("{}[{}]", origin.topic, origin.partition)
                })
            };
            let place = match &entry.record {
                Some(_) => (Stage::Sink, at(&entry.record)),
                None => (entry.waits_for(), at(&entry.origin)),
            };
            found.entry(place).or_insert(waits);
        }
        found
    }
}
