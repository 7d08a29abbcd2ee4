//! The greeting as an Avro record in Confluent's framing.

use operator::messages::json_to_avro::RecordWriter;
use serde_json::json;

/// The schema that `helloavro produce` registers.
pub(super) const SCHEMA: &str = r#"{"type":"record","name":"HelloAvro","namespace":"kafkaefd","fields":[{"name":"greeting","type":"string"},{"name":"number","type":"long"},{"name":"sent","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#;

/// Encodes a greeting; `sent` is in milliseconds since 1970.
pub(super) fn write(
    writer: &RecordWriter,
    greeting: &str,
    number: i64,
    sent: i64,
) -> Result<Vec<u8>, String> {
    let record = json!({ "greeting": greeting, "number": number, "sent": sent });
    writer.write(&record).map_err(|misfit| misfit.to_string())
}

#[cfg(test)]
mod tests {
    use apache_avro::Schema;
    use apache_avro::reader::datum::GenericDatumReader;
    use apache_avro::types::Value as Avro;

    use super::*;

    #[test]
    fn written_greetings_can_be_read_back() {
        let writer = RecordWriter::new(258, SCHEMA).unwrap();
        let framed = write(&writer, "Hello", 3, 1_700_000_000_000).unwrap();
        assert_eq!(&framed[..5], [0, 0, 0, 1, 2]);
        let schema = Schema::parse_str(SCHEMA).unwrap();
        let reader = GenericDatumReader::builder(&schema).build().unwrap();
        let mut record = &framed[5..];
        let Avro::Record(fields) = reader.read_value(&mut record).unwrap() else {
            panic!("expected a record")
        };
        assert_eq!(fields[0].1, Avro::String("Hello".to_owned()));
        assert_eq!(fields[2].1, Avro::TimestampMillis(1_700_000_000_000));
        assert!(record.is_empty());
    }
}
