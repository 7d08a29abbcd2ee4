//! The greeting as an Avro record in Confluent's framing: 0x00, the schema's id in big-endian order, Avro's binary form.

use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Error, Schema};

/// What `helloavro produce` registers.
pub(super) const SCHEMA: &str = r#"{"type":"record","name":"HelloAvro","namespace":"kafkaefd","fields":[{"name":"greeting","type":"string"},{"name":"number","type":"long"},{"name":"sent","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#;

/// The greeting with this number.
pub(super) fn write(id: u32, greeting: &str, number: i64, sent: i64) -> Result<Vec<u8>, Error> {
    let schema = Schema::parse_str(SCHEMA)?;
    let writer = GenericDatumWriter::builder(&schema).build()?;
    let fields = vec![
        ("greeting".to_owned(), Avro::String(greeting.to_owned())),
        ("number".to_owned(), Avro::Long(number)),
        ("sent".to_owned(), Avro::TimestampMillis(sent)),
    ];
    let mut framed = Vec::new();
    confluent_avro::frame::write(id, &mut framed);
    writer.write_value_ref(&mut framed, &Avro::Record(fields))?;
    Ok(framed)
}

#[cfg(test)]
mod tests {
    use apache_avro::reader::datum::GenericDatumReader;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let framed = write(258, "Hello", 3, 1_700_000_000_000).unwrap();
        assert_eq!(&framed[..5], [0, 0, 0, 1, 2]);
        let schema = Schema::parse_str(SCHEMA).unwrap();
        let reader = GenericDatumReader::builder(&schema).build().unwrap();
        let mut record = &framed[5..];
        let Avro::Record(fields) = reader.read_value(&mut record).unwrap() else {
            panic!("a record is a record")
        };
        assert_eq!(fields[0].1, Avro::String("Hello".to_owned()));
        assert_eq!(fields[2].1, Avro::TimestampMillis(1_700_000_000_000));
        assert!(record.is_empty());
    }
}
