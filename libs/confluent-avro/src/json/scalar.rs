//! Scalars, both ways. A logical type is shown as text only if reading the text gives the same bytes back.

use serde_json::Value;

use super::binary::{bytes, long};
use super::{decimal, float, logical, time};
use crate::read::{Cursor, Fault};
use crate::schema::{Decimal, FixedLogical, IntLogical, LongLogical, Type, Unit};

/// Reads a scalar; other types are not read here.
pub(super) fn read(of: &Type, cursor: &mut Cursor<'_>) -> Result<Value, Fault> {
    Ok(match of {
        Type::Boolean => cursor.boolean()?.into(),
        Type::Int(logical) => integer(
            cursor.int()?,
            |value| int_text(value, *logical),
            |text| int_of(text, *logical),
        ),
        Type::Long(logical) => integer(
            cursor.long()?,
            |value| long_text(value, *logical),
            |text| long_of(text, *logical),
        ),
        Type::Float => float::float(cursor.float()?),
        Type::Double => float::double(cursor.double()?),
        Type::String => cursor.text()?.into(),
        Type::Bytes(of) => {
            let stored = cursor.bytes()?;
            match of {
                None => latin(stored).into(),
                Some(of) => text_or_list(stored, decimal::text(stored, *of), |text| {
                    decimal::bytes(text, *of)
                }),
            }
        }
        Type::Fixed(fixed) => {
            let stored = cursor.fixed(fixed.size)?;
            match fixed.logical {
                FixedLogical::None => latin(stored).into(),
                FixedLogical::Uuid => logical::uuid_text(stored).into(),
                FixedLogical::Duration => {
                    text_or_list(stored, logical::duration_text(stored), logical::duration)
                }
                FixedLogical::Decimal(of) => text_or_list(stored, decimal::text(stored, of), |text| {
                    decimal::extended(decimal::bytes(text, of)?, fixed.size)
                }),
            }
        }
        Type::Null | Type::Enum(_) | Type::Array(_) | Type::Map(_) | Type::Union(_) | Type::Record(_) => {
            Value::Null
        }
    })
}

/// Writes a scalar, or says what the type expects. In a field's default, a logical type is written as the
/// type that it annotates.
pub(super) fn write(of: &Type, json: &Value, is_default: bool, out: &mut Vec<u8>) -> Result<(), String> {
    match of {
        Type::Null if json.is_null() => {}
        Type::Null => return Err("null".to_owned()),
        Type::Boolean => out.push(u8::from(json.as_bool().ok_or("true or false")?)),
        Type::Int(logical) => {
            let value = match json {
                Value::String(text) => int_of(text, *logical),
                json => json.as_i64().filter(|value| i32::try_from(*value).is_ok()),
            };
            long(value.ok_or(expected_int(*logical))?, out);
        }
        Type::Long(logical) => {
            let value = match json {
                Value::String(text) => long_of(text, *logical),
                json => json.as_i64(),
            };
            long(value.ok_or(expected_long(*logical))?, out);
        }
        Type::Float => match float::read_float(json) {
            Some(value) => out.extend_from_slice(&value.to_le_bytes()),
            None => return Err(format!("a number of 32 bits, {NOT_NUMBERS}")),
        },
        Type::Double => match float::read_double(json) {
            Some(value) => out.extend_from_slice(&value.to_le_bytes()),
            None => return Err(format!("a number, {NOT_NUMBERS}")),
        },
        Type::String => bytes(json.as_str().ok_or("a text")?.as_bytes(), out),
        Type::Bytes(Some(of)) if !is_default => {
            bytes(
                &decimal_bytes(json, *of).ok_or_else(|| expected_decimal(*of))?,
                out,
            );
        }
        Type::Bytes(_) => bytes(
            &latin_bytes(json)
                .ok_or("bytes: a text of code points up to 255, or an array of numbers up to 255")?,
            out,
        ),
        Type::Fixed(fixed) => {
            let stored = match (fixed.logical, json) {
                (FixedLogical::Uuid, Value::String(text)) if !is_default => {
                    logical::uuid(text).ok_or("a UUID")?
                }
                (FixedLogical::Duration, Value::String(text)) if !is_default => {
                    logical::duration(text).ok_or("a duration such as P1M2DT3.004S")?
                }
                (FixedLogical::Decimal(of), json) if !is_default => decimal_bytes(json, of)
                    .and_then(|stored| match json {
                        Value::Array(_) => Some(stored),
                        _ => decimal::extended(stored, fixed.size),
                    })
                    .ok_or_else(|| expected_decimal(of))?,
                _ => latin_bytes(json).ok_or_else(|| format!("{} bytes", fixed.size))?,
            };
            if stored.len() != fixed.size {
                return Err(format!("{} bytes", fixed.size));
            }
            out.extend_from_slice(&stored);
        }
        Type::Enum(known) => {
            let position = json.as_str().and_then(|symbol| known.positions.get(symbol));
            let position = position.and_then(|position| i64::try_from(*position).ok());
            long(position.ok_or_else(|| expected_symbol(&known.symbols))?, out);
        }
        Type::Array(_) | Type::Map(_) | Type::Union(_) | Type::Record(_) => {
            return Err("a scalar".to_owned());
        }
    }
    Ok(())
}

const NOT_NUMBERS: &str = "\"NaN\", \"Infinity\" or \"-Infinity\"";

fn integer(value: i64, text: impl Fn(i64) -> Option<String>, back: impl Fn(&str) -> Option<i64>) -> Value {
    match text(value).filter(|text| back(text) == Some(value)) {
        Some(text) => text.into(),
        None => value.into(),
    }
}

fn text_or_list(stored: &[u8], text: Option<String>, back: impl Fn(&str) -> Option<Vec<u8>>) -> Value {
    match text.filter(|text| back(text).as_deref() == Some(stored)) {
        Some(text) => text.into(),
        None => stored.iter().copied().map(Value::from).collect(),
    }
}

/// One code point per byte.
fn latin(stored: &[u8]) -> String {
    stored.iter().map(|byte| char::from(*byte)).collect()
}

fn latin_bytes(json: &Value) -> Option<Vec<u8>> {
    match json {
        Value::String(text) => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
        Value::Array(list) => list
            .iter()
            .map(|item| item.as_u64().and_then(|item| u8::try_from(item).ok()))
            .collect(),
        _ => None,
    }
}

/// Numbers that JSON holds exactly are accepted, too.
fn decimal_bytes(json: &Value, of: Decimal) -> Option<Vec<u8>> {
    /// Up to this many digits, every decimal has its own double.
    const EXACT_DIGITS: usize = 15;
    match json {
        Value::String(text) => decimal::bytes(text, of),
        Value::Number(number) => {
            let text = number.to_string();
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            let is_exact = !number.is_f64() || digits <= EXACT_DIGITS;
            is_exact.then(|| decimal::bytes(text.strip_suffix(".0").unwrap_or(&text), of))?
        }
        json => latin_bytes(json),
    }
}

fn int_text(value: i64, logical: IntLogical) -> Option<String> {
    match logical {
        IntLogical::None => None,
        IntLogical::Date => time::date_text(i32::try_from(value).ok()?),
        IntLogical::TimeMillis => time::time_text(value, Unit::Millis),
    }
}

fn int_of(text: &str, logical: IntLogical) -> Option<i64> {
    match logical {
        IntLogical::None => None,
        IntLogical::Date => time::date(text).map(i64::from),
        IntLogical::TimeMillis => time::time(text, Unit::Millis),
    }
}

fn long_text(value: i64, logical: LongLogical) -> Option<String> {
    match logical {
        LongLogical::None => None,
        LongLogical::TimeMicros => time::time_text(value, Unit::Micros),
        LongLogical::Timestamp(unit) => time::timestamp_text(value, unit),
        LongLogical::LocalTimestamp(unit) => time::local_text(value, unit),
    }
}

fn long_of(text: &str, logical: LongLogical) -> Option<i64> {
    match logical {
        LongLogical::None => None,
        LongLogical::TimeMicros => time::time(text, Unit::Micros),
        LongLogical::Timestamp(unit) => time::timestamp(text, unit),
        LongLogical::LocalTimestamp(unit) => time::local(text, unit),
    }
}

fn expected_int(logical: IntLogical) -> &'static str {
    match logical {
        IntLogical::None => "an integer of 32 bits",
        IntLogical::Date => "a date such as 2026-11-29, or days since 1970",
        IntLogical::TimeMillis => "a time such as 10:03:00.123, or milliseconds since midnight",
    }
}

fn expected_long(logical: LongLogical) -> &'static str {
    match logical {
        LongLogical::None => "an integer of 64 bits",
        LongLogical::TimeMicros => "a time such as 10:03:00.123456, or microseconds since midnight",
        LongLogical::Timestamp(Unit::Millis) => {
            "a time such as 2026-11-29T10:03:00.123Z, or milliseconds since 1970"
        }
        LongLogical::Timestamp(Unit::Micros) => {
            "a time such as 2026-11-29T10:03:00.123456Z, or microseconds since 1970"
        }
        LongLogical::Timestamp(Unit::Nanos) => {
            "a time such as 2026-11-29T10:03:00.123456789Z, or nanoseconds since 1970"
        }
        LongLogical::LocalTimestamp(_) => {
            "a local time such as 2026-11-29T10:03:00.123, or its number since 1970"
        }
    }
}

fn expected_decimal(of: Decimal) -> String {
    let Decimal { precision, scale } = of;
    format!("a decimal of at most {precision} digits, at most {scale} of them after the point")
}

fn expected_symbol(symbols: &[Box<str>]) -> String {
    const NAMED: usize = 20;
    let more = if symbols.len() > NAMED { ", …" } else { "" };
    let named: Vec<&str> = symbols.iter().take(NAMED).map(AsRef::as_ref).collect();
    format!("one of {}{more}", named.join(", "))
}
