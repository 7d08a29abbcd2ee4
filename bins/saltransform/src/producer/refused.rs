//! Remembers messages whose records the broker refused within a transaction, so that they are treated differently when
//! they are read again: the record alone, then a dead letter instead; the dead letter alone, then with less of the
//! message. This is remembered until a transaction with them is committed: otherwise two of them could abort each
//! other's transaction in turn, without end.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rdkafka::Message;
use stage::dead_letter::Extent;
use stage::intake::Consumed;
use stage::lock;

/// The maximum number; what is forgotten is found out again.
const MAX_REMEMBERED: usize = 100_000;

/// A message's place in Kafka.
type Place = (String, i32, i64);

/// What is known of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Why its record is refused, if it is.
    pub(super) record: Option<String>,
    /// Whether its record or dead letter is sent alone.
    pub(super) alone: bool,
    /// How much of it the dead-letter topic accepts.
    pub(super) extent: Extent,
}

/// The messages with refused records.
#[derive(Default)]
pub(super) struct Refused {
    known: Mutex<Known>,
    /// Nearly always 0, which avoids a look-up per message.
    count: AtomicUsize,
    /// Whether something was noted since this was asked last.
    has_learned: AtomicBool,
}

#[derive(Default)]
struct Known {
    verdicts: HashMap<Place, Verdict>,
    /// Those of them that are delivered in the open transaction.
    settled: Vec<Place>,
}

impl Refused {
    /// What is known of a message.
    pub(super) fn of(&self, consumed: &Consumed<'_>) -> Verdict {
        if self.count.load(Ordering::Acquire) == 0 {
            return Verdict::default();
        }
        let known = lock(&self.known);
        known.verdicts.get(&place(consumed)).cloned().unwrap_or_default()
    }

    /// Notes what was found out.
    pub(super) fn learn(&self, consumed: &Consumed<'_>, verdict: Verdict) {
        let mut known = lock(&self.known);
        if known.verdicts.len() >= MAX_REMEMBERED {
            known.verdicts.clear();
        }
        known.verdicts.insert(place(consumed), verdict);
        self.has_learned.store(true, Ordering::Release);
        self.count.store(known.verdicts.len(), Ordering::Release);
    }

    /// Whether something was noted since this was asked last.
    pub(super) fn take_learned(&self) -> bool {
        self.has_learned.swap(false, Ordering::AcqRel)
    }

    /// The record or dead letter of a message is delivered, in the open transaction.
    pub(super) fn arrived(&self, consumed: &Consumed<'_>) {
        if self.count.load(Ordering::Acquire) > 0 {
            lock(&self.known).settled.push(place(consumed));
        }
    }

    /// The open transaction has ended.
    pub(super) fn settle(&self, committed: bool) {
        let mut known = lock(&self.known);
        let settled = std::mem::take(&mut known.settled);
        if committed {
            for place in settled {
                known.verdicts.remove(&place);
            }
        }
        self.count.store(known.verdicts.len(), Ordering::Release);
    }
}

fn place(consumed: &Consumed<'_>) -> Place {
    let message = &consumed.message;
    (message.topic().to_owned(), message.partition(), message.offset())
}
