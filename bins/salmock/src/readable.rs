//! What Kafka carries, as people and `jq` read it: Avro records by the registry's schemas as JSON, bytes as text or as
//! hexadecimal digits. `salmock consume` prints it, and so do the operator's commands.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use pipeline::registry::{Registry, RegistryError};
use serde_json::{Value, json};

/// Decodes records by the registry's schemas, which it keeps parsed.
#[derive(Debug)]
pub struct Decoder {
    registry: Registry,
    schemas: HashMap<u32, Schema>,
}

impl Decoder {
    /// Nothing is asked yet.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            schemas: HashMap::new(),
        }
    }

    /// Whom it asks.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The record, or what is wrong with it; an error only if a later try could succeed.
    pub async fn decode(&mut self, id: u32, mut body: &[u8]) -> Result<Result<Value, String>, RegistryError> {
        if !self.schemas.contains_key(&id) {
            let registered = match self.registry.schema_by_id(id).await {
                Ok(registered) => registered,
                Err(error @ RegistryError::Missing { .. }) => return Ok(Err(error.to_string())),
                Err(error) => return Err(error),
            };
            match Schema::parse_str(&registered.raw) {
                Ok(schema) => self.schemas.insert(id, schema),
                Err(error) => return Ok(Err(format!("schema {id} is not avro: {error}"))),
            };
        }
        let Some(schema) = self.schemas.get(&id) else {
            return Ok(Err(format!("no schema {id}")));
        };
        let record = GenericDatumReader::builder(schema)
            .build()
            .and_then(|reader| reader.read_value(&mut body));
        Ok(match record {
            Ok(_) if !body.is_empty() => Err(format!("{} bytes are left over behind the record", body.len())),
            Ok(record) => Ok(to_json(record)),
            Err(error) => Err(error.to_string()),
        })
    }
}

/// JSON as it can be read back: what JSON has no number for is a string.
pub fn to_json(value: Avro) -> Value {
    match value {
        Avro::Null => Value::Null,
        Avro::Boolean(value) => value.into(),
        Avro::Int(value) => value.into(),
        Avro::Date(value) | Avro::TimeMillis(value) => value.into(),
        Avro::Long(value)
        | Avro::TimeMicros(value)
        | Avro::TimestampMillis(value)
        | Avro::TimestampMicros(value)
        | Avro::TimestampNanos(value)
        | Avro::LocalTimestampMillis(value)
        | Avro::LocalTimestampMicros(value)
        | Avro::LocalTimestampNanos(value) => value.into(),
        Avro::Uuid(value) => value.to_string().into(),
        Avro::Float(value) if value.is_finite() => shortest(value),
        Avro::Double(value) if value.is_finite() => value.into(),
        Avro::Float(value) => value.to_string().into(),
        Avro::Double(value) => value.to_string().into(),
        Avro::String(value) | Avro::Enum(_, value) => value.into(),
        Avro::Bytes(value) | Avro::Fixed(_, value) => readable(&value).1,
        Avro::Union(_, value) => to_json(*value),
        Avro::Array(values) => values.into_iter().map(to_json).collect(),
        Avro::Record(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, to_json(value)))
            .collect(),
        // In the order of the names: the map itself has none.
        Avro::Map(values) => Value::Object(
            values
                .into_iter()
                .map(|(name, value)| (name, to_json(value)))
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect(),
        ),
        other => json!(format!("{other:?}")),
    }
}

/// A `float` with its own digits: as a double, 0.1 would be 0.10000000149011612.
fn shortest(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// Text if it is text, else hexadecimal digits; and which of them.
pub fn readable(bytes: &[u8]) -> (&'static str, Value) {
    match std::str::from_utf8(bytes) {
        Ok(text) => ("text", text.into()),
        Err(_) => ("hex", hex(bytes).into()),
    }
}

/// Two digits a byte, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_they_were_written() {
        let record = Avro::Record(vec![
            ("f".into(), Avro::Float(0.1)),
            ("d".into(), Avro::Double(f64::NAN)),
            ("u".into(), Avro::Union(1, Box::new(Avro::Long(7)))),
            ("b".into(), Avro::Bytes(vec![0xff, 0])),
            ("e".into(), Avro::Enum(1, "Two".into())),
        ]);
        assert_eq!(
            to_json(record).to_string(),
            r#"{"f":0.1,"d":"NaN","u":7,"b":"ff00","e":"Two"}"#
        );
    }
}
