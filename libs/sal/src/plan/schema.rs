//! Parses a registry schema's JSON into a checked SAL record. First step of compiling a plan. It reads Avro's
//! own JSON and the attributes of this project's converter and of the one of 2019: `sal_index`, `sal_count`,
//! `sal_values`, and with wire extras `sal_indexed` and `sal_idl_type`.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::error::PlanError;
use crate::name::{Dialect, Kind};

/// A record of one of the two dialects.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) dialect: Dialect,
    pub(super) kind: Kind,
    /// The component, if the schema says so.
    pub(super) component: String,
    /// Whether messages carry the component's index, if the schema says so.
    pub(super) indexed: Option<bool>,
    /// Whether items can be distinguished from other fields: they have a `sal_index` or a `sal_idl_type`.
    pub(super) marks_items: bool,
    pub(super) fields: Vec<Field>,
}

/// One field, in record order.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) avro: Avro,
    pub(super) default: Option<Value>,
    pub(super) index: Option<u64>,
    pub(super) sal_type: Option<String>,
}

/// The type of a field: a scalar or an array of scalars, optionally in a union with null.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Avro {
    /// The positions of null and of the value in a union.
    pub(super) union: Option<Union>,
    /// For an array: the number of items, if the schema gives it.
    pub(super) array: Option<Option<u32>>,
    pub(super) scalar: Scalar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Union {
    pub(super) null: u8,
    pub(super) value: u8,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Boolean,
    Int,
    Long,
    TimestampMillis,
    Float,
    Double,
    String,
    Bytes,
    Enum(Vec<(String, i64)>),
}

impl Avro {
    /// The type's name, for errors.
    pub(super) fn describe(&self) -> String {
        let scalar = match &self.scalar {
            Scalar::Boolean => "boolean",
            Scalar::Int => "int",
            Scalar::Long => "long",
            Scalar::TimestampMillis => "long (timestamp-millis)",
            Scalar::Float => "float",
            Scalar::Double => "double",
            Scalar::String => "string",
            Scalar::Bytes => "bytes",
            Scalar::Enum(_) => "enum",
        };
        let array = if self.array.is_some() { "array of " } else { "" };
        let union = if self.union.is_some() {
            "union of null and "
        } else {
            ""
        };
        format!("{union}{array}{scalar}")
    }
}

impl Record {
    /// Parses a schema's JSON.
    pub(super) fn read(schema_json: &str) -> Result<Self, PlanError> {
        let json: Value =
            serde_json::from_str(schema_json).map_err(|error| PlanError::Json(error.to_string()))?;
        let object = json.as_object().ok_or(PlanError::NoRecord)?;
        let (Some("record"), Some(name), Some(fields)) = (
            text(object, "type"),
            text(object, "name").filter(|name| name.split('.').all(is_plain)),
            object.get("fields").and_then(Value::as_array),
        ) else {
            return Err(PlanError::NoRecord);
        };
        let mut reader = Reader {
            record: name,
            named: HashMap::new(),
        };
        let fields = fields
            .iter()
            .enumerate()
            .map(|(position, field)| reader.field(position, field))
            .collect::<Result<Vec<_>, _>>()?;
        let dialect = dialect(name, &fields)?;
        // A full name already contains its namespace.
        let short = name.rsplit('.').next().unwrap_or(name);
        let (component, sal_name) = match dialect {
            Dialect::Efd => {
                let (component, sal_name) = short.split_once('_').unwrap_or(("", short));
                (text(object, "sal_subsystem").unwrap_or(component), sal_name)
            }
            Dialect::TsXml => {
                let space = name.rsplit_once('.').map(|(space, _)| space);
                let space = space.or_else(|| text(object, "namespace")).unwrap_or_default();
                (space.rsplit('.').next().unwrap_or_default(), short)
            }
        };
        let indexed = object.get("sal_indexed").and_then(Value::as_bool);
        let has_index = || fields.iter().any(|field| field.name == "salIndex");
        Ok(Self {
            name: name.to_owned(),
            dialect,
            kind: kind(sal_name),
            component: component.to_owned(),
            indexed: match dialect {
                Dialect::Efd => indexed,
                Dialect::TsXml => Some(indexed.unwrap_or_else(has_index)),
            },
            marks_items: object.contains_key("sal_indexed")
                || fields
                    .iter()
                    .any(|field| field.index.is_some() || field.sal_type.is_some()),
            fields,
        })
    }
}

/// The kind that a SAL name implies.
fn kind(sal_name: &str) -> Kind {
    if sal_name.starts_with("logevent_") {
        Kind::Event
    } else if sal_name.starts_with("command_") {
        Kind::Command
    } else {
        Kind::Telemetry
    }
}

/// The dialect, determined by the first fields; the cameras' own files have the private fields at the end.
fn dialect(record: &str, fields: &[Field]) -> Result<Dialect, PlanError> {
    if fields
        .first()
        .is_some_and(|field| field.name == "kafka_timestamp")
    {
        Ok(Dialect::Efd)
    } else if fields.iter().any(|field| field.name == "private_sndStamp") {
        Ok(Dialect::TsXml)
    } else {
        let found = fields
            .first()
            .map_or_else(|| "no field".to_owned(), |field| field.name.clone());
        Err(PlanError::NoDialect {
            record: record.to_owned(),
            found,
        })
    }
}

struct Reader<'r> {
    record: &'r str,
    /// Enums that later fields can refer to by name.
    named: HashMap<String, Scalar>,
}

impl Reader<'_> {
    fn field(&mut self, position: usize, json: &Value) -> Result<Field, PlanError> {
        let missing = || PlanError::Field {
            record: self.record.to_owned(),
            position,
        };
        let object = json.as_object().ok_or_else(missing)?;
        let name = text(object, "name")
            .filter(|name| is_plain(name))
            .ok_or_else(missing)?;
        let avro_type = object.get("type").ok_or_else(missing)?;
        let default = object.get("default").cloned();
        let mut avro = self.avro(name, avro_type)?;
        if let Some(count @ None) = &mut avro.array {
            // In dialect ts_xml only the default gives the number of items.
            *count = default
                .as_ref()
                .and_then(Value::as_array)
                .and_then(|items| match items.len() {
                    0 => None,
                    items => u32::try_from(items).ok(),
                });
        }
        Ok(Field {
            name: name.to_owned(),
            avro,
            default,
            index: object.get("sal_index").and_then(Value::as_u64),
            sal_type: text(object, "sal_idl_type").map(|name| {
                name.split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
                    .to_ascii_lowercase()
            }),
        })
    }

    fn avro(&mut self, field: &str, json: &Value) -> Result<Avro, PlanError> {
        if let Some(branches) = json.as_array() {
            let [first, second] = branches.as_slice() else {
                return Err(self.refused(field, json));
            };
            let (union, value) = match (first.as_str(), second.as_str()) {
                (Some("null"), _) => (Union { null: 0, value: 1 }, second),
                (_, Some("null")) => (Union { null: 1, value: 0 }, first),
                _ => return Err(self.refused(field, json)),
            };
            return match self.avro(field, value)? {
                avro @ Avro { union: None, .. } => Ok(Avro {
                    union: Some(union),
                    ..avro
                }),
                _ => Err(self.refused(field, json)),
            };
        }
        if let Some(object) = json
            .as_object()
            .filter(|object| text(object, "type") == Some("array"))
        {
            let items = object.get("items").ok_or_else(|| self.refused(field, json))?;
            return match self.avro(field, items)? {
                Avro {
                    union: None,
                    array: None,
                    scalar,
                } => {
                    let count = object.get("sal_count").and_then(Value::as_u64);
                    Ok(Avro {
                        union: None,
                        array: Some(count.and_then(|n| u32::try_from(n).ok())),
                        scalar,
                    })
                }
                _ => Err(self.refused(field, json)),
            };
        }
        Ok(Avro {
            union: None,
            array: None,
            scalar: self.scalar(field, json)?,
        })
    }

    fn scalar(&mut self, field: &str, json: &Value) -> Result<Scalar, PlanError> {
        let name = json
            .as_str()
            .or_else(|| json.as_object().and_then(|object| text(object, "type")));
        let logical = json.as_object().and_then(|object| text(object, "logicalType"));
        Ok(match name {
            Some("boolean") => Scalar::Boolean,
            Some("int") => Scalar::Int,
            Some("long") if logical == Some("timestamp-millis") => Scalar::TimestampMillis,
            Some("long") => Scalar::Long,
            Some("float") => Scalar::Float,
            Some("double") => Scalar::Double,
            Some("string") => Scalar::String,
            Some("bytes") => Scalar::Bytes,
            Some("enum") => self.enumeration(field, json)?,
            Some(name) if self.named.contains_key(name) => self
                .named
                .get(name)
                .cloned()
                .ok_or_else(|| self.refused(field, json))?,
            _ => return Err(self.refused(field, json)),
        })
    }

    /// Symbols and their wire values: `sal_values`, or 1, 2, 3, …
    fn enumeration(&mut self, field: &str, json: &Value) -> Result<Scalar, PlanError> {
        let object = json.as_object().ok_or_else(|| self.refused(field, json))?;
        let symbols = object
            .get("symbols")
            .and_then(Value::as_array)
            .ok_or_else(|| self.refused(field, json))?;
        let symbols = symbols.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
        let symbols = symbols
            .filter(|symbols| !symbols.is_empty())
            .ok_or_else(|| self.refused(field, json))?;
        let values = match object.get("sal_values") {
            None => (1..=symbols.len() as i64).collect(),
            Some(values) => values
                .as_array()
                .and_then(|values| values.iter().map(Value::as_i64).collect::<Option<Vec<_>>>())
                .filter(|values| values.len() == symbols.len())
                .ok_or_else(|| PlanError::EnumValues {
                    record: self.record.to_owned(),
                    field: field.to_owned(),
                    symbols: symbols.len(),
                })?,
        };
        let scalar = Scalar::Enum(symbols.into_iter().map(str::to_owned).zip(values).collect());
        if let Some(name) = text(object, "name") {
            self.named.insert(name.to_owned(), scalar.clone());
        }
        Ok(scalar)
    }

    fn refused(&self, field: &str, json: &Value) -> PlanError {
        let found = match json.as_str() {
            Some(name) => name.to_owned(),
            None => json.to_string(),
        };
        // Text from the registry that goes to logs and headers.
        let printable = |c: char| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        };
        let found = found.chars().take(100).map(printable).collect();
        PlanError::Type {
            record: self.record.to_owned(),
            field: field.to_owned(),
            found,
        }
    }
}

/// An Avro name, plus what real schemas use (letters of other alphabets, `-`). Names appear in errors, and so
/// in logs and headers.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

fn text<'j>(object: &'j Map<String, Value>, key: &str) -> Option<&'j str> {
    object.get(key).and_then(Value::as_str)
}
