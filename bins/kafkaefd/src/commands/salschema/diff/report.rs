//! The comparison as it is shown: a table with one row per change, or one JSON object.

use serde::Serialize;
use serde_json::Value;
use stage::sanitize::Printable;

use super::compare::{AttributeChange, Change, FieldChange, TopicChange};
use crate::terminal::{Cell, Table, bad, faint, good, plural, warn};
use operator::subjects::compatibility::Resolution;

/// Of longer values, such as descriptions, only the fact that they changed is shown.
const MAX_VALUE_CHARS: usize = 40;

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) old: String,
    pub(super) new: String,
    pub(super) dialect: String,
    /// Only topics with changes.
    pub(super) topics: Vec<TopicChange>,
    /// What could not be read.
    pub(super) errors: Vec<String>,
}

impl Report {
    /// The topics with a change that is not `allowed`.
    pub(super) fn incompatible(&self, allowed: impl Fn(Resolution) -> bool) -> Vec<&str> {
        let topics = self.topics.iter();
        topics
            .filter(|topic| topic.compatible.is_some_and(|found| !allowed(found)))
            .map(|topic| topic.topic.as_str())
            .collect()
    }

    pub(super) fn shown(&self) -> String {
        if self.topics.is_empty() {
            return format!(
                "no changes from {} to {}",
                Printable(&self.old),
                Printable(&self.new)
            );
        }
        let mut table = Table::new(["TOPIC", "FIELD", "CHANGE", "BACKWARD", "FORWARD"]);
        for topic in &self.topics {
            rows(&mut table, topic);
        }
        format!("{table}\n{}", self.summary())
    }

    fn summary(&self) -> String {
        let count = |change: Change| self.topics.iter().filter(|topic| topic.change == change).count();
        format!(
            "{} added, {} removed, {} changed from {} to {}; {} not BACKWARD compatible, {} not FORWARD compatible",
            plural(count(Change::Added), "topic"),
            count(Change::Removed),
            count(Change::Changed),
            Printable(&self.old),
            Printable(&self.new),
            self.incompatible(|found| found.backward).len(),
            self.incompatible(|found| found.forward).len(),
        )
    }
}

fn rows(table: &mut Table, topic: &TopicChange) {
    if topic.change != Change::Changed {
        row(table, topic, "", word(topic.change).to_owned(), topic.compatible);
        return;
    }
    // A change of the record itself, or one that its fields do not show.
    if !topic.attributes.is_empty() || topic.fields.is_empty() {
        let text = match texts(&topic.attributes) {
            empty if empty.is_empty() => "order of fields".to_owned(),
            text => text,
        };
        row(table, topic, "", text, topic.compatible);
    }
    for field in &topic.fields {
        row(table, topic, &field.field, of_field(field), field.compatible);
    }
}

fn row(table: &mut Table, topic: &TopicChange, field: &str, change: String, compatible: Option<Resolution>) {
    table.row([
        Cell::text(&topic.topic),
        Cell::text(field),
        Cell::styled(match change.as_str() {
            "added" => good(change),
            "removed" => warn(change),
            _ => Printable(change).to_string(),
        }),
        verdict(compatible.map(|found| found.backward)),
        verdict(compatible.map(|found| found.forward)),
    ]);
}

fn verdict(compatible: Option<bool>) -> Cell {
    Cell::styled(match compatible {
        Some(true) => good("yes"),
        Some(false) => bad("no"),
        None => faint("-"),
    })
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed => "changed",
    }
}

fn of_field(field: &FieldChange) -> String {
    match (field.change, field.attributes.first()) {
        (Change::Changed, _) => texts(&field.attributes),
        (change, Some(AttributeChange { old, new, .. })) => {
            format!("{}, {}", word(change), value(new.as_ref().or(old.as_ref())))
        }
        (change, None) => word(change).to_owned(),
    }
}

fn texts(attributes: &[AttributeChange]) -> String {
    let texts: Vec<String> = attributes.iter().map(text).collect();
    texts.join("; ")
}

fn text(change: &AttributeChange) -> String {
    let (old, new) = (value(change.old.as_ref()), value(change.new.as_ref()));
    if old.chars().count().max(new.chars().count()) > MAX_VALUE_CHARS {
        return format!("{} changed", change.attribute);
    }
    format!("{} {old} → {new}", change.attribute)
}

fn value(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
