//! What is known while a JSON record is read: names so far, and the best time.

use std::collections::HashSet;

use super::{JsonFault, PlainJson};
use crate::point::time::{TimeFault, TimeUnit};

/// The state within a record.
pub(super) struct Reading<'r, S> {
    pub(super) plan: &'r PlainJson,
    pub(super) sink: &'r mut S,
    /// The flattened name of the next value.
    pub(super) name: String,
    /// The names so far, and those of tags.
    pub(super) known: HashSet<String>,
    pub(super) tags: HashSet<String>,
    /// The number of objects and arrays around it.
    pub(super) depth: usize,
    /// Whether it is an element of an array.
    pub(super) is_element: bool,
    /// Whether it is within a value that is a tag.
    pub(super) only_tags: bool,
    /// Whether it is within a value that is a tag as well: the tag, which replaces so much of the name.
    pub(super) copy: Option<(usize, &'r str)>,
    pub(super) values: usize,
    pub(super) names: usize,
    /// The best time so far, by its rank among the time fields.
    pub(super) time: Option<(usize, Time)>,
    /// The same of tiebreakers.
    pub(super) tiebreaker: Option<(usize, i64)>,
    pub(super) has_measurement: bool,
    /// Why the reading ended.
    pub(super) fault: Option<JsonFault>,
}

/// A record's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    pub(super) micros: Result<i64, TimeFault>,
    /// Unless it is a decimal: its unit, and what it is beyond the microsecond.
    pub(super) detail: Option<(TimeUnit, i16)>,
}
