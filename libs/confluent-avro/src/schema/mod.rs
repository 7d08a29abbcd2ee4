//! An Avro schema as types that refer to each other by number, so that a recursive type is as small as any
//! other. [`crate::point`] flattens it for the sink; [`crate::json`] reads and writes records with it.
//!
//! A schema comes from anyone who can write to the registry. Its text nests no deeper than serde_json reads
//! (128), and it has at most [`MAX_TYPES`] types. A named type is stored once however often it is used.

mod nesting;
mod parse;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

pub use nesting::MAX_NESTING;

/// The limit on types in a schema. The largest SAL topic has 214 fields.
pub const MAX_TYPES: usize = 20_000;

/// The text is not a schema that can be read here. Permanent: a retry does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text is not an Avro schema.
    #[error("not an Avro schema: {0}")]
    NotAvro(String),
    /// More types than any real topic has.
    #[error("more than {MAX_TYPES} types")]
    TooLarge,
}

/// A schema with every name resolved.
#[derive(Clone, Debug)]
pub struct Schema {
    types: Vec<Type>,
    root: TypeId,
}

/// A type's number in its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TypeId(usize);

/// A type. A malformed logical type counts as the type that it annotates, as the specification says.
#[derive(Clone, Debug)]
pub(crate) enum Type {
    Null,
    Boolean,
    Int(IntLogical),
    Long(LongLogical),
    Float,
    Double,
    Bytes(Option<Decimal>),
    String,
    Fixed(Fixed),
    Enum(Enum),
    Array(TypeId),
    Map(TypeId),
    Union(Vec<TypeId>),
    Record(Record),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntLogical {
    None,
    Date,
    TimeMillis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LongLogical {
    None,
    TimeMicros,
    Timestamp(Unit),
    LocalTimestamp(Unit),
}

/// The unit of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// The precision of a decimal and its scale, the number of digits after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) precision: usize,
    pub(crate) scale: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    pub(crate) name: String,
    pub(crate) size: usize,
    pub(crate) logical: FixedLogical,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FixedLogical {
    None,
    Decimal(Decimal),
    /// Twelve bytes: months, days and milliseconds.
    Duration,
    /// Sixteen bytes.
    Uuid,
}

#[derive(Clone, Debug)]
pub(crate) struct Enum {
    pub(crate) name: String,
    pub(crate) symbols: Arc<[Box<str>]>,
    pub(crate) positions: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The full name.
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    /// The fields by name, and whether each is required because it has no default.
    pub(crate) required: HashMap<String, bool>,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) of: TypeId,
    pub(crate) default: Option<Value>,
}

impl Schema {
    /// Parses a schema's JSON text as the registry returns it. What reading a record does not need is not judged: names
    /// that Avro does not allow, defaults of another type, aliases, a type that is declared again.
    pub fn parse(text: &str) -> Result<Schema, ParseError> {
        Schema::parse_with(text, &[] as &[&str])
    }

    /// The same of a schema that refers to others, which are in `referenced`: each after those to which it refers itself.
    pub fn parse_with(text: &str, referenced: &[impl AsRef<str>]) -> Result<Schema, ParseError> {
        let (types, root) = parse::parse(&json_of(text)?, &jsons_of(referenced)?)?;
        Ok(Schema { types, root })
    }

    /// The same where names become part of a point: all of them must be plain.
    pub(crate) fn from_json(json: &Value, referenced: &[Value]) -> Result<Schema, ParseError> {
        let (types, root) = parse::parse(json, referenced)?;
        for of in &types {
            of.check_names()?;
        }
        Ok(Schema { types, root })
    }

    pub(crate) fn root(&self) -> TypeId {
        self.root
    }

    pub(crate) fn get(&self, id: TypeId) -> &Type {
        // The parser of this schema created every number.
        self.types.get(id.0).unwrap_or(&Type::Null)
    }

    /// The name of a union's branch in Avro's JSON encoding: a named type's full name, or the type's own
    /// name.
    pub(crate) fn branch_name(&self, id: TypeId) -> &str {
        self.get(id).branch_name()
    }
}

fn json_of(text: &str) -> Result<Value, ParseError> {
    serde_json::from_str(text).map_err(|error| ParseError::NotAvro(error.to_string()))
}

/// The texts of schemas to which another refers, as JSON.
pub(crate) fn jsons_of(texts: &[impl AsRef<str>]) -> Result<Vec<Value>, ParseError> {
    texts.iter().map(|text| json_of(text.as_ref())).collect()
}

impl Type {
    /// Whether the names of the type and of its fields are plain.
    fn check_names(&self) -> Result<(), ParseError> {
        let bad = |text: String| Err(ParseError::NotAvro(text));
        match self {
            Type::Record(Record { name, .. })
            | Type::Enum(Enum { name, .. })
            | Type::Fixed(Fixed { name, .. })
                if !name.split('.').all(parse::is_plain) =>
            {
                return bad(format!("{name:?} is not a name for a type"));
            }
            Type::Record(record) => {
                if let Some(field) = record.fields.iter().find(|field| !parse::is_plain(&field.name)) {
                    return bad(format!(
                        "{:?}: {:?} is not a name for a field",
                        record.name, field.name
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn branch_name(&self) -> &str {
        match self {
            Type::Null => "null",
            Type::Boolean => "boolean",
            Type::Int(_) => "int",
            Type::Long(_) => "long",
            Type::Float => "float",
            Type::Double => "double",
            Type::Bytes(_) => "bytes",
            Type::String => "string",
            Type::Array(_) => "array",
            Type::Map(_) => "map",
            Type::Union(_) => "union",
            Type::Fixed(Fixed { name, .. })
            | Type::Enum(Enum { name, .. })
            | Type::Record(Record { name, .. }) => name,
        }
    }
}

/// The beginning of a JSON value, for error texts. JSON does not escape DEL and similar characters.
pub(crate) fn summary(json: &Value) -> String {
    let printable = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    json.to_string().chars().take(60).map(printable).collect()
}
