//! A message as one JSON object: what `tail --format json` prints.

use serde_json::{Map, Value};
use stage::readable::{add_headers, add_key};

use super::decode::Decoded;
use super::message::Message;

/// A message with its decoded value.
pub fn json(message: &Message, decoded: &Decoded) -> Value {
    let mut object = Map::new();
    object.insert("topic".into(), message.topic.as_str().into());
    object.insert("partition".into(), message.partition.into());
    object.insert("offset".into(), message.offset.into());
    object.insert("timestamp".into(), message.timestamp.into());
    match (&decoded.key, &message.key) {
        (Some(key), _) => {
            object.insert("key".into(), key.clone());
            object.insert("key_form".into(), "avro".into());
        }
        (None, Some(key)) => add_key(&mut object, key),
        (None, None) => {
            object.insert("key".into(), Value::Null);
        }
    }
    if let Some(problem) = &decoded.key_problem {
        object.insert("key_problem".into(), problem.as_str().into());
    }
    object.insert("form".into(), decoded.form.name().into());
    object.insert("value".into(), decoded.value.clone());
    if let Some(problem) = &decoded.problem {
        object.insert("problem".into(), problem.as_str().into());
    }
    match &message.headers {
        Some(headers) => {
            let headers = headers.iter();
            add_headers(
                &mut object,
                headers.map(|(name, value)| (name.as_str(), value.as_deref())),
            );
        }
        None => {
            object.insert("headers".into(), Value::Null);
        }
    }
    Value::Object(object)
}
