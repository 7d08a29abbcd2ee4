//! The SAL types of fields, from interface files, for schemas that were registered without wire extras. Published schemas
//! do not have them, and the text wire needs some: SAL does not send a `byte`, and prints an unsigned integer as signed.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::wire_extras::{IDL_TYPE, INDEXED};
use super::{TopicSchema, has_wire_extras};

/// What interface files say of topics and published schemas do not.
#[derive(Debug, Clone, Default)]
pub struct FieldTypes {
    by_topic: HashMap<String, OfTopic>,
}

#[derive(Debug, Clone, Default)]
struct OfTopic {
    indexed: Option<Value>,
    by_field: HashMap<String, Value>,
}

impl FieldTypes {
    /// From schemas that were made with [`Options::wire_extras`](super::Options::wire_extras).
    pub fn of<'s>(schemas: impl IntoIterator<Item = &'s TopicSchema>) -> Self {
        let topics = schemas.into_iter();
        Self {
            by_topic: topics
                .map(|schema| (schema.topic.as_str().to_owned(), OfTopic::new(&schema.schema)))
                .collect(),
        }
    }

    /// The schema of a SAL topic with these types; unchanged if it has wire extras of its own, or if nothing is known of
    /// the topic. For compiling a plan: it has the same fields, and so the same records.
    pub fn add_to<'t>(&self, topic: &str, schema: &'t str) -> Cow<'t, str> {
        let Some(known) = self.by_topic.get(topic) else {
            return schema.into();
        };
        match serde_json::from_str::<Value>(schema) {
            Ok(mut json) if !has_wire_extras(&json) => {
                known.add_to(&mut json);
                json.to_string().into()
            }
            _ => schema.into(),
        }
    }
}

impl OfTopic {
    fn new(schema: &Value) -> Self {
        let fields = schema.get("fields").and_then(Value::as_array);
        let type_of = |field: &Value| {
            let name = field.get("name")?.as_str()?.to_owned();
            Some((name, field.get(IDL_TYPE)?.clone()))
        };
        Self {
            indexed: schema.get(INDEXED).cloned(),
            by_field: fields.into_iter().flatten().filter_map(type_of).collect(),
        }
    }

    fn add_to(&self, schema: &mut Value) {
        let fields = schema.get_mut("fields").and_then(Value::as_array_mut);
        for field in fields.into_iter().flatten().filter_map(Value::as_object_mut) {
            let name = field.get("name").and_then(Value::as_str);
            if let Some(sal_type) = name.and_then(|name| self.by_field.get(name)) {
                field.insert(IDL_TYPE.to_owned(), sal_type.clone());
            }
        }
        if let (Some(indexed), Some(record)) = (&self.indexed, schema.as_object_mut()) {
            record.insert(INDEXED.to_owned(), indexed.clone());
        }
    }
}
