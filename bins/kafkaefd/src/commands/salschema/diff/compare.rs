//! What changed between two sets of schemas, topic by topic and field by field, and whether each change is compatible.

use std::collections::{BTreeMap, BTreeSet};

use sal::avro::TopicSchema;
use serde::Serialize;
use serde_json::{Value, json};

use operator::subjects::compatibility::Resolution;

/// What became of a topic or field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Change {
    Added,
    Removed,
    Changed,
}

/// A topic that is not as it was.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct TopicChange {
    pub(super) topic: String,
    pub(super) change: Change,
    /// Of the whole schema; null for a topic that is new or gone, as there is nothing to read with the other.
    pub(super) compatible: Option<Resolution>,
    /// Attributes of the record itself.
    pub(super) attributes: Vec<AttributeChange>,
    pub(super) fields: Vec<FieldChange>,
}

/// A field that is not as it was.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct FieldChange {
    pub(super) field: String,
    pub(super) change: Change,
    /// Of this change alone; null if it cannot be judged without the others.
    pub(super) compatible: Option<Resolution>,
    /// The type of a field that is new or gone; what is different of one that changed.
    pub(super) attributes: Vec<AttributeChange>,
}

/// An attribute of a record or field: its type, units, description.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct AttributeChange {
    pub(super) attribute: String,
    /// null: it had none.
    pub(super) old: Option<Value>,
    /// null: it has none.
    pub(super) new: Option<Value>,
}

/// What changed, by topic; topics that are as they were are left out.
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

/// In the order of the new schema, then what is gone.
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
    let gone = old
        .iter()
        .filter(|(name, _)| !new.iter().any(|(other, _)| other == name));
    changes.extend(gone.map(|(name, old)| field(name, Change::Removed, Some(old), None)));
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
    // One field by itself, so that each change has its own verdict.
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
    counts: impl Fn(&str) -> bool,
) -> Vec<AttributeChange> {
    let keys = |value: Option<&Value>| -> Vec<String> {
        let object = value.and_then(Value::as_object);
        object
            .into_iter()
            .flat_map(|object| object.keys().cloned())
            .collect()
    };
    let mut names = keys(new);
    let gone: Vec<String> = keys(old)
        .into_iter()
        .filter(|name| !names.contains(name))
        .collect();
    names.extend(gone);
    let of = |value: Option<&Value>, name: &str| value.and_then(|value| value.get(name)).cloned();
    names
        .into_iter()
        .filter(|name| counts(name))
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
    fn another_order_is_no_change_of_a_field() {
        let (a, b) = (
            json!({"name": "a", "type": "int"}),
            json!({"name": "b", "type": "int"}),
        );
        let change = changes(json!([a, b]), json!([b, a]));
        assert_eq!((change.change, change.fields.len()), (Change::Changed, 0));
        assert!(change.compatible.unwrap().backward && change.compatible.unwrap().forward);
    }

    #[test]
    fn topics_come_and_go() {
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
