//! An Avro writer schema (JSON, Avro specification 1.12) as a typed tree, with names resolved and everything
//! refused that has no faithful place in a point. [`super::plan`] flattens it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::names::is_plain;
use super::time::TimeUnit;

/// How many types a schema may have once named types are put in where they are used. The largest SAL topic
/// has 214 fields; a small schema of types that use each other twice would grow without bound.
const MAX_TYPES: usize = 20_000;

/// Why records of a schema cannot become points. Permanent: each of its records is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The registered text is not an Avro schema.
    #[error("not an Avro schema: {0}")]
    NotAvro(String),
    /// The schema is not a record.
    #[error("expected a record, found {0}: only records have fields")]
    NotARecord(String),
    /// A type without a faithful place in a point.
    #[error("field {field:?}: {why}")]
    Unsupported {
        /// The field's flattened name.
        field: String,
        /// What is in the way.
        why: &'static str,
    },
    /// Two values would have the same flattened name.
    #[error("two values of this record would have the name {name:?} (# stands for an index)")]
    NameCollision {
        /// The name.
        name: String,
    },
    /// More types than any real topic has.
    #[error("more than {MAX_TYPES} types once named types are put in")]
    TooLarge,
}

impl SchemaError {
    /// A few words for a metric's label.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            SchemaError::NotAvro(_) => "schema_not_avro",
            SchemaError::NotARecord(_) => "schema_not_a_record",
            SchemaError::Unsupported { .. } => "schema_unsupported",
            SchemaError::NameCollision { .. } => "schema_name_collision",
            SchemaError::TooLarge => "schema_too_large",
        }
    }
}

/// A resolved type.
#[derive(Clone, Debug)]
pub(super) enum Type {
    Null,
    Boolean,
    Int,
    /// `long`, with the unit if its logical type is a time stamp in UTC.
    Long(Option<TimeUnit>),
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum(Vec<String>),
    Array(Box<Type>),
    Union(Vec<Type>),
    Record(Vec<Field>),
    /// A type that is read by none; refused with the reason where a field has it.
    Refused(&'static str),
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) of: Type,
}

/// The top-level record: its full name and fields.
pub(super) fn record(schema_json: &str) -> Result<(String, Vec<Field>), SchemaError> {
    let json: Value = serde_json::from_str(schema_json).map_err(|e| SchemaError::NotAvro(e.to_string()))?;
    // `{"type": {"type": "record", …}}` and a union are legal, but no record of SAL's is written so.
    let name = match json.as_object().map(|object| full_name(object, None)) {
        Some(name) if json.get("type").and_then(Value::as_str) == Some("record") => name?,
        _ => return Err(SchemaError::NotARecord(summary(&json))),
    };
    match (Resolver::default()).resolve(&json, None)? {
        Type::Record(fields) => Ok((name, fields)),
        _ => Err(SchemaError::NotARecord(summary(&json))),
    }
}

#[derive(Default)]
struct Resolver {
    /// Named types by full name; `None` while the type is being read, which makes a use of it a recursion.
    named: HashMap<String, Option<Type>>,
    types: usize,
}

impl Resolver {
    fn resolve(&mut self, json: &Value, namespace: Option<&str>) -> Result<Type, SchemaError> {
        self.count(1)?;
        match json {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.resolve(branch, namespace));
                Ok(Type::Union(branches.collect::<Result<_, _>>()?))
            }
            Value::Object(object) => self.complex(object, namespace),
            _ => Err(SchemaError::NotAvro(format!(
                "expected a type, found {}",
                summary(json)
            ))),
        }
    }

    fn count(&mut self, types: usize) -> Result<(), SchemaError> {
        self.types += types;
        if self.types > MAX_TYPES {
            Err(SchemaError::TooLarge)
        } else {
            Ok(())
        }
    }

    fn by_name(&mut self, name: &str, namespace: Option<&str>) -> Result<Type, SchemaError> {
        if let Some(primitive) = primitive(name) {
            return Ok(primitive);
        }
        let full = match namespace {
            Some(namespace) if !name.contains('.') => format!("{namespace}.{name}"),
            _ => name.to_owned(),
        };
        let found = self.named.get(&full).or_else(|| self.named.get(name)).cloned();
        match found {
            Some(Some(of)) => {
                self.count(size(&of))?;
                Ok(of)
            }
            Some(None) => Ok(Type::Refused(
                "a type that contains itself has no fixed set of field names",
            )),
            None => Err(SchemaError::NotAvro(format!("no type is named {full:?}"))),
        }
    }

    fn complex(&mut self, object: &Map<String, Value>, namespace: Option<&str>) -> Result<Type, SchemaError> {
        let name = match object.get("type") {
            Some(Value::String(name)) => name.as_str(),
            Some(inner) => return self.resolve(inner, namespace),
            None => return Err(SchemaError::NotAvro("a type has no \"type\"".to_owned())),
        };
        let logical = object
            .get("logicalType")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match (name, logical) {
            (_, "decimal") => Ok(Type::Refused(
                "neither a float nor an integer field holds a decimal exactly",
            )),
            ("fixed", "duration") => Ok(Type::Refused(
                "InfluxDB has no type for a duration of months and days",
            )),
            ("long", "timestamp-millis") => Ok(Type::Long(Some(TimeUnit::Millis))),
            ("long", "timestamp-micros") => Ok(Type::Long(Some(TimeUnit::Micros))),
            ("long", "timestamp-nanos") => Ok(Type::Long(Some(TimeUnit::Nanos))),
            ("map", _) => Ok(Type::Refused(
                "a map has no fixed set of field names: use a record",
            )),
            ("array", _) => {
                let items = self.resolve(member(object, "items")?, namespace)?;
                match may_be_empty(&items) {
                    true => Ok(Type::Refused("an array of nothing carries nothing")),
                    false => Ok(Type::Array(Box::new(items))),
                }
            }
            ("record" | "error" | "enum" | "fixed", _) => {
                let full = full_name(object, namespace)?;
                if self.named.insert(full.clone(), None).is_some() {
                    return Err(SchemaError::NotAvro(format!("two types are named {full:?}")));
                }
                let of = self.named(name, object, &full)?;
                self.named.insert(full, Some(of.clone()));
                Ok(of)
            }
            (name, _) => self.by_name(name, namespace),
        }
    }

    fn named(&mut self, kind: &str, object: &Map<String, Value>, full: &str) -> Result<Type, SchemaError> {
        let own_namespace = full.rsplit_once('.').map(|(namespace, _)| namespace);
        let bad = |what: &str| SchemaError::NotAvro(format!("{full:?}: {what}"));
        match kind {
            "enum" => {
                let symbols = member(object, "symbols")?
                    .as_array()
                    .ok_or_else(|| bad("symbols is no list"))?;
                let text = |s: &Value| {
                    s.as_str()
                        .map(str::to_owned)
                        .ok_or_else(|| bad("a symbol is no string"))
                };
                Ok(Type::Enum(symbols.iter().map(text).collect::<Result<_, _>>()?))
            }
            "fixed" => {
                let size = member(object, "size")?
                    .as_u64()
                    .and_then(|size| usize::try_from(size).ok());
                size.map(Type::Fixed).ok_or_else(|| bad("size is no number"))
            }
            _ => {
                let fields = member(object, "fields")?
                    .as_array()
                    .ok_or_else(|| bad("fields is no list"))?;
                let field = |json: &Value| {
                    let object = json.as_object().ok_or_else(|| bad("a field is no object"))?;
                    let name = member(object, "name")?.as_str().unwrap_or_default();
                    if !is_plain(name) {
                        return Err(bad(&format!("{name:?} is no name for a field")));
                    }
                    let of = self.resolve(member(object, "type")?, own_namespace)?;
                    Ok(Field {
                        name: name.to_owned(),
                        of,
                    })
                };
                Ok(Type::Record(fields.iter().map(field).collect::<Result<_, _>>()?))
            }
        }
    }
}

fn primitive(name: &str) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int,
        "long" => Type::Long(None),
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes,
        "string" => Type::Text,
        _ => return None,
    })
}

fn member<'j>(object: &'j Map<String, Value>, key: &str) -> Result<&'j Value, SchemaError> {
    object
        .get(key)
        .ok_or_else(|| SchemaError::NotAvro(format!("a type or field has no {key:?}")))
}

/// A named type's full name (Avro specification, "Names"): a name with dots is full already.
fn full_name(object: &Map<String, Value>, enclosing: Option<&str>) -> Result<String, SchemaError> {
    let name = member(object, "name")?.as_str().unwrap_or_default();
    let namespace = object
        .get("namespace")
        .and_then(Value::as_str)
        .or(enclosing)
        .filter(|n| !n.is_empty());
    let full = match namespace {
        Some(namespace) if !name.contains('.') => format!("{namespace}.{name}"),
        _ => name.to_owned(),
    };
    if full.split('.').all(is_plain) {
        Ok(full)
    } else {
        Err(SchemaError::NotAvro(format!("{full:?} is no name for a type")))
    }
}

/// Whether a value of the type may take no bytes at all.
fn may_be_empty(of: &Type) -> bool {
    match of {
        Type::Null | Type::Fixed(0) => true,
        Type::Record(fields) => fields.iter().all(|field| may_be_empty(&field.of)),
        _ => false,
    }
}

fn size(of: &Type) -> usize {
    1 + match of {
        Type::Array(items) => size(items),
        Type::Union(branches) => branches.iter().map(size).sum(),
        Type::Record(fields) => fields.iter().map(|field| size(&field.of)).sum(),
        _ => 0,
    }
}

/// The start of it, for an error's text; JSON leaves DEL and its like as they are.
fn summary(json: &Value) -> String {
    let printable = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    json.to_string().chars().take(60).map(printable).collect()
}
