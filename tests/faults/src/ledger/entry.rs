//! What the ledger keeps of each message.

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

/// A stage and a reason that a dead letter may name.
pub(crate) type Why = (&'static str, &'static str);

/// What must become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// A point in the database.
    Stored,
    /// A dead letter of that stage, for one of these reasons.
    Dead(Stage, &'static [Why]),
    /// A point, unless that of another message at the same time has taken its place.
    Shares,
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
    /// Whether retention deleted it before its stage had read it: it was due a point, and is due nothing now.
    pub(crate) taken: bool,
    /// Whether another message of the same time took its place in the database.
    pub(crate) overwritten: bool,
    /// Its bytes, where a dead letter must hold as many.
    pub(crate) length: Option<usize>,
    /// How often it is in the output topics, and where it is last.
    pub(crate) records: u32,
    pub(crate) record: Option<Origin>,
    /// How many messages of a batch this entry stands for; mostly one.
    pub(crate) weight: u64,
    /// Whether it was sent to a topic that had just been made anew while it was read: what is read of such a topic before that is
    /// noticed is read again, also in transactions.
    pub(crate) may_repeat: bool,
    /// Undisturbed time of the run when it was sent.
    pub(crate) since: Duration,
}

impl Entry {
    /// The stage whose work it is, as long as no record of it was seen.
    pub(crate) fn waits_for(&self) -> Stage {
        match self.due {
            Due::Dead(stage, _) | Due::Skipped(stage) => stage,
            Due::Stored | Due::Shares => Stage::Transform,
        }
    }
}

/// A dead letter, as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) by: Stage,
    pub(crate) origin: Origin,
    pub(crate) stage: String,
    pub(crate) reason: String,
    pub(crate) detail: String,
    /// Bytes of the payload.
    pub(crate) length: usize,
    /// The message's name, where the payload is a record.
    pub(crate) name: Option<Name>,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}
