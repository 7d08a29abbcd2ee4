//! The ledger's data about each message.

use std::sync::Arc;
use std::time::Duration;

/// A stage, as the owner of a consumer group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// saltransform.
    Transform,
    /// influxsink.
    Sink,
}

/// A stage, and a reason that its dead letter may give.
pub(crate) type Why = (&'static str, &'static str);

/// The expected outcome of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// A point in the database.
    Stored,
    /// A dead letter of that stage, with one of these reasons.
    Dead(Stage, &'static [Why]),
    /// A point, unless another message with the same time has taken its place.
    Shares,
    /// Nothing, because the message carries nothing: the stage's group must skip it.
    Skipped(Stage),
}

/// The position of a message in Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// A SAL message's name: its topic's index and its sequence number.
pub(crate) type Name = (usize, i64);

/// One message.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The window in which it was sent.
    pub(crate) window: usize,
    /// Its topic, its sequence number and its time in milliseconds; `None` if it is not a SAL message.
    pub(crate) sal: Option<(Name, i64)>,
    pub(crate) due: Due,
    /// Set once the broker has acknowledged it.
    pub(crate) origin: Option<Origin>,
    pub(crate) stored: bool,
    pub(crate) skipped: bool,
    /// Dead letters with the right reason, by distinct origins.
    pub(crate) letters: u32,
    /// Outcomes that it must not have: a point and a dead letter, a dead letter with a wrong reason, a second
    /// point.
    pub(crate) wrong: u32,
    /// Whether retention deleted it before its stage read it: a point was expected, and now nothing is.
    pub(crate) taken: bool,
    /// Whether another message with the same time took its place in the database.
    pub(crate) overwritten: bool,
    /// The length of its bytes, if the dead letter must have the same.
    pub(crate) length: Option<usize>,
    /// How often it is in the output topics, and its last position there.
    pub(crate) records: u32,
    pub(crate) record: Option<Origin>,
    /// The number of messages that this entry stands for; usually one, more for a batch.
    pub(crate) weight: u64,
    /// Whether it was sent to a topic that had just been recreated while being read. What is read from such a
    /// topic before the stage notices is read again, also with transactions.
    pub(crate) may_repeat: bool,
    /// The run's undisturbed time when it was sent.
    pub(crate) since: Duration,
}

impl Entry {
    /// The stage that has to process it, as long as no record of it was seen.
    pub(crate) fn waits_for(&self) -> Stage {
        match self.due {
            Due::Dead(stage, _) | Due::Skipped(stage) => stage,
            Due::Stored | Due::Shares => Stage::Transform,
        }
    }
}

/// A dead letter as it was read.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetter {
    pub(crate) by: Stage,
    pub(crate) origin: Origin,
    pub(crate) stage: String,
    pub(crate) reason: String,
    pub(crate) detail: String,
    /// The length of the payload.
    pub(crate) length: usize,
    /// The message's name, if the payload is a record.
    pub(crate) name: Option<Name>,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}
