//! The body of the fuzz target of JSON records: what is read is what serde_json's own value tree holds, and refusals are
//! justified. influxsink's property test runs it, too.

use std::sync::Arc;

use confluent_avro::point::time::TimeUnit;
use confluent_avro::point::{JsonFault, Mapping, PlainJson, Records};
use influxsink::line::{LineEncoder, Source};
use serde_json::Value;

use super::{Given, Notes, check_text, read_back};

/// Integers are those whose name begins with `i`.
fn records() -> PlainJson {
    let mapping = Mapping {
        tag_fields: vec!["tag".to_owned(), "tags".to_owned()],
        time_fields: vec!["timestamp".to_owned()],
        time_unit: Some(TimeUnit::Millis),
        ..Mapping::none()
    };
    PlainJson::new("topic", mapping).with_integers(Some(Arc::new(|name: &str| name.starts_with('i'))))
}

/// An arbitrary value of a message.
pub fn json_record(bytes: &[u8]) {
    let records = records();
    let mut notes = Notes::default();
    let read = records.read(bytes, &mut notes);
    let json = match bytes {
        [0, _, _, _, _, json @ ..] | [0xef, 0xbb, 0xbf, json @ ..] => json,
        json => json,
    };
    let tree = serde_json::from_slice::<Value>(json);
    let mut lines = b"before 1\n".to_vec();
    let source = Source {
        kafka_millis: Some(1_700_000_000_000),
        ..Source::default()
    };
    let encoded = LineEncoder::default().encode_from(&records, bytes, &source, &mut lines);
    if let Err(error) = read {
        assert!(error.byte <= bytes.len());
        check_text(&error.to_string());
        match &error.fault {
            JsonFault::Syntax(_) => assert!(tree.is_err(), "{error}"),
            JsonFault::NotAnObject => assert!(!tree.is_ok_and(|tree| tree.is_object()), "{error}"),
            _ => {}
        }
        assert!(encoded.is_err());
        assert_eq!(lines, b"before 1\n", "a refused record leaves nothing behind");
        return;
    }
    let tree = tree.expect("what is read is JSON");
    let mut scalars = Vec::new();
    flatten(&tree, "", false, &mut scalars);
    let is_tag = |name: &str| {
        name == "tag" || name == "tags" || is_within(&tree, name, "tags") || is_within(&tree, name, "tag")
    };
    let (tags, fields): (Vec<_>, Vec<_>) = scalars
        .into_iter()
        .filter(|(name, _)| name != "timestamp")
        .partition(|(name, _)| is_tag(name));
    let tags: Vec<_> = tags
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect();
    let fields: Vec<_> = fields
        .into_iter()
        .filter(|(name, _)| name != "time")
        .map(|(name, value)| {
            let given = given(&name, value);
            (name, given)
        })
        .collect();
    assert_eq!(notes.tags, tags);
    assert_eq!(notes.fields, fields);
    if let Ok(encoded) = encoded {
        let time = match notes.time {
            Some(Ok(micros)) => micros,
            _ => 1_700_000_000_000_000,
        };
        assert_eq!(encoded.time_micros, time);
        read_back(&lines[9..], "topic", &tags, &fields, time);
    }
}

/// Whether a flattened name is that of a value in the object or array under this key.
fn is_within(tree: &Value, name: &str, key: &str) -> bool {
    let mut inner = Vec::new();
    if let Some(value) = tree.get(key) {
        flatten(value, key, true, &mut inner);
    }
    inner.iter().any(|(known, _)| known == name)
}

/// All values but null, by their names.
fn flatten<'v>(value: &'v Value, name: &str, is_inner: bool, scalars: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (key, value) in members {
                let key = key.replace(' ', "_");
                let inner = if is_inner { format!("{name}_{key}") } else { key };
                flatten(value, &inner, true, scalars);
            }
        }
        Value::Array(items) => elements(items, name, "", scalars),
        _ => scalars.push((name.to_owned(), value)),
    }
}

/// The elements of an array; those of an array in it are set apart.
fn elements<'v>(items: &'v [Value], name: &str, separator: &str, scalars: &mut Vec<(String, &'v Value)>) {
    for (index, item) in items.iter().enumerate() {
        let name = format!("{name}{separator}{index}");
        match item {
            Value::Array(items) => elements(items, &name, "_", scalars),
            other => flatten(other, &name, true, scalars),
        }
    }
}

/// As a field: the name of a number says whether it is an integer.
fn given(name: &str, value: &Value) -> Given {
    match value {
        Value::Bool(value) => Given::Boolean(*value),
        Value::String(text) => Given::Text(text.clone()),
        number => {
            let double = number.as_f64().expect("a number");
            match name.starts_with('i') {
                true => Given::Integer(number.as_i64().unwrap_or(double as i64)),
                false => Given::Double(double.to_bits()),
            }
        }
    }
}

/// As a tag.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => number.as_f64().expect("a number").to_string(),
        other => other.to_string(),
    }
}
