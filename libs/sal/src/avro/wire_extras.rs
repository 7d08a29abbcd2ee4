//! The option `wire_extras` of both dialects: what the text wire carries and the published schemas leave out.
//! `plan` reads these attributes and fills these fields, so nothing on the wire has to be inferred.

use serde_json::{Value, json};

use super::has_wire_extras;
use crate::interface::{Component, SalType, Topic};
use crate::name::{Dialect, Kind};

/// Attribute of a record: whether the wire carries the component's index.
pub(super) const INDEXED: &str = "sal_indexed";

/// Attribute of a field: its SAL type.
pub(super) const IDL_TYPE: &str = "sal_idl_type";

/// A field after a topic's items.
pub(super) struct Extra {
    pub(super) name: String,
    pub(super) avro_type: &'static str,
    pub(super) default: Value,
    pub(super) description: &'static str,
}

/// The extra fields of a topic, except those whose name is also the name of an item.
pub(super) fn fields(component: &Component, topic: &Topic, dialect: Dialect) -> Vec<Extra> {
    let extra = |name: &str, avro_type, default: Value, description| Extra {
        name: name.to_owned(),
        avro_type,
        default,
        description,
    };
    let mut extras = Vec::new();
    if component.indexed() == Some(true) && dialect == Dialect::Efd {
        let name = format!("{}ID", component.name);
        extras.push(extra(
            &name,
            "int",
            json!(0),
            "Index of the component's instance.",
        ));
    }
    if topic.kind == Kind::Command {
        for name in ["device", "property", "action", "itemValue"] {
            extras.push(extra(
                name,
                "string",
                json!(""),
                "Part of a command's address, SAL 3.",
            ));
        }
        if topic.items.is_empty() {
            extras.push(extra(
                "state",
                "boolean",
                json!(false),
                "The value of a command without items.",
            ));
        }
    }
    if topic.kind == Kind::Event {
        extras.push(extra("priority", "int", json!(0), "The event's priority."));
    }
    extras.retain(|extra| topic.items.iter().all(|item| item.name != extra.name));
    extras
}

/// Whether SAL's generator omits values of this type from its messages.
pub(super) fn is_omitted(sal_type: SalType) -> bool {
    matches!(sal_type, SalType::Byte | SalType::Octet)
}

/// The objection to a schema without wire extras that would replace one with them: what it loses. `None` if it loses
/// nothing, or if either text is not JSON.
pub fn lost_wire_extras(latest: &str, new: &str) -> Option<String> {
    let latest: Value = serde_json::from_str(latest).ok()?;
    let new: Value = serde_json::from_str(new).ok()?;
    if !has_wire_extras(&latest) || has_wire_extras(&new) {
        return None;
    }
    let names = |schema: &Value| -> Vec<String> {
        let fields = schema.get("fields").and_then(Value::as_array);
        let names = fields
            .into_iter()
            .flatten()
            .filter_map(|field| field.get("name")?.as_str());
        names.map(str::to_owned).collect()
    };
    let kept = names(&new);
    let mut lost = names(&latest);
    lost.retain(|name| !kept.contains(name));
    lost.push("the SAL types of its fields".to_owned());
    Some(format!(
        "has wire extras, and this one would lose them ({}): messages no longer fit it",
        lost.join(", ")
    ))
}
