//! The greeting as an Avro record in Confluent's framing: 0x00, the schema's id in big-endian order, Avro's binary form.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::Value;

/// What `helloavro produce` registers.
pub(super) const SCHEMA: &str = r#"{"type":"record","name":"HelloAvro","namespace":"kafkaefd","fields":[{"name":"greeting","type":"string"},{"name":"number","type":"long"},{"name":"sent","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#;

/// A record that is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error("no value")]
    Tombstone,
    #[error("{0} bytes that do not begin with the frame of a schema registry")]
    Unframed(usize),
    #[error("the schema cannot be used")]
    Schema(#[source] Box<apache_avro::Error>),
    #[error("the record does not fit its schema")]
    Record(#[source] Box<apache_avro::Error>),
}

/// The greeting with this number.
pub(super) fn write(id: u32, greeting: &str, number: i64, sent: i64) -> Result<Vec<u8>, RecordError> {
    let schema = parse(SCHEMA)?;
    let writer = GenericDatumWriter::builder(&schema).build().map_err(of_schema)?;
    let fields = vec![
        ("greeting".to_owned(), Avro::String(greeting.to_owned())),
        ("number".to_owned(), Avro::Long(number)),
        ("sent".to_owned(), Avro::TimestampMillis(sent)),
    ];
    let mut framed = vec![0];
    framed.extend_from_slice(&id.to_be_bytes());
    writer
        .write_value_ref(&mut framed, &Avro::Record(fields))
        .map_err(of_record)?;
    Ok(framed)
}

/// The id of the schema that a message was written with, and the record's bytes.
pub(super) fn unframe(value: Option<&[u8]>) -> Result<(u32, &[u8]), RecordError> {
    match value {
        None => Err(RecordError::Tombstone),
        Some([0, a, b, c, d, record @ ..]) => Ok((u32::from_be_bytes([*a, *b, *c, *d]), record)),
        Some(other) => Err(RecordError::Unframed(other.len())),
    }
}

/// A record as JSON.
pub(super) fn read(schema: &str, mut record: &[u8]) -> Result<Value, RecordError> {
    let schema = parse(schema)?;
    let reader = GenericDatumReader::builder(&schema).build().map_err(of_schema)?;
    let value = reader.read_value(&mut record).map_err(of_record)?;
    Value::try_from(value).map_err(of_record)
}

fn parse(schema: &str) -> Result<Schema, RecordError> {
    Schema::parse_str(schema).map_err(of_schema)
}

fn of_schema(error: apache_avro::Error) -> RecordError {
    RecordError::Schema(Box::new(error))
}

fn of_record(error: apache_avro::Error) -> RecordError {
    RecordError::Record(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let framed = write(258, "Hello", 3, 1_700_000_000_000).unwrap();
        assert_eq!(&framed[..5], [0, 0, 0, 1, 2]);
        let (id, record) = unframe(Some(&framed)).unwrap();
        assert_eq!(id, 258);
        let value = read(SCHEMA, record).unwrap();
        let expected = serde_json::json!({"greeting": "Hello", "number": 3, "sent": 1_700_000_000_000_i64});
        assert_eq!(value, expected);
    }

    #[test]
    fn what_is_no_record_says_so() {
        assert!(matches!(unframe(None), Err(RecordError::Tombstone)));
        assert!(matches!(unframe(Some(b"hello")), Err(RecordError::Unframed(5))));
        let framed = write(1, "Hello", 3, 0).unwrap();
        let (_, record) = unframe(Some(&framed)).unwrap();
        assert!(matches!(read(SCHEMA, &record[..4]), Err(RecordError::Record(_))));
        assert!(matches!(read("{}", record), Err(RecordError::Schema(_))));
    }
}
