//! The names of a record with maps, compared as they come: a key can make any name. For [`super::run`].

use std::collections::HashSet;

use super::time::{TimeFault, TimeUnit};
use super::{Name, PointSink};

/// Passes values on, and notes the first name that comes twice.
pub(super) struct Distinct<'s, S> {
    sink: &'s mut S,
    fields: HashSet<String>,
    tags: HashSet<String>,
    twice: Option<String>,
}

impl<'s, S> Distinct<'s, S> {
    pub(super) fn new(sink: &'s mut S) -> Self {
        Self {
            sink,
            fields: HashSet::new(),
            tags: HashSet::new(),
            twice: None,
        }
    }

    /// The name that two fields, or two tags, of the record have.
    pub(super) fn twice(self) -> Option<String> {
        self.twice
    }

    fn field(&mut self, name: &Name<'_>) {
        if let Some(known) = self.fields.replace(name.flat()) {
            self.twice.get_or_insert(known);
        }
    }
}

impl<S: PointSink> PointSink for Distinct<'_, S> {
    fn double(&mut self, name: Name<'_>, value: f64) {
        self.field(&name);
        self.sink.double(name, value);
    }

    fn float(&mut self, name: Name<'_>, value: f32) {
        self.field(&name);
        self.sink.float(name, value);
    }

    fn integer(&mut self, name: Name<'_>, value: i64) {
        self.field(&name);
        self.sink.integer(name, value);
    }

    fn boolean(&mut self, name: Name<'_>, value: bool) {
        self.field(&name);
        self.sink.boolean(name, value);
    }

    fn text(&mut self, name: Name<'_>, value: &str) {
        self.field(&name);
        self.sink.text(name, value);
    }

    fn tag(&mut self, name: Name<'_>, value: &str) {
        if let Some(known) = self.tags.replace(name.flat()) {
            self.twice.get_or_insert(known);
        }
        self.sink.tag(name, value);
    }

    fn time(&mut self, time: Result<i64, TimeFault>) {
        self.sink.time(time);
    }

    fn time_detail(&mut self, unit: TimeUnit, nanos: i16) {
        self.sink.time_detail(unit, nanos);
    }

    fn measurement(&mut self, name: &str) {
        self.sink.measurement(name);
    }

    fn tiebreaker(&mut self, value: i64) {
        self.sink.tiebreaker(value);
    }

    fn reserved_name(&mut self) {
        self.sink.reserved_name();
    }
}
