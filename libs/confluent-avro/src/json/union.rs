//! Unions: the branch's value alone if it is read back as the same branch, otherwise under the branch's name,
//! which is Avro's own JSON encoding. An object with one key that is the name of a branch is always the
//! latter.

use serde_json::{Map, Value};

use super::{map, scalar};
use crate::schema::{FixedLogical, Schema, Type, TypeId};

/// The value of a branch as it is shown.
pub(super) fn shown(schema: &Schema, branches: &[TypeId], branch: usize, value: Value) -> Value {
    let earlier = branches.get(..branch).unwrap_or_default();
    let is_clear = named(schema, branches, &value).is_none()
        && !earlier.iter().any(|of| may_read(schema, schema.get(*of), &value));
    if is_clear {
        return value;
    }
    under_its_name(schema, branches, branch, value)
}

/// The value of a branch in Avro's own JSON encoding: under the branch's name, but for null.
pub(super) fn typed(schema: &Schema, branches: &[TypeId], branch: usize, value: Value) -> Value {
    match branches.get(branch).map(|of| schema.get(*of)) {
        Some(Type::Null) => value,
        _ => under_its_name(schema, branches, branch, value),
    }
}

fn under_its_name(schema: &Schema, branches: &[TypeId], branch: usize, value: Value) -> Value {
    let name = branches.get(branch).map_or("", |of| schema.branch_name(*of));
    let mut object = Map::new();
    object.insert(name.to_owned(), value);
    Value::Object(object)
}

/// The branch that an object with one key names, and its value. Some libraries write a named type without its namespace,
/// and a logical type behind the type that it annotates (`long.timestamp-millis`).
pub(super) fn named<'j>(schema: &Schema, branches: &[TypeId], json: &'j Value) -> Option<(usize, &'j Value)> {
    let object = json.as_object().filter(|object| object.len() == 1)?;
    let (name, value) = object.iter().next()?;
    let position = |is: &dyn Fn(&str) -> bool| branches.iter().position(|of| is(schema.branch_name(*of)));
    let branch = position(&|branch| branch == name)
        .or_else(|| position(&|branch| branch.rsplit_once('.').is_some_and(|(_, short)| short == name)))
        .or_else(|| {
            let (of, logical) = name.split_once('.')?;
            let is_logical = PRIMITIVES.contains(&of) && !logical.is_empty();
            is_logical.then(|| position(&|branch| branch == of)).flatten()
        })?;
    Some((branch, value))
}

/// The types that logical types annotate.
const PRIMITIVES: [&str; 4] = ["int", "long", "bytes", "string"];

/// Whether the JSON could be read as this type. True if only its inner values could tell: then the name is
/// shown, which is always correct.
fn may_read(schema: &Schema, of: &Type, json: &Value) -> bool {
    match of {
        Type::Array(_) => json.is_array(),
        Type::Map(_) => map::entries(json).is_some(),
        Type::Record(record) => json.as_object().is_some_and(|object| {
            let is_field = |name: &String| record.required.contains_key(name);
            let is_required = |name: &&String| record.required.get(*name).copied().unwrap_or_default();
            let required = record.required.values().filter(|required| **required).count();
            object.keys().all(is_field) && object.keys().filter(is_required).count() == required
        }),
        // Not inspected further: there can be as many such branches as the schema has types.
        Type::Fixed(fixed) if fixed.logical == FixedLogical::None => match json {
            Value::String(text) => (fixed.size..=fixed.size.saturating_mul(2)).contains(&text.len()),
            other => other.is_array(),
        },
        Type::Enum(known) => json
            .as_str()
            .is_some_and(|symbol| known.positions.contains_key(symbol)),
        Type::Union(branches) => branches.iter().any(|of| may_read(schema, schema.get(*of), json)),
        other => scalar::write(other, json, false, &mut Vec::new()).is_ok(),
    }
}
