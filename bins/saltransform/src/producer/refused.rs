//! What is known of messages of which the broker refused something within a transaction, so that it is done differently when
//! they are read again: the record by itself, then a dead letter in place of it; the letter by itself, then with less of the
//! message. It is known until a transaction with them is committed: forgotten earlier, two of them could take turns at
//! aborting each other's transaction without an end.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rdkafka::Message;
use stage::dead_letter::Extent;
use stage::intake::Consumed;
use stage::lock;

/// More are not remembered; what is forgotten is found out again.
const MAX_REMEMBERED: usize = 100_000;

/// A message's place in Kafka.
type Place = (String, i32, i64);

/// What is known of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Why its record is never taken, if it is not.
    pub(super) record: Option<String>,
    /// Whether what is made of it is sent by itself.
    pub(super) alone: bool,
    /// How much of it the dead-letter topic takes.
    pub(super) extent: Extent,
}

/// The messages of which something was refused.
#[derive(Default)]
pub(super) struct Refused {
    known: Mutex<Known>,
    /// Nearly always 0: then no message is looked up.
    count: AtomicUsize,
}

#[derive(Default)]
struct Known {
    verdicts: HashMap<Place, Verdict>,
    /// What arrived in the transaction that is open, of those.
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
        self.count.store(known.verdicts.len(), Ordering::Release);
    }

    /// What was made of a message has arrived, in the transaction that is open.
    pub(super) fn arrived(&self, consumed: &Consumed<'_>) {
        if self.count.load(Ordering::Acquire) > 0 {
            lock(&self.known).settled.push(place(consumed));
        }
    }

    /// That transaction has ended.
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
