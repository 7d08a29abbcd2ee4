//! A schema's types as a tree, with named types expanded where they are used. Everything that a point cannot
//! hold faithfully is refused. [`super::plan`] flattens it.

use std::sync::Arc;

use serde_json::Value;

use super::time::TimeUnit;
use crate::schema::{
    self, FixedLogical, IntLogical, LongLogical, MAX_TYPES, ParseError, Schema, TypeId, Unit, summary,
};

/// The nesting limit once named types are expanded, which also limits the length of a point's names.
const MAX_DEPTH: usize = 100;

/// The limit on the total length of a record's flattened names.
const MAX_NAME_BYTES: usize = 8_000_000;

/// Why records of a schema cannot become points. Permanent: each of its records is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The registered text is not an Avro schema.
    #[error("not an Avro schema: {0}")]
    NotAvro(String),
    /// The schema is neither a record nor a union of one record with other types.
    #[error("expected a record, or a union with one, found {0}: only records have fields")]
    NotARecord(String),
    /// A type that a point cannot hold faithfully.
    #[error("field {field:?}: {why}")]
    Unsupported {
        /// The field's flattened name.
        field: String,
        /// The reason.
        why: &'static str,
    },
    /// Two values would have the same flattened name.
    #[error("two values of this record would have the name {name:?} (# stands for an index)")]
    NameCollision {
        /// The name.
        name: String,
    },
    /// More types or longer names than any real topic has. Without this limit, a small schema of types that
    /// each use another one twice would grow exponentially.
    #[error("more than {MAX_TYPES} types, or {MAX_NAME_BYTES} bytes of names, once named types are expanded")]
    TooLarge,
}

impl SchemaError {
    /// The error as a metric label.
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

impl From<ParseError> for SchemaError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::NotAvro(what) => SchemaError::NotAvro(what),
            ParseError::TooLarge => SchemaError::TooLarge,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Type {
    Null,
    Boolean,
    Int(Meaning),
    Long(Meaning),
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum(Arc<[Box<str>]>),
    Array(Box<Type>),
    Map(Box<Type>),
    Union(Vec<Type>),
    Record(Vec<Field>),
    /// A type that cannot be read; a field that has it is refused with this reason.
    Refused(&'static str),
}

/// What an integer's logical type says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// There is none.
    Plain,
    /// A UTC timestamp.
    Timestamp(TimeUnit),
    /// A date, a time of day, a local timestamp.
    Other,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) of: Type,
}

/// The record of a schema.
#[derive(Clone, Debug)]
pub(super) struct TopLevel {
    /// Its full name.
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    /// If the schema is a union: the record's branch, of how many.
    pub(super) branch: Option<(usize, usize)>,
}

/// The record that a schema is, or the only one among the branches of a union. `referenced` are the schemas to which it
/// refers, one of which it may be itself.
pub(super) fn record(schema_json: &str, referenced: &[impl AsRef<str>]) -> Result<TopLevel, SchemaError> {
    let json: Value = serde_json::from_str(schema_json).map_err(|e| SchemaError::NotAvro(e.to_string()))?;
    let is_a_reference = json.is_string() && !referenced.is_empty();
    if !(json.is_object() || json.is_array() || is_a_reference) {
        return Err(SchemaError::NotARecord(summary(&json)));
    }
    let schema = Schema::from_json(&json, &schema::jsons_of(referenced)?)?;
    let is_record = |id: &TypeId| matches!(schema.get(*id), schema::Type::Record(_));
    let (id, branch) = match schema.get(schema.root()) {
        schema::Type::Union(branches) if branches.iter().filter(|id| is_record(id)).count() == 1 => {
            let at = branches.iter().position(is_record).unwrap_or_default();
            (
                branches.get(at).copied().unwrap_or(schema.root()),
                Some((at, branches.len())),
            )
        }
        _ => (schema.root(), None),
    };
    let mut expand = Expand {
        schema: &schema,
        within: Vec::new(),
        types: 0,
        name: 0,
        names: 0,
    };
    match (schema.get(id), expand.of(id)?) {
        (schema::Type::Record(record), Type::Record(fields)) => Ok(TopLevel {
            name: record.name.clone(),
            fields,
            branch,
        }),
        _ => Err(SchemaError::NotARecord(summary(&json))),
    }
}

struct Expand<'s> {
    schema: &'s Schema,
    /// The types that are being expanded: using one of them is a recursion.
    within: Vec<TypeId>,
    types: usize,
    /// The length of the current value's name, and of all names so far.
    name: usize,
    names: usize,
}

impl Expand<'_> {
    fn of(&mut self, id: TypeId) -> Result<Type, SchemaError> {
        if self.within.contains(&id) {
            return Ok(Type::Refused(
                "a type that contains itself has no fixed set of field names",
            ));
        }
        if self.within.len() >= MAX_DEPTH {
            return Ok(Type::Refused("more than 100 nested types"));
        }
        self.types += 1;
        if self.types > MAX_TYPES {
            return Err(SchemaError::TooLarge);
        }
        self.within.push(id);
        let of = self.put_in(id);
        self.within.pop();
        of
    }

    fn put_in(&mut self, id: TypeId) -> Result<Type, SchemaError> {
        Ok(match self.schema.get(id) {
            schema::Type::Null => Type::Null,
            schema::Type::Boolean => Type::Boolean,
            schema::Type::Int(IntLogical::None) => Type::Int(Meaning::Plain),
            schema::Type::Int(_) => Type::Int(Meaning::Other),
            schema::Type::Long(LongLogical::None) => Type::Long(Meaning::Plain),
            schema::Type::Long(LongLogical::Timestamp(unit)) => {
                Type::Long(Meaning::Timestamp((*unit).into()))
            }
            schema::Type::Long(_) => Type::Long(Meaning::Other),
            schema::Type::Float => Type::Float,
            schema::Type::Double => Type::Double,
            schema::Type::String => Type::Text,
            schema::Type::Bytes(None) => Type::Bytes,
            schema::Type::Bytes(Some(_)) => Type::Refused(DECIMAL),
            schema::Type::Fixed(fixed) => match fixed.logical {
                FixedLogical::None | FixedLogical::Uuid => Type::Fixed(fixed.size),
                FixedLogical::Decimal(_) => Type::Refused(DECIMAL),
                FixedLogical::Duration => {
                    Type::Refused("InfluxDB has no type for a duration of months and days")
                }
            },
            schema::Type::Enum(known) => Type::Enum(Arc::clone(&known.symbols)),
            schema::Type::Map(values) => Type::Map(Box::new(self.of(*values)?)),
            schema::Type::Array(items) => {
                let items = self.of(*items)?;
                match may_be_empty(&items) {
                    true => Type::Refused("an array of nulls carries no data"),
                    false => Type::Array(Box::new(items)),
                }
            }
            schema::Type::Union(branches) => {
                let branches = branches.iter().map(|branch| self.of(*branch));
                Type::Union(branches.collect::<Result<_, _>>()?)
            }
            schema::Type::Record(record) => {
                let outer = self.name;
                let field = |field: &schema::Field| {
                    self.name = outer + field.name.len() + 1;
                    self.names += self.name;
                    if self.names > MAX_NAME_BYTES {
                        return Err(SchemaError::TooLarge);
                    }
                    Ok(Field {
                        name: field.name.clone(),
                        of: self.of(field.of)?,
                    })
                };
                let fields = record.fields.iter().map(field).collect::<Result<_, _>>()?;
                self.name = outer;
                Type::Record(fields)
            }
        })
    }
}

const DECIMAL: &str = "neither a float nor an integer field holds a decimal exactly";

impl From<Unit> for TimeUnit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Millis => TimeUnit::Millis,
            Unit::Micros => TimeUnit::Micros,
            Unit::Nanos => TimeUnit::Nanos,
        }
    }
}

/// Whether a value of the type can take no bytes.
fn may_be_empty(of: &Type) -> bool {
    match of {
        Type::Null | Type::Fixed(0) => true,
        Type::Record(fields) => fields.iter().all(|field| may_be_empty(&field.of)),
        _ => false,
    }
}
