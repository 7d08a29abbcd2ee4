//! A record's contents according to apache-avro, flattened by the rules that readers of the EFD expect (nulls
//! omitted, `name0` for array elements, `outer_inner` for nested records): the reference for influxsink's
//! decoder.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;

use super::Given;

/// A verdict.
pub enum Judged {
    /// The judge has no rule for the schema or a value.
    Abstains,
    /// These bytes are not a record of this schema.
    Refused(String),
    /// Flattened names and values, in record order.
    Record(Vec<(String, Given)>),
}

/// Reads a record; all its bytes must be used.
pub fn judge(schema: &str, mut record: &[u8]) -> Judged {
    // apache-avro validates the contents of these, while we keep what is stored.
    if ["uuid", "decimal", "duration"]
        .iter()
        .any(|word| schema.contains(word))
    {
        return Judged::Abstains;
    }
    apache_avro::util::max_allocation_bytes(1 << 20);
    let Ok(schema) = Schema::parse_str(schema) else {
        return Judged::Abstains;
    };
    let Ok(reader) = GenericDatumReader::builder(&schema).build() else {
        return Judged::Abstains;
    };
    match reader.read_value(&mut record) {
        Err(error) => Judged::Refused(error.to_string()),
        Ok(_) if !record.is_empty() => Judged::Refused(format!("{} bytes left", record.len())),
        Ok(value) => {
            let mut flat = Vec::new();
            match flatten("", value, &mut flat) {
                Some(()) => Judged::Record(flat),
                None => Judged::Abstains,
            }
        }
    }
}

fn flatten(name: &str, value: Value, flat: &mut Vec<(String, Given)>) -> Option<()> {
    let given = match value {
        Value::Null => return Some(()),
        Value::Boolean(value) => Given::Boolean(value),
        Value::Int(value) | Value::Date(value) | Value::TimeMillis(value) => Given::Integer(value.into()),
        Value::Long(value)
        | Value::TimeMicros(value)
        | Value::TimestampMillis(value)
        | Value::TimestampMicros(value)
        | Value::TimestampNanos(value)
        | Value::LocalTimestampMillis(value)
        | Value::LocalTimestampMicros(value)
        | Value::LocalTimestampNanos(value) => Given::Integer(value),
        Value::Float(value) => Given::Float(value.to_bits()),
        Value::Double(value) => Given::Double(value.to_bits()),
        Value::String(text) | Value::Enum(_, text) => Given::Text(text),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => Given::Text(String::from_utf8(bytes).ok()?),
        Value::Union(_, inner) => return flatten(name, *inner, flat),
        Value::Array(items) => {
            for (at, item) in items.into_iter().enumerate() {
                let between = if matches!(inside(&item), Value::Array(_)) {
                    "_"
                } else {
                    ""
                };
                // A record's own `_` follows; an array's elements need one.
                let element = format!("{name}{at}{between}");
                flatten(&element, item, flat)?;
            }
            return Some(());
        }
        Value::Record(fields) => {
            for (field, value) in fields {
                let name = match name {
                    "" => field,
                    outer => format!("{outer}_{field}"),
                };
                flatten(&name, value, flat)?;
            }
            return Some(());
        }
        _ => return None,
    };
    flat.push((name.to_owned(), given));
    Some(())
}

fn inside(value: &Value) -> &Value {
    match value {
        Value::Union(_, inner) => inside(inner),
        other => other,
    }
}
