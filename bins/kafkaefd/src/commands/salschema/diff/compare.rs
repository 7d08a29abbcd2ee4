//! Compares two sets of schemas by topic and field, and decides whether each change is compatible.

use std::collections::{BTreeMap, BTreeSet};

use sal::avro::TopicSchema;
use serde::Serialize;
use serde_json::{Value, json};

use operator::subjects::compatibility::Resolution;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Change {
    Added,
    Removed,
    Changed,
}

/// A topic that was added, removed or changed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct TopicChange {
    pub(super) topic: String,
    pub(super) change: Change,
    /// For the whole schema; null for an added or removed topic, which has nothing to be compared with.
    pub(super) compatible: Option<Resolution>,
    /// Changed attributes of the record itself.
    pub(super) attributes: Vec<AttributeChange>,
    pub(super) fields: Vec<FieldChange>,
}

/// A field that was added, removed or changed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct FieldChange {
    pub(super) field: String,
    pub(super) change: Change,
    /// For this change alone; null if it depends on other changes.
    pub(super) compatible: Option<Resolution>,
    /// The type of an added or removed field; the differences of a changed one.
    pub(super) attributes: Vec<AttributeChange>,
}

/// A changed attribute of a record or field, such as its type, units or description.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct AttributeChange {
    pub(super) attribute: String,
    /// null if it did not exist.
    pub(super) old: Option<Value>,
    /// null if it no longer exists.
    pub(super) new: Option<Value>,
}

/// The changes by topic, without unchanged topics.
pub(super) fn compare(old: &[TopicSchema], new: &[TopicSchema]) -> Vec<TopicChange> {
    let by_topic = |schemas: &[TopicSchema]| -> BTreeMap<String, Value> {
        let pairs = schemas
            .iter()
            .map(|schema| (schema.topic.to_string(), schema.schema.clone()));
        pairs.collect()
    };
    let (old, new) = (by_topic(old), by_topic(new));
    let topics: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    topics
        .into_iter()
        .filter_map(|topic| change_of(topic, old.get(topic), new.get(topic)))
        .collect()
}

fn change_of(topic: &str, old: Option<&Value>, new: Option<&Value>) -> Option<TopicChange> {
    let change = match (old, new) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        (Some(old), Some(new)) if old == new => return None,
        _ => Change::Changed,
    };
    let compatible = match (old, new) {
        (Some(old), Some(new)) => Resolution::of(&old.to_string(), &new.to_string()),
        _ => None,
    };
    let is_changed = change == Change::Changed;
    Some(TopicChange {
        topic: topic.to_owned(),
        change,
        compatible,
        attributes: if is_changed {
            attributes(old, new, |name| name != "fields")
        } else {
            Vec::new()
        },
        fields: if is_changed { fields(old, new) } else { Vec::new() },
    })
}

/// Changed fields in the order of the new schema, followed by removed ones.
fn fields(old: Option<&Value>, new: Option<&Value>) -> Vec<FieldChange> {
    let (old, new) = (named(old), named(new));
    let mut changes: Vec<FieldChange> = new
        .iter()
        .filter_map(|(name, new)| {
            let before = old
                .iter()
                .find(|(other, _)| other == name)
                .map(|(_, field)| *field);
            match before {
                Some(old) if old == *new => None,
                Some(_) => Some(field(name, Change::Changed, before, Some(new))),
                None => Some(field(name, Change::Added, None, Some(new))),
            }
        })
        .collect();
    let removed = old
        .iter()
        .filter(|(name, _)| !new.iter().any(|(other, _)| other == name));
    changes.extend(removed.map(|(name, old)| field(name, Change::Removed, Some(old), None)));
    changes
}

fn named(schema: Option<&Value>) -> Vec<(&str, &Value)> {
    let fields = schema
        .and_then(|schema| schema.get("fields"))
        .and_then(Value::as_array);
    let named = |field| Some((Value::as_str(Value::get(field, "name")?)?, field));
    fields.into_iter().flatten().filter_map(named).collect()
}

fn field(name: &str, change: Change, old: Option<&Value>, new: Option<&Value>) -> FieldChange {
    // A record with only this field gives each change its own verdict.
    let alone = |field: Option<&Value>| {
        let fields: Vec<&Value> = field.into_iter().collect();
        json!({"type": "record", "name": "alone", "fields": fields}).to_string()
    };
    let is_changed = change == Change::Changed;
    FieldChange {
        field: name.to_owned(),
        change,
        compatible: Resolution::of(&alone(old), &alone(new)),
        attributes: attributes(old, new, |name| is_changed || name == "type"),
    }
}

fn attributes(
    old: Option<&Value>,
    new: Option<&Value>,
    is_compared: impl Fn(&str) -> bool,
) -> Vec<AttributeChange> {
    let keys = |value: Option<&Value>| -> Vec<String> {
        let object = value.and_then(Value::as_object);
        object
            .into_iter()
            .flat_map(|object| object.keys().cloned())
            .collect()
    };
    let mut names = keys(new);
    let removed: Vec<String> = keys(old)
        .into_iter()
        .filter(|name| !names.contains(name))
        .collect();
    names.extend(removed);
    let of = |value: Option<&Value>, name: &str| value.and_then(|value| value.get(name)).cloned();
    names
        .into_iter()
        .filter(|name| is_compared(name))
        .map(|name| AttributeChange {
            old: of(old, &name),
            new: of(new, &name),
            attribute: name,
        })
        .filter(|change| change.old != change.new)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(old: Value, new: Value) -> TopicChange {
        let record = |fields| json!({"type": "record", "name": "T_a", "fields": fields});
        change_of("T_a", Some(&record(old)), Some(&record(new))).unwrap()
    }

    #[test]
    fn each_field_has_its_own_verdict() {
        let change = changes(
            json!([{"name": "wide", "type": "int"}, {"name": "gone", "type": "int"}, {"name": "same", "type": "int"}]),
            json!([
                {"name": "same", "type": "int"},
                {"name": "wide", "type": "long", "units": "m"},
                {"name": "new", "type": "int", "default": 0},
            ]),
        );
        let verdicts: Vec<_> = change
            .fields
            .iter()
            .map(|field| (field.field.as_str(), field.change, field.compatible.unwrap()))
            .collect();
        let verdict = |backward, forward| Resolution { backward, forward };
        let expected = [
            ("wide", Change::Changed, verdict(true, false)),
            ("new", Change::Added, verdict(true, true)),
            ("gone", Change::Removed, verdict(true, false)),
        ];
        assert_eq!(verdicts, expected);
        assert_eq!(change.compatible, Some(verdict(true, false)));
        let names: Vec<_> = change.fields[0]
            .attributes
            .iter()
            .map(|found| found.attribute.as_str())
            .collect();
        assert_eq!(names, ["type", "units"]);
    }

    #[test]
    fn reordering_fields_does_not_change_a_field() {
        let (a, b) = (
            json!({"name": "a", "type": "int"}),
            json!({"name": "b", "type": "int"}),
        );
        let change = changes(json!([a, b]), json!([b, a]));
        assert_eq!((change.change, change.fields.len()), (Change::Changed, 0));
        assert!(change.compatible.unwrap().backward && change.compatible.unwrap().forward);
    }

    #[test]
    fn topics_are_added_and_removed() {
        let record = json!({"type": "record", "name": "T_a", "fields": []});
        assert_eq!(
            change_of("T_a", None, Some(&record)).unwrap().change,
            Change::Added
        );
        assert_eq!(
            change_of("T_a", Some(&record), None).unwrap().change,
            Change::Removed
        );
        assert_eq!(change_of("T_a", Some(&record), Some(&record)), None);
    }
}
