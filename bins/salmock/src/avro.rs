//! A message as a Confluent Avro record: 0x00, the schema id in big-endian order, Avro binary.
//!
//! apache-avro does the encoding, so that what influxsink decodes in tests was not written by our own
//! encoder.

use apache_avro::Schema;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;

use crate::text::{HOST, INDEX, ORIGIN};
use crate::timestamp::Timestamp;
use crate::topic_schema::{Item, Role, TopicShape};
use crate::values::{Scalar, Values};

/// Writes the records of one topic.
pub struct RecordWriter<'s> {
    shape: &'s TopicShape,
    writer: GenericDatumWriter<'s>,
    schema_id: u32,
}

impl<'s> RecordWriter<'s> {
    /// # Errors
    /// When the schema has references that it does not define.
    pub fn new(shape: &'s TopicShape, schema_id: u32) -> Result<RecordWriter<'s>, apache_avro::Error> {
        let writer = GenericDatumWriter::builder(&shape.schema).build()?;
        Ok(RecordWriter {
            shape,
            writer,
            schema_id,
        })
    }

    /// Replaces `out` with the topic's next record.
    ///
    /// # Errors
    /// When a value does not fit its schema, which is an error in `topic_schema`.
    pub fn record(
        &self,
        out: &mut Vec<u8>,
        values: &mut Values,
        timestamp: &Timestamp,
        rev_code: &str,
    ) -> Result<(), apache_avro::Error> {
        out.clear();
        confluent_avro::frame::write(self.schema_id, out);
        let items: Vec<(&Item, &[Scalar])> = values.advance(timestamp).collect();
        let fields = self.shape.fields.iter().map(|field| {
            let value = match field.role {
                Role::RevCode => Value::String(rev_code.to_owned()),
                Role::Utc => stamp(&field.schema, timestamp.utc_seconds(), timestamp.utc_micros),
                Role::Tai => Value::Double(timestamp.tai_seconds()),
                Role::Sequence => integer(&field.schema, timestamp.sequence.into()),
                Role::Origin => integer(&field.schema, ORIGIN.into()),
                Role::Host => integer(&field.schema, HOST.into()),
                Role::Index => integer(&field.schema, INDEX.into()),
                Role::Identity => Value::String("salmock".to_owned()),
                Role::Extra => empty(&field.schema),
                Role::Item(position) => match items.get(position) {
                    Some((item, scalars)) => item_value(&field.schema, item, scalars),
                    None => Value::Null,
                },
            };
            (field.name.clone(), value)
        });
        let record = Value::Record(fields.collect());
        self.writer.write_value_ref(out, &record).map(drop)
    }
}

fn stamp(schema: &Schema, seconds: f64, micros: i64) -> Value {
    match schema {
        Schema::Double => Value::Double(seconds),
        Schema::TimestampMillis => Value::TimestampMillis(micros / 1000),
        _ => Value::Long(micros / 1000),
    }
}

fn integer(schema: &Schema, value: i64) -> Value {
    match schema {
        // Mock integers fit in 16 bits.
        Schema::Int => Value::Int(value as i32),
        Schema::TimestampMillis => Value::TimestampMillis(value),
        _ => Value::Long(value),
    }
}

fn empty(schema: &Schema) -> Value {
    match schema {
        Schema::String => Value::String(String::new()),
        Schema::Boolean => Value::Boolean(false),
        other => integer(other, 0),
    }
}

fn item_value(schema: &Schema, item: &Item, scalars: &[Scalar]) -> Value {
    match schema {
        Schema::Union(union) => {
            // SAL's wire never carries a byte with an enumeration, so its symbol is never known.
            let wanted = |variant: &Schema| (*variant == Schema::Null) != item.is_on_wire;
            let variant = union
                .variants()
                .iter()
                .enumerate()
                .find(|(_, variant)| wanted(variant));
            match variant {
                Some((position, variant)) => {
                    let position = u32::try_from(position).unwrap_or_default();
                    Value::Union(position, Box::new(item_value(variant, item, scalars)))
                }
                None => Value::Null,
            }
        }
        Schema::Null => Value::Null,
        Schema::Array(array) => Value::Array(
            scalars
                .iter()
                .map(|scalar| scalar_value(&array.items, *scalar))
                .collect(),
        ),
        scalar => scalars
            .first()
            .map_or(Value::Null, |value| scalar_value(scalar, *value)),
    }
}

fn scalar_value(schema: &Schema, scalar: Scalar) -> Value {
    match (scalar, schema) {
        (Scalar::Boolean(value), _) => Value::Boolean(value),
        (Scalar::Integer(value), schema) => integer(schema, value),
        (Scalar::Float(value), _) => Value::Float(value),
        (Scalar::Double(value), _) => Value::Double(value),
        (Scalar::Text(value), _) => Value::String(value.to_owned()),
        (Scalar::Byte(value), _) => Value::Bytes(vec![value]),
        (Scalar::Symbol(position, _), Schema::Enum(known)) => {
            let symbol = usize::try_from(position)
                .ok()
                .and_then(|position| known.symbols.get(position));
            Value::Enum(position, symbol.cloned().unwrap_or_default())
        }
        (Scalar::Symbol(_, value), schema) => integer(schema, value),
    }
}

#[cfg(test)]
mod tests {
    use apache_avro::reader::datum::GenericDatumReader;
    use sal::avro::{Options, schemas};
    use sal::interface::Interfaces;
    use sal::name::Dialect;
    use sal::time::TimeScale;

    use super::*;
    use crate::timestamp::Timestamps;

    fn every_record(dialect: Dialect, wire_extras: bool) -> usize {
        let options = Options {
            dialect,
            wire_extras,
            ..Options::default()
        };
        let schemas = schemas(&Interfaces::read(&devstack::schemas()), &options);
        for schema in &schemas {
            let shape = TopicShape::read(&schema.schema.to_string(), &schema.kafka_topic).unwrap();
            let writer = RecordWriter::new(&shape, 0x0102_0304).unwrap();
            let mut values = Values::new(&shape, 1);
            let timestamp = Timestamps::new(dialect, TimeScale::Utc).stamp();
            let mut frame = b"what was there".to_vec();
            writer
                .record(&mut frame, &mut values, &timestamp, "d7bf9a83")
                .unwrap();
            let (head, mut body) = frame.split_at(5);
            assert_eq!(head, [0, 1, 2, 3, 4]);
            let read = GenericDatumReader::builder(&shape.schema)
                .build()
                .unwrap()
                .read_value(&mut body)
                .unwrap();
            assert!(body.is_empty());
            let Value::Record(fields) = read else {
                panic!("{read:?}")
            };
            assert_eq!(fields.len(), shape.fields.len());
        }
        schemas.len()
    }

    #[test]
    fn every_topic_of_the_repository_is_written_and_read_in_both_dialects() {
        for wire_extras in [false, true] {
            assert!(every_record(Dialect::Efd, wire_extras) >= 100);
            assert!(every_record(Dialect::TsXml, wire_extras) >= 100);
        }
    }
}
