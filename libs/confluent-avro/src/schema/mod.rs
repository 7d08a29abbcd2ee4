//! An Avro schema as types that refer to each other by number, so that a type which contains itself is as small as any
//! other. [`crate::point`] flattens it for the sink, [`crate::json`] reads and writes records by it.
//!
//! A schema comes from whoever may write to the registry: its text nests no deeper than serde_json reads (128), and it has
//! no more than [`MAX_TYPES`] types. A named type is kept once however often it is used.

mod nesting;
mod parse;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

pub use nesting::MAX_NESTING;

/// How many types a schema may have. The largest SAL topic has 214 fields.
pub const MAX_TYPES: usize = 20_000;

/// The text is not a schema that is read here. Permanent.
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

/// A type; logical types that are not well-formed count as the type that they annotate, as the specification says.
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

/// The unit of a time stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// Digits of a decimal, and how many of them stand behind the point.
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
    /// Their positions.
    pub(crate) positions: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The full name.
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    /// The fields by name: whether each must be there, as it has no default.
    pub(crate) required: HashMap<String, bool>,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) of: TypeId,
    pub(crate) default: Option<Value>,
}

impl Schema {
    /// Reads a schema's JSON text, as the registry has it.
    pub fn parse(text: &str) -> Result<Schema, ParseError> {
        let json = serde_json::from_str(text).map_err(|error| ParseError::NotAvro(error.to_string()))?;
        Self::from_json(&json)
    }

    pub(crate) fn from_json(json: &Value) -> Result<Schema, ParseError> {
        let (types, root) = parse::parse(json)?;
        Ok(Schema { types, root })
    }

    pub(crate) fn root(&self) -> TypeId {
        self.root
    }

    pub(crate) fn get(&self, id: TypeId) -> &Type {
        // Every number was made by the parser of this schema.
        self.types.get(id.0).unwrap_or(&Type::Null)
    }

    /// What a union's branch is called in Avro's JSON encoding: a named type's full name, or the type's own.
    pub(crate) fn branch_name(&self, id: TypeId) -> &str {
        self.get(id).branch_name()
    }
}

impl Type {
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

/// The start of it, for an error's text; JSON leaves DEL and its like as they are.
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
