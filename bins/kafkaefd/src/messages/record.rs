//! JSON to Avro by a schema, field by field, so that what does not fit is named: its field, what was expected and what was
//! found. The way back of [`super::decode`].
//!
//! A field that is missing takes the schema's default; a union takes its first branch that fits; bytes are text of the
//! code points 0 to 255 (Avro's own JSON form) or an array of numbers; `NaN`, `inf` and `-inf` are texts.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{RecordSchema, UuidSchema};
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Map, Value};

use crate::failure::nearest;

/// Values within each other: more are a mistake, and would end the stack.
const DEEPEST: usize = 50;

/// Writes records of one schema, framed.
pub struct RecordWriter {
    schema: Schema,
    id: u32,
}

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}expected {expected}, found {found}", place(field))]
pub struct Misfit {
    /// `a.b[0]`; empty for the record itself.
    pub field: String,
    /// What the schema wants.
    pub expected: String,
    /// What stands there, shortened.
    pub found: String,
}

fn place(field: &str) -> String {
    if field.is_empty() {
        String::new()
    } else {
        format!("field {field}: ")
    }
}

impl RecordWriter {
    /// By the schema that the registry has under this id.
    pub fn new(id: u32, schema: &str) -> Result<Self, String> {
        let schema = Schema::parse_str(schema).map_err(|error| pipeline::chain(&error))?;
        Ok(Self { schema, id })
    }

    /// A Confluent frame.
    pub fn write(&self, json: &Value) -> Result<Vec<u8>, Misfit> {
        let mut names = HashMap::new();
        collect(&self.schema, &mut names);
        let value = Shape { names }.fit(&self.schema, json, &mut Vec::new())?;
        let mut frame = vec![0];
        frame.extend_from_slice(&self.id.to_be_bytes());
        let written = GenericDatumWriter::builder(&self.schema)
            .build()
            .and_then(|writer| writer.write_value_to_vec(value));
        // What fits is written; a schema that Avro's own check refuses is named by it.
        frame.extend(written.map_err(|error| Misfit {
            field: String::new(),
            expected: "a record of the schema".to_owned(),
            found: pipeline::chain(&error),
        })?);
        Ok(frame)
    }
}

/// The named types, so that references to them can be followed.
struct Shape<'s> {
    names: HashMap<String, &'s Schema>,
}

fn collect<'s>(schema: &'s Schema, names: &mut HashMap<String, &'s Schema>) {
    // A reference has its target's name, too.
    if let (Some(name), false) = (schema.name(), matches!(schema, Schema::Ref { .. })) {
        names.insert(name.fullname(None), schema);
    }
    match schema {
        Schema::Record(record) => record
            .fields
            .iter()
            .for_each(|field| collect(&field.schema, names)),
        Schema::Array(array) => collect(&array.items, names),
        Schema::Map(map) => collect(&map.types, names),
        Schema::Union(union) => union.variants().iter().for_each(|branch| collect(branch, names)),
        _ => {}
    }
}

/// A step into a value, for error messages.
enum Step {
    Name(String),
    Index(usize),
}

fn path(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Name(name) if text.is_empty() => text.push_str(name),
            Step::Name(name) => text.extend([".", name]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

fn misfit(steps: &[Step], expected: impl Into<String>, found: &Value) -> Misfit {
    let found = found.to_string();
    Misfit {
        field: path(steps),
        expected: expected.into(),
        found: match found.char_indices().nth(60) {
            Some((cut, _)) => format!("{}…", found.get(..cut).unwrap_or_default()),
            None => found,
        },
    }
}

impl Shape<'_> {
    fn fit(&self, schema: &Schema, json: &Value, at: &mut Vec<Step>) -> Result<Avro, Misfit> {
        let wrong = |at: &[Step], expected: &str| Err(misfit(at, expected, json));
        match schema {
            Schema::Null => match json {
                Value::Null => Ok(Avro::Null),
                _ => wrong(at, "null"),
            },
            Schema::Boolean => match json {
                Value::Bool(value) => Ok(Avro::Boolean(*value)),
                _ => wrong(at, "true or false"),
            },
            Schema::Int | Schema::Date | Schema::TimeMillis => {
                let Some(value) = json.as_i64().and_then(|value| i32::try_from(value).ok()) else {
                    return wrong(at, "an integer of 32 bits");
                };
                Ok(match schema {
                    Schema::Date => Avro::Date(value),
                    Schema::TimeMillis => Avro::TimeMillis(value),
                    _ => Avro::Int(value),
                })
            }
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => {
                let Some(value) = json.as_i64() else {
                    return wrong(at, "an integer of 64 bits");
                };
                Ok(match schema {
                    Schema::TimeMicros => Avro::TimeMicros(value),
                    Schema::TimestampMillis => Avro::TimestampMillis(value),
                    Schema::TimestampMicros => Avro::TimestampMicros(value),
                    Schema::TimestampNanos => Avro::TimestampNanos(value),
                    Schema::LocalTimestampMillis => Avro::LocalTimestampMillis(value),
                    Schema::LocalTimestampMicros => Avro::LocalTimestampMicros(value),
                    Schema::LocalTimestampNanos => Avro::LocalTimestampNanos(value),
                    _ => Avro::Long(value),
                })
            }
            Schema::Float => match real(json) {
                // A float's own digits, not those of the double that is nearest to them.
                Some(value)
                    if value.is_nan() || value.is_infinite() || value.abs() <= f64::from(f32::MAX) =>
                {
                    Ok(Avro::Float(value as f32))
                }
                _ => wrong(at, "a number of 32 bits, \"NaN\", \"inf\" or \"-inf\""),
            },
            Schema::Double => match real(json) {
                Some(value) => Ok(Avro::Double(value)),
                None => wrong(at, "a number, \"NaN\", \"inf\" or \"-inf\""),
            },
            Schema::String | Schema::Uuid(UuidSchema::String) => match json {
                Value::String(text) => Ok(Avro::String(text.clone())),
                _ => wrong(at, "a text"),
            },
            Schema::Bytes => match bytes(json) {
                Some(bytes) => Ok(Avro::Bytes(bytes)),
                None => wrong(
                    at,
                    "bytes: a text of code points up to 255, or an array of numbers up to 255",
                ),
            },
            Schema::Fixed(fixed) => match bytes(json) {
                Some(bytes) if bytes.len() == fixed.size => Ok(Avro::Fixed(fixed.size, bytes)),
                _ => wrong(at, &format!("{} bytes", fixed.size)),
            },
            Schema::Enum(symbols) => {
                let position = json
                    .as_str()
                    .and_then(|text| symbols.symbols.iter().position(|symbol| symbol == text));
                match (position, json.as_str()) {
                    (Some(position), Some(text)) => Ok(Avro::Enum(position as u32, text.to_owned())),
                    _ => wrong(at, &format!("one of {}", symbols.symbols.join(", "))),
                }
            }
            Schema::Array(array) => {
                let Value::Array(items) = json else {
                    return wrong(at, "an array");
                };
                let fitted = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.inside(Step::Index(index), &array.items, item, at));
                fitted.collect::<Result<_, _>>().map(Avro::Array)
            }
            Schema::Map(map) => {
                let Value::Object(values) = json else {
                    return wrong(at, "an object");
                };
                let fitted = values.iter().map(|(name, value)| {
                    let value = self.inside(Step::Name(name.clone()), &map.types, value, at)?;
                    Ok((name.clone(), value))
                });
                fitted.collect::<Result<_, _>>().map(Avro::Map)
            }
            Schema::Union(union) => {
                let mut nearest = None;
                for (position, branch) in union.variants().iter().enumerate() {
                    match self.fit(branch, json, at) {
                        Ok(value) => return Ok(Avro::Union(position as u32, Box::new(value))),
                        Err(error) if *branch != Schema::Null => nearest = nearest.or(Some(error)),
                        Err(_) => {}
                    }
                }
                // Of several branches, what the first that is not null wanted.
                Err(nearest.unwrap_or_else(|| misfit(at, "null", json)))
            }
            Schema::Record(record) => match json {
                Value::Object(object) => self.record(record, object, at),
                _ => wrong(at, "an object"),
            },
            Schema::Ref { name } => match self.names.get(&name.fullname(None)) {
                Some(schema) => self.fit(schema, json, at),
                None => wrong(at, &format!("a type {name}, which the schema does not define")),
            },
            _ => wrong(
                at,
                "a type that this command can write (not decimal, duration or a uuid of bytes)",
            ),
        }
    }

    fn inside(&self, step: Step, schema: &Schema, json: &Value, at: &mut Vec<Step>) -> Result<Avro, Misfit> {
        at.push(step);
        if at.len() > DEEPEST {
            return Err(misfit(
                at,
                format!("no more than {DEEPEST} values within each other"),
                json,
            ));
        }
        let fitted = self.fit(schema, json, at);
        at.pop();
        fitted
    }

    fn record(
        &self,
        record: &RecordSchema,
        object: &Map<String, Value>,
        at: &mut Vec<Step>,
    ) -> Result<Avro, Misfit> {
        if let Some((name, value)) = object.iter().find(|(name, _)| !record.lookup.contains_key(*name)) {
            at.push(Step::Name(name.clone()));
            let near = nearest(name, record.fields.iter().map(|field| field.name.as_str()));
            let expected = match near.first() {
                Some(near) => format!("no such field (is it {near}?)"),
                None => "no such field".to_owned(),
            };
            return Err(misfit(at, expected, value));
        }
        let fields = record.fields.iter().map(|field| {
            let step = Step::Name(field.name.clone());
            let value = match (object.get(&field.name), &field.default) {
                (Some(value), _) | (None, Some(value)) => self.inside(step, &field.schema, value, at)?,
                (None, None) => {
                    at.push(step);
                    return Err(Misfit {
                        field: path(at),
                        expected: "a value, as the schema has no default".to_owned(),
                        found: "none".to_owned(),
                    });
                }
            };
            Ok((field.name.clone(), value))
        });
        fields.collect::<Result<_, _>>().map(Avro::Record)
    }
}

fn real(json: &Value) -> Option<f64> {
    match json {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "inf" | "Infinity" => Some(f64::INFINITY),
            "-inf" | "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn bytes(json: &Value) -> Option<Vec<u8>> {
    match json {
        Value::String(text) => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_u64().and_then(|item| u8::try_from(item).ok()))
            .collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use apache_avro::reader::datum::GenericDatumReader;
    use salmock::readable::to_json;
    use serde_json::json;

    const SCHEMA: &str = r#"{"type": "record", "name": "R", "namespace": "n", "fields": [
        {"name": "i", "type": "int"},
        {"name": "f", "type": "float", "default": 1.5},
        {"name": "u", "type": ["null", "long"], "default": null},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["On", "Off"]}, "default": "On"},
        {"name": "a", "type": {"type": "array", "items": "double"}, "default": []},
        {"name": "b", "type": "bytes", "default": "\u0041"},
        {"name": "again", "type": "E", "default": "Off"},
        {"name": "in", "type": {"type": "record", "name": "In", "fields": [{"name": "s", "type": "string"}]},
         "default": {"s": ""}}
    ]}"#;

    fn written(json: &Value) -> Result<Value, String> {
        let writer = RecordWriter::new(7, SCHEMA).unwrap();
        let frame = writer.write(json).map_err(|misfit| misfit.to_string())?;
        assert_eq!(frame[..5], [0, 0, 0, 0, 7]);
        let reader = GenericDatumReader::builder(&writer.schema).build().unwrap();
        Ok(to_json(reader.read_value(&mut &frame[5..]).unwrap()))
    }

    #[test]
    fn records_are_written_and_read_back() {
        assert_eq!(
            written(&json!({"i": 1})).unwrap(),
            json!({"i": 1, "f": 1.5, "u": null, "e": "On", "a": [], "b": "A", "again": "Off", "in": {"s": ""}})
        );
        let all = json!({"i": -5, "f": 0.1, "u": 9, "e": "Off", "a": [1, 2.5, "NaN"], "b": "xyz", "again": "On",
                         "in": {"s": "ä"}});
        let mut read = all.clone();
        read["a"][0] = json!(1.0);
        assert_eq!(written(&all).unwrap(), read);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (json, said) in [
            (json!(5), "expected an object, found 5"),
            (
                json!({}),
                "field i: expected a value, as the schema has no default, found none",
            ),
            (
                json!({"i": "x"}),
                "field i: expected an integer of 32 bits, found \"x\"",
            ),
            (
                json!({"i": 3_000_000_000_u32}),
                "field i: expected an integer of 32 bits, found 3000000000",
            ),
            (
                json!({"i": 1.5}),
                "field i: expected an integer of 32 bits, found 1.5",
            ),
            (
                json!({"i": 1, "u": "x"}),
                "field u: expected an integer of 64 bits, found \"x\"",
            ),
            (
                json!({"i": 1, "e": "Of"}),
                "field e: expected one of On, Off, found \"Of\"",
            ),
            (
                json!({"i": 1, "a": [1, "x"]}),
                "field a[1]: expected a number, \"NaN\", \"inf\" or \"-inf\", found \"x\"",
            ),
            (
                json!({"i": 1, "in": {"s": 1}}),
                "field in.s: expected a text, found 1",
            ),
            (
                json!({"i": 1, "in": {}}),
                "field in.s: expected a value, as the schema has no default, found none",
            ),
            (
                json!({"i": 1, "agian": "On"}),
                "field agian: expected no such field (is it again?), found \"On\"",
            ),
            (
                json!({"i": 1, "f": 1e300}),
                "field f: expected a number of 32 bits, \"NaN\", \"inf\" or \"-inf\", found 1e+300",
            ),
        ] {
            let error = written(&json).unwrap_err();
            assert_eq!(error, said);
        }
        let chain = r#"{"type": "record", "name": "N", "fields": [{"name": "n", "type": ["null", "N"]}]}"#;
        let deep = |depth| (0..depth).fold(json!({"n": null}), |inner, _| json!({ "n": inner }));
        let writer = RecordWriter::new(1, chain).unwrap();
        assert!(writer.write(&deep(DEEPEST - 1)).is_ok());
        let misfit = writer.write(&deep(DEEPEST)).unwrap_err();
        assert!(misfit.expected.contains("no more than 50"), "{misfit}");
        assert!(written(&json!({"i": "x".repeat(1_000)})).unwrap_err().len() < 200);
    }
}
