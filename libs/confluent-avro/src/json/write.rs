//! JSON to Avro, field by field, so that errors name the field.

use serde_json::{Map, Value};

use super::binary::{bytes, length};
use super::misfit::Step;
use super::{MAX_DEPTH, Misfit, map, scalar, union};
use crate::schema::{Record, Schema, Type, TypeId};

/// The limit on attempts to read a value as a type. Branches of unions are tried in turn, and so are those
/// within them, which could take exponential time. This many per value of the JSON, plus some for defaults.
const ATTEMPTS_A_VALUE: usize = 20;
const MORE_ATTEMPTS: usize = 100_000;

pub(super) fn record(schema: &Schema, json: &Value, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let mut writer = Writer {
        schema,
        at: Vec::new(),
        is_default: false,
        left: ATTEMPTS_A_VALUE * values(json) + MORE_ATTEMPTS,
    };
    writer.value(schema.root(), json, 0, out)
}

struct Writer<'s> {
    schema: &'s Schema,
    at: Vec<Step>,
    /// Whether this is within a field's default, where a logical type is written as the type that it
    /// annotates.
    is_default: bool,
    left: usize,
}

fn values(json: &Value) -> usize {
    1 + match json {
        Value::Array(list) => list.iter().map(values).sum(),
        Value::Object(object) => object.values().map(values).sum(),
        _ => 0,
    }
}

impl<'s> Writer<'s> {
    fn value(&mut self, of: TypeId, json: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let of = self.schema.get(of);
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return Err(self.misfit("fewer values, or unions whose branch is named", json)),
        };
        let depth = match of {
            Type::Array(_) | Type::Map(_) | Type::Record(_) => depth + 1,
            _ => depth,
        };
        if depth > MAX_DEPTH {
            return Err(self.misfit(&format!("at most {MAX_DEPTH} nested values"), json));
        }
        match of {
            Type::Record(record) => match json {
                Value::Object(object) => self.record(record, object, depth, out),
                _ => Err(self.misfit("an object", json)),
            },
            Type::Array(items) => match json {
                Value::Array(list) => self.array(*items, list, depth, out),
                _ => Err(self.misfit("an array", json)),
            },
            Type::Map(values) => match map::entries(json) {
                Some(entries) => self.map(*values, &entries, depth, out),
                None => Err(self.misfit("an object, or a list of {\"key\", \"value\"}", json)),
            },
            Type::Union(branches) => self.union(branches, json, depth, out),
            other => scalar::write(other, json, self.is_default, out)
                .map_err(|expected| self.misfit(&expected, json)),
        }
    }

    fn misfit(&self, expected: &str, found: &Value) -> Misfit {
        Misfit::new(&self.at, expected, found)
    }

    /// Runs `write` one step deeper, for a value within this one.
    fn inside(
        &mut self,
        step: Step,
        of: TypeId,
        json: &Value,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Misfit> {
        self.at.push(step);
        let written = self.value(of, json, depth, out);
        self.at.pop();
        written
    }

    fn array(
        &mut self,
        items: TypeId,
        list: &[Value],
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Misfit> {
        if !list.is_empty() {
            length(list.len(), out);
        }
        for (index, item) in list.iter().enumerate() {
            self.inside(Step::Index(index), items, item, depth, out)?;
        }
        out.push(0);
        Ok(())
    }

    fn map(
        &mut self,
        values: TypeId,
        entries: &[(&str, &Value)],
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Misfit> {
        if !entries.is_empty() {
            length(entries.len(), out);
        }
        for (key, value) in entries {
            bytes(key.as_bytes(), out);
            self.inside(Step::Name((*key).to_owned()), values, value, depth, out)?;
        }
        out.push(0);
        Ok(())
    }

    fn union(
        &mut self,
        branches: &[TypeId],
        json: &Value,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Misfit> {
        let start = out.len();
        let mut nearest: Option<Misfit> = None;
        let named = union::named(self.schema, branches, json);
        let plain = branches.iter().enumerate().map(|(branch, _)| (branch, json));
        for (branch, json) in named.into_iter().chain(plain) {
            let Some(of) = branches.get(branch).copied() else {
                continue;
            };
            out.truncate(start);
            length(branch, out);
            match self.value(of, json, depth, out) {
                Ok(()) => return Ok(()),
                // If several branches fail, report what the first non-null branch expected.
                Err(misfit) if !matches!(self.schema.get(of), Type::Null) => {
                    nearest.get_or_insert(misfit);
                }
                Err(_) => {}
            }
        }
        Err(nearest.unwrap_or_else(|| self.misfit("null", json)))
    }

    fn record(
        &mut self,
        record: &'s Record,
        object: &Map<String, Value>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Misfit> {
        if let Some((name, value)) = object
            .iter()
            .find(|(name, _)| !record.required.contains_key(*name))
        {
            self.at.push(Step::Name(name.clone()));
            let misfit = Misfit {
                known: record.fields.iter().map(|field| field.name.clone()).collect(),
                ..self.misfit("no such field", value)
            };
            self.at.pop();
            return Err(misfit);
        }
        for field in &record.fields {
            let step = Step::Name(field.name.clone());
            match (object.get(&field.name), &field.default) {
                (Some(value), _) => self.inside(step, field.of, value, depth, out)?,
                (None, Some(value)) => {
                    let outer = std::mem::replace(&mut self.is_default, true);
                    let written = self.inside(step, field.of, value, depth, out);
                    self.is_default = outer;
                    written?;
                }
                (None, None) => {
                    self.at.push(step);
                    let expected = "a value, as the schema has no default";
                    let misfit = Misfit::of_text(&self.at, expected, "none");
                    self.at.pop();
                    return Err(misfit);
                }
            }
        }
        Ok(())
    }
}
