//! An Avro record as JSON for people and tests, decoded by `apache-avro`, so independently of our encoder.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use serde_json::{Map, Value, json};

/// A record cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The bytes are no record of the schema.
    #[error("the record does not decode with its own schema")]
    Decode(#[source] apache_avro::Error),
    /// Bytes are left after the record.
    #[error("{0} bytes are left after the record")]
    Trailing(usize),
    /// A type that no SAL schema uses.
    #[error("field {0} is of a type that SAL does not use")]
    Type(String),
}

/// Decodes a record (without its frame) and shows it as JSON, fields in the schema's order.
pub fn record_json(schema: &Schema, mut record: &[u8]) -> Result<Value, RecordError> {
    let reader = GenericDatumReader::builder(schema)
        .build()
        .map_err(RecordError::Decode)?;
    let value = reader.read_value(&mut record).map_err(RecordError::Decode)?;
    if !record.is_empty() {
        return Err(RecordError::Trailing(record.len()));
    }
    to_json("record", &value)
}

fn to_json(name: &str, value: &Avro) -> Result<Value, RecordError> {
    Ok(match value {
        Avro::Null => Value::Null,
        Avro::Boolean(value) => json!(value),
        Avro::Int(value) => json!(value),
        Avro::Long(value) | Avro::TimestampMillis(value) | Avro::TimestampMicros(value) => json!(value),
        // Through its shortest text, so that 0.1 stays 0.1 and does not become the double nearest to the float.
        Avro::Float(value) => number(value.to_string().parse().unwrap_or(f64::NAN)),
        Avro::Double(value) => number(*value),
        Avro::Bytes(bytes) | Avro::Fixed(_, bytes) => {
            Value::String(bytes.iter().map(|byte| char::from(*byte)).collect())
        }
        Avro::String(text) | Avro::Enum(_, text) => json!(text),
        Avro::Union(_, inner) => to_json(name, inner)?,
        Avro::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| to_json(name, item))
                .collect::<Result<_, _>>()?,
        ),
        Avro::Record(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), to_json(name, value)?)));
            Value::Object(fields.collect::<Result<Map<_, _>, RecordError>>()?)
        }
        _ => return Err(RecordError::Type(name.to_owned())),
    })
}

fn number(value: f64) -> Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => json!("NaN"),
        None if value > 0.0 => json!("Infinity"),
        None => json!("-Infinity"),
    }
}
