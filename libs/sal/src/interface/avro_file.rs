//! A camera's `.avsc` file, `interfaces/<Component>/<topic>.avsc`: a topic that already is an Avro record.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::{InterfaceError, Place, Problem};
use crate::name::TopicName;

/// A topic that its owners wrote as an Avro record, without SAL's private fields.
#[derive(Debug, Clone, PartialEq)]
pub struct AvroFile {
    /// The topic's name: the folder's name and the file's stem.
    pub name: TopicName,
    /// Where it is defined.
    pub place: Place,
    /// The record as written; `fields` is an array of objects with a `name`.
    pub record: Map<String, Value>,
}

/// Reads the file at `path`, whose last folder is the component.
pub(super) fn read(path: &Arc<str>, bytes: &[u8]) -> Result<AvroFile, InterfaceError> {
    let refuse = |line: usize, reason: String| {
        Place::new(path, u32::try_from(line).unwrap_or(u32::MAX)).error(None, Problem::AvroFile { reason })
    };
    let mut parts = path.rsplit('/');
    let stem = parts
        .next()
        .and_then(|file| file.strip_suffix(".avsc"))
        .unwrap_or_default();
    let name = TopicName::join(parts.next().unwrap_or_default(), stem)
        .map_err(|error| refuse(1, format!("its path is <component>/<topic>.avsc, but {error}")))?;
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| refuse(error.line().max(1), error.to_string()))?;
    let Value::Object(record) = value else {
        return Err(refuse(1, "the document is not a JSON object".to_owned()));
    };
    if record.get("type").and_then(Value::as_str) != Some("record") {
        return Err(refuse(1, "\"type\" is not \"record\"".to_owned()));
    }
    let fields = record.get("fields").and_then(Value::as_array);
    if !fields.is_some_and(|fields| {
        fields
            .iter()
            .all(|field| field.get("name").is_some_and(Value::is_string))
    }) {
        return Err(refuse(
            1,
            "\"fields\" is not an array of objects with a \"name\"".to_owned(),
        ));
    }
    Ok(AvroFile {
        name,
        place: Place::new(path, 1),
        record,
    })
}
