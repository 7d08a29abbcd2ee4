//! A value of a record in a form that tests can compare: expected, read by fastavro, or returned by InfluxDB.

use serde_json::Value as Json;

/// A value. Two floats are equal if their bits are equal or both are NaN.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// A SAL `float`: 32 bits, which a database of 64-bit floats holds widened.
    Single(f32),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Double(a), Self::Double(b)) => same(*a, *b),
            (Self::Single(a), Self::Double(b)) | (Self::Double(b), Self::Single(a)) => {
                same(f64::from(*a), *b)
            }
            (Self::Single(a), Self::Single(b)) => same(f64::from(*a), f64::from(*b)),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            _ => false,
        }
    }
}

impl Value {
    /// From the peer's JSON, where `{"float": "nan"}` and `{"bytes": "c3a9"}` stand for values that JSON
    /// cannot express.
    pub(crate) fn from_peer(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Int(number.as_i64().expect("the peer prints integers as numbers")),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::from_peer).collect()),
            Json::Object(tagged) => match (tagged.get("float"), tagged.get("bytes")) {
                (Some(Json::String(float)), None) => Self::Double(float.parse().unwrap()),
                (None, Some(Json::String(hex))) => Self::Bytes(unhex(hex)),
                _ => panic!("the peer printed {json}"),
            },
        }
    }

    /// Whether the values are equal, allowing for a 32-bit float that the other side has widened or printed
    /// as a decimal.
    pub(crate) fn is_same_number(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Double(a), Self::Double(b)) => a == b || (*a as f32) == (*b as f32),
            _ => self == other,
        }
    }

    /// The value as InfluxDB holds it: floats are 64 bits wide, bytes are text; `None` for what line protocol
    /// cannot carry.
    pub(crate) fn in_database(&self) -> Option<Self> {
        match self {
            Self::Null => None,
            Self::Double(value) if !value.is_finite() => None,
            Self::Single(value) if !value.is_finite() => None,
            Self::Single(value) => Some(Self::Double(f64::from(*value))),
            Self::Bytes(bytes) => Some(Self::Text(String::from_utf8(bytes.clone()).unwrap())),
            other => Some(other.clone()),
        }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
