//! Plans: how to convert the values of a topic's messages, compiled once from the registry schema. The
//! transform keeps one [`Plan`] per schema and shares it between its threads.
//!
//! A plan is flat: a list of steps for each possible layout of the topic's messages. There are several
//! layouts if the schema does not say what the wire carries besides the items: a component's index, a
//! command's four strings, an event's priority, and bytes fields (SAL sends char, but neither byte nor
//! octet), or in dialect ts_xml, where a byte is an int, any int. A schema made with `--wire-extras` settles the
//! index and these fields; otherwise the number of values decides.

mod draft;
mod error;
mod fields;
mod layout;
mod left_out;
mod literal;
mod op;
mod private;
mod schema;
mod steps;

use std::sync::atomic::{AtomicU32, Ordering};

pub use error::PlanError;
pub(crate) use op::{Act, Count, Enumeration, Form, Layout, Lead, Op, Shift, Sign, Stamp};

use self::fields::Presence;
use crate::name::{Dialect, Kind};
use crate::time::TimeScale;

/// A compiled schema, shared between threads. It is immutable except for a hint, the layout that fitted last,
/// which affects only speed.
#[derive(Debug)]
pub struct Plan {
    record: Box<str>,
    dialect: Dialect,
    kind: Kind,
    pub(crate) names: Box<[Box<str>]>,
    pub(crate) enumerations: Box<[Enumeration]>,
    pub(crate) literals: Box<[u8]>,
    /// Those with the most strings first, see encode.
    pub(crate) layouts: Box<[Layout]>,
    /// Whether some int may be a byte, which is not on the wire: dialect ts_xml without the interface files.
    pub(crate) may_have_bytes: bool,
    last: AtomicU32,
}

impl Plan {
    /// Compiles the JSON of a registry schema. `time_scale` is the scale of timestamps on the wire;
    /// `sal_created`, `sal_ingested` and `private_efdStamp` are always UTC, and the other private timestamps
    /// always TAI.
    pub fn compile(schema_json: &str, time_scale: TimeScale) -> Result<Self, PlanError> {
        let record = schema::Record::read(schema_json)?;
        let sorted = fields::Sorted::new(&record, time_scale)?;
        let layouts = layout::layouts(&record, &sorted)?;
        Ok(Self {
            record: record.name.into(),
            dialect: record.dialect,
            kind: record.kind,
            names: sorted.names.into(),
            enumerations: sorted.enumerations.into(),
            literals: sorted.literals.into(),
            layouts: layouts.into(),
            may_have_bytes: sorted.items.iter().any(|item| item.presence == Presence::Maybe),
            last: AtomicU32::new(0),
        })
    }

    /// The name of the schema's record.
    pub fn record(&self) -> &str {
        &self.record
    }

    /// The schema's dialect, determined by its first fields.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The kind of topic, determined by the record's name.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The number of layouts that the schema allows. If there is more than one, the number of values on the
    /// wire decides.
    pub fn layouts(&self) -> usize {
        self.layouts.len()
    }

    /// The layout that fitted the last message.
    pub(crate) fn last(&self) -> usize {
        self.last.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn remember(&self, layout: usize) {
        // Storing unconditionally would move the cache line between cores on every message.
        if self.last() != layout {
            self.last.store(layout as u32, Ordering::Relaxed);
        }
    }

    /// The smallest and the largest number of values in a message.
    pub(crate) fn value_counts(&self) -> (u32, u32) {
        let counts = || {
            self.layouts
                .iter()
                .filter(|layout| layout.unclear.is_none() && !layout.is_fallback)
                .map(|layout| layout.values)
        };
        (counts().min().unwrap_or(0), counts().max().unwrap_or(0))
    }
}
