//! Maps: an object, or a list of entries if a key occurs twice, which Avro allows and an object cannot hold.

use serde_json::{Map, Value};

/// The entries in their order.
pub(super) fn shown(entries: Vec<(String, Value)>) -> Value {
    let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    if keys.windows(2).all(|pair| pair.first() != pair.last()) {
        return Value::Object(entries.into_iter().collect());
    }
    let entry = |(key, value)| {
        let mut entry = Map::new();
        entry.insert("key".to_owned(), Value::String(key));
        entry.insert("value".to_owned(), value);
        Value::Object(entry)
    };
    Value::Array(entries.into_iter().map(entry).collect())
}

/// The entries in the JSON; `None` if it is not a map.
pub(super) fn entries(json: &Value) -> Option<Vec<(&str, &Value)>> {
    match json {
        Value::Object(object) => Some(object.iter().map(|(key, value)| (key.as_str(), value)).collect()),
        Value::Array(list) => list
            .iter()
            .map(|entry| match (entry.get("key"), entry.get("value")) {
                (Some(Value::String(key)), Some(value)) if entry.as_object()?.len() == 2 => {
                    Some((key.as_str(), value))
                }
                _ => None,
            })
            .collect(),
        _ => None,
    }
}
