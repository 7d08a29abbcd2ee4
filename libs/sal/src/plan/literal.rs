//! The Avro bytes of a field that is not on the wire: its default or an empty value.

use serde_json::Value;

use super::schema::{Avro, Field, Scalar};
use crate::avro_binary as avro;

/// The bytes to write if the wire has no value for the field; `None` if the schema's default does not fit.
pub(super) fn absent(field: &Field) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let Avro { union, array, scalar } = &field.avro;
    match (&field.default, union) {
        (None | Some(Value::Null), Some(union)) => avro::long(&mut out, i64::from(union.null)),
        (Some(default), _) => {
            if let Some(union) = union {
                avro::long(&mut out, i64::from(union.value));
            }
            match array {
                Some(_) => items(&mut out, scalar, default.as_array()?)?,
                None => value(&mut out, scalar, default)?,
            }
        }
        (None, None) if array.is_some() => avro::long(&mut out, 0),
        (None, None) if *scalar == Scalar::Bytes => avro::bytes(&mut out, b""),
        (None, None) => return None,
    }
    Some(out)
}

fn items(out: &mut Vec<u8>, scalar: &Scalar, items: &[Value]) -> Option<()> {
    if !items.is_empty() {
        avro::long(out, i64::try_from(items.len()).ok()?);
        for item in items {
            value(out, scalar, item)?;
        }
    }
    avro::long(out, 0);
    Some(())
}

fn value(out: &mut Vec<u8>, scalar: &Scalar, default: &Value) -> Option<()> {
    match scalar {
        Scalar::Boolean => avro::boolean(out, default.as_bool()?),
        Scalar::Int => avro::long(out, i64::from(i32::try_from(default.as_i64()?).ok()?)),
        Scalar::Long | Scalar::TimestampMillis => avro::long(out, default.as_i64()?),
        Scalar::Float => avro::float(out, default.as_f64()? as f32),
        Scalar::Double => avro::double(out, default.as_f64()?),
        Scalar::String => avro::bytes(out, default.as_str()?.as_bytes()),
        // Avro writes the bytes of a default as the characters U+0000 to U+00FF.
        Scalar::Bytes => {
            let bytes = default.as_str()?.chars().map(|c| u8::try_from(u32::from(c)).ok());
            avro::bytes(out, &bytes.collect::<Option<Vec<u8>>>()?);
        }
        Scalar::Enum(symbols) => {
            let name = default.as_str()?;
            let position = symbols.iter().position(|(symbol, _)| symbol == name)?;
            avro::long(out, i64::try_from(position).ok()?);
        }
    }
    Some(())
}
