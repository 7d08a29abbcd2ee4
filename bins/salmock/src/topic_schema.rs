//! The shape of a topic's mock messages: its fields, read from the topic's registry schema.
//!
//! `source` finds the schemas, `values` generates values, and `text` and `avro` write them in this shape. The
//! schema is deliberately not read with `sal::plan`, so that the transformer is not tested against itself.

use apache_avro::Schema;
use sal::name::{Dialect, Kind, NameError, TopicName};
use serde_json::Value;

/// Used if the schema does not give the length of an array (a camera's `.avsc` files).
const UNSAID_COUNT: usize = 4;

/// One topic that can be mocked.
#[derive(Debug, Clone)]
pub struct TopicShape {
    /// The SAL topic.
    pub name: TopicName,
    /// The dialect of its schema.
    pub dialect: Dialect,
    /// The Kafka topic of its Avro records.
    pub kafka_topic: String,
    /// The schema of its records.
    pub schema: Schema,
    /// The role of each field, in record order.
    pub fields: Vec<Field>,
    /// Its items in wire order.
    pub items: Vec<Item>,
    /// Whether text messages contain the component's index.
    pub is_indexed: bool,
    /// Whether text commands contain SAL 3's four strings: device, property, action and item value.
    pub has_address: bool,
}

/// A field of the record.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its Avro schema.
    pub schema: Schema,
    /// Where its value comes from.
    pub role: Role,
}

/// Where a field's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `sal_revcode`, `private_revCode`
    RevCode,
    /// The time of the message in UTC, in a form that depends on the type: `kafka_timestamp`, `sal_created`,
    /// `sal_ingested`, `private_efdStamp`.
    Utc,
    /// The same time in TAI: `private_sndStamp`, `private_rcvStamp`, `private_kafkaStamp`.
    Tai,
    /// `sal_sequence`, `private_seqNum`
    Sequence,
    /// `sal_origin`, `private_origin`
    Origin,
    /// `sal_host`
    Host,
    /// `private_identity`
    Identity,
    /// `salIndex`
    Index,
    /// An item of the topic: its index in [`TopicShape::items`].
    Item(usize),
    /// A field that `--wire-extras` adds after the items: zero or empty.
    Extra,
}

/// One item of a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The kind of its values.
    pub form: Form,
    /// The number of values of an array; `None` for a scalar.
    pub count: Option<usize>,
    /// The unit in the schema; empty if there is none.
    pub unit: String,
    /// Whether text messages contain it: SAL's generator omits `byte` and `octet`.
    pub is_on_wire: bool,
}

/// The kinds of values in SAL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// `boolean`
    Boolean,
    /// Every integer type; mock values fit in 16 bits.
    Integer,
    /// `float`
    Float,
    /// `double`
    Double,
    /// A `double` that holds a time as SAL's components measure it: TAI, in seconds since 1970.
    TaiSeconds,
    /// The same in UTC.
    UtcSeconds,
    /// A `double` that holds a modified Julian date, in days.
    Mjd,
    /// `string`
    Text,
    /// `char`; in records also `byte` and `octet`.
    Bytes,
    /// An enumeration: each symbol's wire integer, in the order of the symbols.
    Enumeration(Vec<i64>),
}

/// A schema does not belong to a SAL topic. A retry does not help.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    /// Not JSON.
    #[error("the schema is not JSON")]
    Json(#[from] serde_json::Error),
    /// Not Avro.
    #[error("the schema is not Avro")]
    Avro(#[source] Box<apache_avro::Error>),
    /// A schema without the first fields of either dialect.
    #[error(
        "the schema is not a SAL record: expected the field kafka_timestamp (efd) or private_sndStamp (ts_xml)"
    )]
    NotSal,
    /// Its name is not a topic's.
    #[error("the record's name is not a SAL topic")]
    Name(#[from] NameError),
    /// A field has a type that SAL does not have.
    #[error("field {field} has a type that no SAL topic has: {found}")]
    Type {
        /// The field.
        field: String,
        /// Its Avro type.
        found: String,
    },
}

impl TopicShape {
    /// Reads a registry schema; `kafka_topic` is the topic of its records.
    pub fn read(schema_json: &str, kafka_topic: &str) -> Result<TopicShape, ShapeError> {
        let json: Value = serde_json::from_str(schema_json)?;
        let schema = Schema::parse(&json).map_err(|error| ShapeError::Avro(Box::new(error)))?;
        let Schema::Record(record) = &schema else {
            return Err(ShapeError::NotSal);
        };
        let has = |name: &str| record.fields.iter().any(|field| field.name == name);
        let (dialect, name) = if record
            .fields
            .first()
            .is_some_and(|field| field.name == "kafka_timestamp")
        {
            (Dialect::Efd, TopicName::new(record.name.name())?)
        } else if has("private_sndStamp") {
            let namespace = record.name.namespace().unwrap_or_default();
            let component = namespace.rsplit('.').next().unwrap_or_default();
            (Dialect::TsXml, TopicName::join(component, record.name.name())?)
        } else {
            return Err(ShapeError::NotSal);
        };
        let json_fields = json
            .get("fields")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let marks_items = json.get("sal_indexed").is_some() || json_fields.iter().any(is_marked);
        let mut fields = Vec::new();
        let mut items = Vec::new();
        for (field, json) in record.fields.iter().zip(json_fields) {
            let role = match private(dialect, &field.name) {
                Some(role) => role,
                None if marks_items && !is_marked(json) => Role::Extra,
                None => {
                    items.push((
                        json["sal_index"].as_u64(),
                        Item::read(json, &field.name, &field.schema)?,
                    ));
                    Role::Item(items.len() - 1)
                }
            };
            fields.push(Field {
                name: field.name.clone(),
                schema: field.schema.clone(),
                role,
            });
        }
        // The published schemas of 2019 give the wire order in an attribute, and positions in `fields` follow
        // it.
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|position| items.get(*position).and_then(|(index, _)| *index));
        for field in &mut fields {
            if let Role::Item(position) = &mut field.role {
                *position = order
                    .iter()
                    .position(|other| other == position)
                    .unwrap_or_default();
            }
        }
        items.sort_by_key(|(index, _)| *index);
        Ok(TopicShape {
            is_indexed: match dialect {
                Dialect::Efd => json["sal_indexed"] == true,
                Dialect::TsXml => has("salIndex"),
            },
            // SAL 4 dropped them, and today's dialect is younger than SAL 4.
            has_address: dialect == Dialect::Efd
                && name.kind() == Kind::Command
                && marks_items
                && has("itemValue"),
            name,
            dialect,
            kafka_topic: kafka_topic.to_owned(),
            fields,
            items: items.into_iter().map(|(_, item)| item).collect(),
            schema,
        })
    }
}

/// Items are marked in schemas that have other fields after them.
fn is_marked(field: &Value) -> bool {
    field.get("sal_index").is_some() || field.get("sal_idl_type").is_some()
}

fn private(dialect: Dialect, name: &str) -> Option<Role> {
    Some(match (dialect, name) {
        (Dialect::Efd, "kafka_timestamp" | "sal_created" | "sal_ingested") => Role::Utc,
        (Dialect::Efd, "sal_revcode") | (Dialect::TsXml, "private_revCode") => Role::RevCode,
        (Dialect::Efd, "sal_sequence") | (Dialect::TsXml, "private_seqNum") => Role::Sequence,
        (Dialect::Efd, "sal_origin") | (Dialect::TsXml, "private_origin") => Role::Origin,
        (Dialect::Efd, "sal_host") => Role::Host,
        (Dialect::TsXml, "private_efdStamp") => Role::Utc,
        (Dialect::TsXml, "private_sndStamp" | "private_rcvStamp" | "private_kafkaStamp") => Role::Tai,
        (Dialect::TsXml, "private_identity") => Role::Identity,
        (Dialect::TsXml, "salIndex") => Role::Index,
        _ => return None,
    })
}

impl Item {
    fn read(json: &Value, name: &str, schema: &Schema) -> Result<Item, ShapeError> {
        let refuse = |schema: &Schema| ShapeError::Type {
            field: name.to_owned(),
            found: format!("{schema:?}"),
        };
        let value = match schema {
            Schema::Union(union) => {
                let mut variants = union
                    .variants()
                    .iter()
                    .filter(|variant| **variant != Schema::Null);
                variants.next().ok_or_else(|| refuse(schema))?
            }
            schema => schema,
        };
        let (scalar, count) = match value {
            Schema::Array(array) => (&*array.items, Some(count(json))),
            scalar => (scalar, None),
        };
        let form = match scalar {
            Schema::Boolean => Form::Boolean,
            Schema::Int | Schema::Long | Schema::TimestampMillis => Form::Integer,
            Schema::Float => Form::Float,
            Schema::Double => Form::Double,
            Schema::String => Form::Text,
            Schema::Bytes => Form::Bytes,
            Schema::Enum(symbols) => Form::Enumeration(wire_values(json, symbols.symbols.len())),
            other => return Err(refuse(other)),
        };
        let text = |keys: [&str; 2]| {
            let found = keys.iter().find_map(|key| json.get(key).and_then(Value::as_str));
            found.unwrap_or_default()
        };
        let unit = text(["sal_units", "units"]);
        let form = match form {
            Form::Double => time(name, unit, text(["doc", "description"])).unwrap_or(Form::Double),
            other => other,
        };
        Ok(Item {
            form,
            count,
            unit: unit.to_owned(),
            is_on_wire: !matches!(json["sal_idl_type"].as_str(), Some("byte" | "octet")),
        })
    }
}

/// The kind of time that a `double` holds, if any: its name says that it is one (`timestamp`, `cRIO_timestamp`,
/// `actualPositionTimestamp`, `taiTime`, `requestMjd`), and its unit that it is not a duration of another kind. The
/// interfaces of 2019 mostly have no units.
fn time(name: &str, unit: &str, description: &str) -> Option<Form> {
    let (name, unit) = (name.to_ascii_lowercase(), unit.to_ascii_lowercase());
    let is_time = name.contains("timestamp") || matches!(name.as_str(), "time" | "taitime" | "currenttime");
    match unit.as_str() {
        "" | "second" | "seconds" | "sec" | "s" if is_time => Some(match description.contains("UTC") {
            true => Form::UtcSeconds,
            false => Form::TaiSeconds,
        }),
        "" | "day" | "days" if name.ends_with("mjd") => Some(Form::Mjd),
        _ => None,
    }
}

/// An array's length: dialect efd states it, dialect ts_xml has a default of that length.
fn count(json: &Value) -> usize {
    let said = json["type"]["sal_count"]
        .as_u64()
        .and_then(|count| usize::try_from(count).ok());
    let default = json["default"]
        .as_array()
        .map(Vec::len)
        .filter(|length| *length > 0);
    said.or(default).unwrap_or(UNSAID_COUNT)
}

/// The integers of an enumeration's symbols: from 1, unless the interface says otherwise.
fn wire_values(json: &Value, symbols: usize) -> Vec<i64> {
    let said = json["type"]["sal_values"].as_array().into_iter().flatten();
    let said: Vec<i64> = said.filter_map(Value::as_i64).collect();
    if said.len() == symbols {
        said
    } else {
        (1..).take(symbols).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn efd(name: &str, attributes: Value, fields: Vec<Value>) -> String {
        let time = json!({"type": "long", "logicalType": "timestamp-millis"});
        let mut all = vec![
            json!({"name": "kafka_timestamp", "type": time}),
            json!({"name": "sal_revcode", "type": "string"}),
            json!({"name": "sal_created", "type": time}),
        ];
        all.extend(fields);
        let mut record = json!({"type": "record", "namespace": "lsst.sal", "name": name, "fields": all});
        record
            .as_object_mut()
            .unwrap()
            .extend(attributes.as_object().unwrap().clone());
        record.to_string()
    }

    #[test]
    fn items_are_in_the_order_of_the_wire() {
        let enumeration = json!({"type": "enum", "name": "b", "symbols": ["X", "Y"], "sal_values": [4, 7]});
        let schema = efd(
            "Test_logevent_scalars",
            json!({}),
            vec![
                json!({"name": "b", "sal_index": 1, "type": enumeration}),
                json!({"name": "a", "sal_index": 0, "type": {"type": "array", "items": "float", "sal_count": 3}}),
            ],
        );
        let shape = TopicShape::read(&schema, "lsst.sal.Test_logevent_scalars").unwrap();
        let forms: Vec<_> = shape
            .items
            .iter()
            .map(|item| (item.form.clone(), item.count))
            .collect();
        assert_eq!(
            forms,
            [(Form::Float, Some(3)), (Form::Enumeration(vec![4, 7]), None)]
        );
        let roles: Vec<_> = shape.fields.iter().map(|field| field.role).collect();
        assert_eq!(
            roles,
            [Role::Utc, Role::RevCode, Role::Utc, Role::Item(1), Role::Item(0)]
        );
        assert!(!shape.is_indexed && !shape.has_address);
    }

    #[test]
    fn fields_after_the_items_are_not_items() {
        let schema = efd(
            "Test_command_wait",
            json!({"sal_indexed": true}),
            vec![
                json!({"name": "state", "type": "int", "sal_idl_type": "long"}),
                json!({"name": "raw", "type": "bytes", "sal_idl_type": "octet"}),
                json!({"name": "TestID", "type": "int", "default": 0}),
                json!({"name": "itemValue", "type": "string", "default": ""}),
            ],
        );
        let shape = TopicShape::read(&schema, "t").unwrap();
        let on_wire: Vec<_> = shape.items.iter().map(|item| item.is_on_wire).collect();
        assert_eq!(on_wire, [true, false]);
        assert!(shape.is_indexed && shape.has_address);
    }

    #[test]
    fn schemas_that_are_not_sals_are_refused() {
        let error = |schema: &str| TopicShape::read(schema, "t").unwrap_err().to_string();
        assert!(error(r#""string""#).starts_with("the schema is not a SAL record"));
        assert_eq!(error("{"), "the schema is not JSON");
        assert_eq!(error(r#"{"type":"none"}"#), "the schema is not Avro");
        let map = efd(
            "Test_scalars",
            json!({}),
            vec![json!({"name": "m", "type": {"type": "map", "values": "int"}})],
        );
        assert!(error(&map).starts_with("field m has a type that no SAL topic has: Map"));
    }
}
