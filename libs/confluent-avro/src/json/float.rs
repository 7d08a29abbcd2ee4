//! Floats: the shortest decimal that gives the same value back. Values without a JSON number are strings, and
//! a NaN keeps its bits in the style of C's `nan(…)`.

use serde_json::Value;

const NAN_64: u64 = 0x7ff8_0000_0000_0000;
const SIGN_64: u64 = 1 << 63;
const NAN_32: u32 = 0x7fc0_0000;
const SIGN_32: u32 = 1 << 31;

pub(super) fn double(value: f64) -> Value {
    match value.to_bits() {
        _ if value.is_finite() => value.into(),
        _ if value.is_infinite() => infinity(value > 0.0).into(),
        NAN_64 => "NaN".into(),
        bits if bits == NAN_64 | SIGN_64 => "-NaN".into(),
        bits => format!("NaN({bits:#018x})").into(),
    }
}

/// A `float` has its own shortest decimal: as a double, 0.1 would be 0.10000000149011612.
pub(super) fn float(value: f32) -> Value {
    match value.to_bits() {
        _ if value.is_finite() => value.to_string().parse::<f64>().map_or(Value::Null, Value::from),
        _ if value.is_infinite() => infinity(value > 0.0).into(),
        NAN_32 => "NaN".into(),
        bits if bits == NAN_32 | SIGN_32 => "-NaN".into(),
        bits => format!("NaN({bits:#010x})").into(),
    }
}

fn infinity(is_positive: bool) -> &'static str {
    if is_positive { "Infinity" } else { "-Infinity" }
}

/// The `double` that the JSON stands for; `None` if it stands for none.
pub(super) fn read_double(json: &Value) -> Option<f64> {
    match json {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::from_bits(NAN_64)),
            "-NaN" => Some(f64::from_bits(NAN_64 | SIGN_64)),
            text => infinite(text).or_else(|| {
                let value = f64::from_bits(u64::from_str_radix(bits(text)?, 16).ok()?);
                value.is_nan().then_some(value)
            }),
        },
        _ => None,
    }
}

/// The same for a `float`.
pub(super) fn read_float(json: &Value) -> Option<f32> {
    match json {
        Value::Number(number) => {
            let value = number.as_f64()? as f32;
            value.is_finite().then_some(value)
        }
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f32::from_bits(NAN_32)),
            "-NaN" => Some(f32::from_bits(NAN_32 | SIGN_32)),
            text => infinite(text).map(|value| value as f32).or_else(|| {
                let value = f32::from_bits(u32::from_str_radix(bits(text)?, 16).ok()?);
                value.is_nan().then_some(value)
            }),
        },
        _ => None,
    }
}

fn infinite(text: &str) -> Option<f64> {
    match text {
        "Infinity" | "inf" => Some(f64::INFINITY),
        "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn bits(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("NaN(0x")?.strip_suffix(')')?;
    // `from_str_radix` accepts a sign.
    digits
        .bytes()
        .all(|digit| digit.is_ascii_hexdigit())
        .then_some(digits)
}
