//! Avro to JSON.

use serde_json::{Map, Value};

use super::misfit::{Step, path};
use super::{MAX_DEPTH, MAX_VALUES, map, scalar, union};
use crate::read::{Cursor, DecodeError, Fault};
use crate::schema::{Record, Schema, Type, TypeId};

/// This many bytes of a name count as one more value.
const BYTES_A_VALUE: usize = 64;

pub(super) fn record(schema: &Schema, avro: &[u8]) -> Result<Value, DecodeError> {
    read(schema, avro, false)
}

/// With the branch of every union named.
pub(super) fn typed_record(schema: &Schema, avro: &[u8]) -> Result<Value, DecodeError> {
    read(schema, avro, true)
}

fn read(schema: &Schema, avro: &[u8], is_typed: bool) -> Result<Value, DecodeError> {
    let mut reader = Reader {
        schema,
        is_typed,
        cursor: Cursor::new(avro),
        left: MAX_VALUES,
    };
    let read = reader
        .value(schema.root(), 0)
        .and_then(|value| match reader.cursor.remaining() {
            0 => Ok(value),
            trailing => Err(Fault::Trailing(trailing).into()),
        });
    read.map_err(|failed: Failed| {
        let steps: Vec<Step> = failed.steps.into_iter().rev().collect();
        DecodeError {
            field: path(&steps),
            byte: reader.cursor.position(),
            fault: failed.fault,
        }
    })
}

struct Reader<'s, 'a> {
    schema: &'s Schema,
    /// Whether each union's branch is named.
    is_typed: bool,
    cursor: Cursor<'a>,
    /// The number of values that may still be read.
    left: usize,
}

/// The error, and the path to it from the innermost step.
struct Failed {
    fault: Fault,
    steps: Vec<Step>,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            steps: Vec::new(),
        }
    }
}

impl Failed {
    fn within(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl Reader<'_, '_> {
    fn value(&mut self, of: TypeId, depth: usize) -> Result<Value, Failed> {
        self.spend(1)?;
        let of = self.schema.get(of);
        let depth = match of {
            Type::Array(_) | Type::Map(_) | Type::Record(_) => depth + 1,
            _ => depth,
        };
        if depth > MAX_DEPTH {
            return Err(Fault::TooDeep.into());
        }
        match of {
            Type::Record(record) => self.fields(record, depth),
            Type::Array(items) => self.array(*items, depth),
            Type::Map(values) => self.map(*values, depth),
            Type::Union(branches) => {
                let branch = self.cursor.index(branches.len())?;
                // The index has been checked.
                let of = branches.get(branch).copied().unwrap_or(self.schema.root());
                // Covers the search for the form to show, and a branch name that may be needed.
                self.spend(branch)?;
                self.spend_on(self.schema.branch_name(of))?;
                let value = self.value(of, depth)?;
                Ok(if self.is_typed {
                    union::typed(self.schema, branches, branch, value)
                } else {
                    union::shown(self.schema, branches, branch, value)
                })
            }
            Type::Enum(known) => {
                let symbol = self.cursor.choose(&known.symbols)?;
                self.spend_on(symbol)?;
                Ok(Value::String(symbol.to_string()))
            }
            scalar => Ok(scalar::read(scalar, &mut self.cursor)?),
        }
    }

    fn spend(&mut self, values: usize) -> Result<(), Fault> {
        self.left = self.left.checked_sub(values).ok_or(Fault::TooManyValues)?;
        Ok(())
    }

    /// A name in the schema takes no bytes in a record, but memory in JSON.
    fn spend_on(&mut self, name: &str) -> Result<(), Fault> {
        self.spend(name.len() / BYTES_A_VALUE)
    }

    fn fields(&mut self, record: &Record, depth: usize) -> Result<Value, Failed> {
        let mut object = Map::new();
        for field in &record.fields {
            self.spend_on(&field.name)?;
            let value = self
                .value(field.of, depth)
                .map_err(|failed| failed.within(Step::Name(field.name.clone())))?;
            object.insert(field.name.clone(), value);
        }
        Ok(Value::Object(object))
    }

    fn array(&mut self, items: TypeId, depth: usize) -> Result<Value, Failed> {
        let mut list = Vec::new();
        loop {
            let count = self.cursor.count()?;
            if count == 0 {
                return Ok(Value::Array(list));
            }
            for _ in 0..count {
                let index = list.len();
                let item = self.value(items, depth);
                list.push(item.map_err(|failed| failed.within(Step::Index(index)))?);
            }
        }
    }

    fn map(&mut self, values: TypeId, depth: usize) -> Result<Value, Failed> {
        let mut entries = Vec::new();
        loop {
            let count = self.cursor.count()?;
            if count == 0 {
                return Ok(map::shown(entries));
            }
            for _ in 0..count {
                let key = self.cursor.text()?.to_owned();
                match self.value(values, depth) {
                    Ok(value) => entries.push((key, value)),
                    Err(failed) => return Err(failed.within(Step::Name(key))),
                }
            }
        }
    }
}
