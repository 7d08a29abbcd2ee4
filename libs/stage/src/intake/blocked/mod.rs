//! Partitions that are blocked because a batch in them cannot be decoded: its checksum is wrong, or it cannot be
//! decompressed (librdkafka decompresses zstd only up to `receive.message.max.bytes`). librdkafka fetches such a batch
//! again and again, and reports neither the partition nor the batch that its error is about.
//!
//! ```text
//!  statistics, errors, ─▶ Blocked ──suspect──▶ inspector ──▶ Probe reads the partition with a client of its own
//!  repeated messages                               │
//!  poll thread ◀──hold: paused, named by /ready────┤
//!              ◀──continue: after the batch with --skip-undecodable-batches, or in place once it can be read
//! ```
//!
//! There is another reason to hold the partition. After a wrong checksum, librdkafka (2.12.1,
//! `rd_kafka_msgset_reader_v2`) continues in the middle of the batch and may read any number as an offset; the
//! partition's position is then out of range and is reset to the beginning. Messages that arrive again after such an
//! error are therefore ignored.

mod inspector;
mod orders;
mod probe;
mod search;

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::statistics::Statistics;
use rdkafka::{Offset, TopicPartitionList};

use super::assignment::Assignments;
use super::partition::Partition;
use crate::lock;
use crate::metrics::KafkaMetrics;
use crate::service::Dependency;

pub(super) use inspector::Inspector;
pub(super) use orders::Orders;

/// The number of successive statistics (one every 5 s) in which a partition with unread messages does not advance
/// before it is suspected. One is enough while librdkafka reports errors of batches.
const MIN_LOOKS: u32 = 2;
/// How long no broker may answer the client about a partition before it is suspected of asking the wrong one. A client that
/// has just started may have thousands of partitions to ask about.
const UNANSWERED_AFTER: Duration = Duration::from_secs(20);
/// How long a position that was found readable is not inspected again.
const TRUST_DURATION: Duration = Duration::from_secs(60);
/// How long after an error a repeated message is attributed to it.
const ERROR_DURATION: Duration = Duration::from_secs(30);
/// The queue of suspects; others are suspected again later.
const MAX_SUSPECTS: usize = 64;
/// Partitions that `/ready` names.
const MAX_NAMED: usize = 3;

/// A topic and a partition number.
pub(super) type Key = (String, i32);

/// A partition that does not advance, and the offset from which it is read. `Invalid` stands for the committed offset
/// or the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suspect {
    pub(super) key: Key,
    pub(super) at: Offset,
    /// No broker has answered a fetch of it: if it is readable, this client asks the wrong one.
    pub(super) is_unanswered: bool,
}

/// A partition that is paused before a batch.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) at: Offset,
    /// The first offset that is not read.
    pub(super) from: i64,
    /// The batch's first offset.
    pub(super) batch: i64,
    pub(super) reason: String,
}

/// The state of the assigned partitions.
pub(super) struct Blocked {
    assigned: Mutex<Assigned>,
    suspects: Sender<Suspect>,
    suspected: Receiver<Suspect>,
    /// Whether all partitions are paused because downstream is slow: then none is expected to advance.
    all_paused: AtomicBool,
    dependency: Dependency,
    metrics: KafkaMetrics,
    /// Whether batches that cannot be decoded are skipped.
    pub(super) skips: bool,
}

#[derive(Default)]
struct Assigned {
    partitions: HashMap<Key, Watched>,
    held: BTreeMap<Key, Held>,
    /// Partitions that are not fetched, each with the offset at which messages wait.
    stalled: Vec<(Key, i64)>,
    erred: Option<Instant>,
}

/// An assigned partition.
struct Watched {
    /// Where it is read from until its first message arrives.
    start: Offset,
    seen_at: Offset,
    looks: u32,
    /// Since when it does not advance, at least.
    since: Instant,
    /// The position that was found readable or could not be inspected, and since when.
    trusted: Option<(Offset, Instant)>,
    /// Where another client could read it and this one did not.
    readable_at: Option<Offset>,
}

impl Blocked {
    pub(super) fn new(dependency: Dependency, metrics: KafkaMetrics, skips: bool) -> Self {
        let (suspects, suspected) = bounded(MAX_SUSPECTS);
        dependency.up();
        metrics.blocked.set(0);
        Self {
            assigned: Mutex::default(),
            suspects,
            suspected,
            all_paused: AtomicBool::new(false),
            dependency,
            metrics,
            skips,
        }
    }

    /// Partitions are read from these offsets now.
    pub(super) fn starts(&self, list: &TopicPartitionList) {
        let mut assigned = lock(&self.assigned);
        for element in list.elements() {
            let key = (element.topic().to_owned(), element.partition());
            assigned.held.remove(&key);
            assigned.partitions.insert(key, Watched::from(element.offset()));
        }
        self.show(&assigned);
    }

    /// Partitions are no longer assigned.
    pub(super) fn forget(&self, list: &TopicPartitionList) {
        let mut assigned = lock(&self.assigned);
        for key in list.to_topic_map().into_keys() {
            assigned.partitions.remove(&key);
            assigned.held.remove(&key);
        }
        self.show(&assigned);
    }

    /// These partitions are not fetched, and messages wait at these offsets.
    pub(super) fn stall(&self, stalled: Vec<(Key, i64)>) {
        let mut assigned = lock(&self.assigned);
        assigned.stalled = stalled;
        self.show(&assigned);
    }

    /// The partitions that are not fetched, as text, if there are any.
    pub(super) fn stalled(&self) -> Option<String> {
        let assigned = lock(&self.assigned);
        let names = assigned
            .stalled
            .iter()
            .map(|((topic, number), at)| format!("{topic}[{number}] at offset {at}"));
        joined(names, assigned.stalled.len())
    }

    /// All partitions are paused, or resumed.
    pub(super) fn pause_all(&self, paused: bool) {
        self.all_paused.store(paused, Ordering::Relaxed);
    }

    /// Whether there are assigned partitions that are not fetched.
    pub(super) fn holds_any(&self) -> bool {
        self.all_paused.load(Ordering::Relaxed) || !lock(&self.assigned).held.is_empty()
    }

    /// The partitions to resume with all others: those that are not held.
    pub(super) fn without_held(&self, list: &TopicPartitionList) -> TopicPartitionList {
        let held = &lock(&self.assigned).held;
        let mut others = TopicPartitionList::new();
        for element in list.elements() {
            let key = (element.topic().to_owned(), element.partition());
            if !held.contains_key(&key) {
                others.add_partition(&key.0, key.1);
            }
        }
        others
    }

    /// Whether an error of the consumer is about a batch; if so, it is remembered.
    pub(super) fn notes(&self, code: Option<RDKafkaErrorCode>) -> bool {
        let is_of_batch = code.is_some_and(is_of_batch);
        if is_of_batch {
            lock(&self.assigned).erred = Some(Instant::now());
        }
        is_of_batch
    }

    /// Whether a message at an offset before the expected one, `next`, arrived because of such an error. It was
    /// consumed before and is ignored.
    pub(super) fn is_thrown_back(&self, partition: &Partition, next: i64) -> bool {
        let mut assigned = lock(&self.assigned);
        if assigned.erred.is_none_or(|at| at.elapsed() >= ERROR_DURATION) {
            return false;
        }
        let key = (partition.topic.to_string(), partition.number);
        let suspect = Suspect {
            key,
            at: Offset::Offset(next),
            is_unanswered: false,
        };
        self.suspect(&mut assigned, suspect);
        true
    }

    /// Looks for partitions that do not advance.
    pub(super) fn learn(&self, statistics: &Statistics, assignments: &Assignments) {
        let mut assigned = lock(&self.assigned);
        let has_erred = assigned.erred.is_some_and(|at| at.elapsed() < ERROR_DURATION);
        let all_paused = self.all_paused.load(Ordering::Relaxed);
        let Assigned { partitions, held, .. } = &mut *assigned;
        let mut suspects = Vec::new();
        for (key, watched) in partitions {
            let found = statistics.topics.get(&key.0);
            let Some(state) = found.and_then(|topic| topic.partitions.get(&key.1)) else {
                continue;
            };
            let at = assignments.next_offset(&key.0, key.1).unwrap_or(watched.start);
            let end = if state.ls_offset >= 0 {
                state.ls_offset
            } else {
                state.hi_offset
            };
            let waits = state.fetchq_cnt == 0 && (0..end).contains(&state.next_offset);
            // After a wrong checksum the position is unreliable.
            let is_lost = has_erred && state.next_offset != end && at.to_raw().is_none_or(|next| next < end);
            let is_unanswered = is_fetched(&state.fetch_state) && (end < 0 || state.next_offset < 0);
            let is_behind = end > 0 && (waits || is_lost);
            let is_still = (is_behind || is_unanswered) && !all_paused && !held.contains_key(key);
            if !is_still || watched.seen_at != at {
                *watched = Watched {
                    trusted: watched.trusted,
                    readable_at: watched.readable_at,
                    ..Watched::from(watched.start)
                };
                watched.seen_at = at;
                continue;
            }
            watched.looks += 1;
            let has_waited = watched.since.elapsed() >= UNANSWERED_AFTER;
            let is_due = watched.looks >= MIN_LOOKS && (has_waited || !is_unanswered);
            if is_due || has_erred {
                suspects.push(Suspect {
                    key: key.clone(),
                    at,
                    is_unanswered: is_unanswered && has_waited,
                });
            }
        }
        for suspect in suspects {
            self.suspect(&mut assigned, suspect);
        }
    }

    /// Asks the inspector to look into a partition, unless it has done so recently.
    fn suspect(&self, assigned: &mut Assigned, suspect: Suspect) {
        let at = suspect.at;
        let Some(watched) = assigned.partitions.get_mut(&suspect.key) else {
            return;
        };
        let is_trusted = watched
            .trusted
            .is_some_and(|(found, since)| found == at && since.elapsed() < TRUST_DURATION);
        if !is_trusted && self.suspects.try_send(suspect).is_ok() {
            watched.trusted = Some((at, Instant::now()));
        }
    }

    /// Another client reads a partition where this one does not. Returns whether this one never will, because it asks a
    /// broker that does not lead the partition: it has had no answer at all, or does not advance even after a seek.
    pub(super) fn is_read_by_others(&self, suspect: &Suspect) -> bool {
        let mut assigned = lock(&self.assigned);
        let Some(watched) = assigned.partitions.get_mut(&suspect.key) else {
            return false;
        };
        suspect.is_unanswered || watched.readable_at.replace(suspect.at) == Some(suspect.at)
    }

    /// Publishes the state.
    fn show(&self, assigned: &Assigned) {
        self.metrics.blocked.set(assigned.held.len() as i64);
        let texts = assigned
            .held
            .iter()
            .map(text)
            .chain(assigned.stalled.iter().map(text_of_stalled));
        match joined(texts, assigned.held.len() + assigned.stalled.len()) {
            Some(why) => self.dependency.down(why),
            None => self.dependency.up(),
        }
    }
}

/// The first of `count` texts, and how many others there are; none if there is none.
fn joined(texts: impl Iterator<Item = String>, count: usize) -> Option<String> {
    let mut texts: Vec<String> = texts.take(MAX_NAMED).collect();
    if count > texts.len() {
        texts.push(format!("and {} more", count - texts.len()));
    }
    (count > 0).then(|| texts.join("; "))
}

/// Whether librdkafka is to fetch a partition, also while it still asks for the offset to begin at: of a broker that it
/// wrongly takes for the leader, it asks that for ever (`rd_kafka_fetch_states`, rdkafka_partition.c).
fn is_fetched(fetch_state: &str) -> bool {
    !matches!(fetch_state, "none" | "stopping" | "stopped")
}

fn text(((topic, number), held): (&Key, &Held)) -> String {
    format!(
        "{topic}[{number}] stands still at offset {}, its next batch cannot be decoded ({}); \
         --skip-undecodable-batches continues after it",
        held.from, held.reason
    )
}

fn text_of_stalled(((topic, number), at): &(Key, i64)) -> String {
    format!(
        "{topic}[{number}] stands still at offset {at}, messages wait there and are not fetched; \
         if that lasts and the cluster works, the Kafka clients are recreated"
    )
}

impl From<Offset> for Watched {
    fn from(start: Offset) -> Self {
        Self {
            start,
            seen_at: start,
            looks: 0,
            since: Instant::now(),
            trusted: None,
            readable_at: None,
        }
    }
}

/// Errors about one batch, which every retry repeats: a wrong checksum, failed decompression, an unknown codec.
fn is_of_batch(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{BadCompression, BadMessage, NotImplemented};
    matches!(code, BadCompression | BadMessage | NotImplemented)
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use rdkafka::statistics::{Partition as PartitionState, Topic};

    use super::*;
    use crate::metrics::Subsystems;
    use crate::service::Readiness;

    /// Whether a partition that librdkafka reports in this way for so long is suspected, and then of having no answer.
    fn is_suspected(state: PartitionState, time: Duration) -> Option<bool> {
        let metrics = KafkaMetrics::register(&Registry::new()).unwrap();
        let assignments = Assignments::new(metrics.clone(), Subsystems::default());
        let blocked = Blocked::new(Readiness::default().dependency("partitions"), metrics, false);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Beginning).unwrap();
        blocked.starts(&list);
        let topic = Topic {
            partitions: HashMap::from([(0, state)]),
            ..Topic::default()
        };
        let statistics = Statistics {
            topics: HashMap::from([("t".to_owned(), topic)]),
            ..Statistics::default()
        };
        for _ in 0..=MIN_LOOKS {
            blocked.learn(&statistics, &assignments);
        }
        for watched in lock(&blocked.assigned).partitions.values_mut() {
            watched.since = Instant::now().checked_sub(time).unwrap();
        }
        blocked.learn(&statistics, &assignments);
        let suspect = blocked.suspected.try_recv().ok()?;
        assert_eq!(suspect.key, ("t".to_owned(), 0));
        Some(suspect.is_unanswered)
    }

    #[test]
    fn a_partition_whose_broker_never_answers_is_suspected_in_every_state_of_fetching() {
        let state = |fetch_state: &str, next_offset: i64, end: i64| PartitionState {
            fetch_state: fetch_state.to_owned(),
            next_offset,
            ls_offset: end,
            hi_offset: end,
            ..PartitionState::default()
        };
        let (soon, late) = (Duration::ZERO, UNANSWERED_AFTER);
        for fetching in ["offset-query", "offset-wait", "validate-epoch-wait", "active"] {
            // The second end is one that the deleted topic had.
            for end in [-1_001, 7] {
                let unanswered = || state(fetching, -1_001, end);
                assert_eq!(is_suspected(unanswered(), late), Some(true), "{fetching}");
                assert_eq!(
                    is_suspected(unanswered(), soon),
                    None,
                    "{fetching}: it may have begun"
                );
            }
        }
        for not_fetched in ["none", "stopping", "stopped"] {
            let unanswered = state(not_fetched, -1_001, -1_001);
            assert_eq!(is_suspected(unanswered, late), None, "{not_fetched}");
        }
        assert_eq!(is_suspected(state("active", 7, 7), late), None, "all is read");
        assert_eq!(is_suspected(state("active", 5, 7), soon), Some(false), "behind");
    }
}
