//! Parses the lines of [`super::LineEncoder`]: the SQLite destination stores points from the same text that InfluxDB
//! gets, so that both hold the same values under the same names.

use std::borrow::Cow;

/// A point in its line.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'l> {
    /// The measurement.
    pub measurement: &'l str,
    /// Tags by name, in the line's order.
    pub tags: Vec<(Cow<'l, str>, Cow<'l, str>)>,
    /// Fields by name, in the line's order.
    pub fields: Vec<(Cow<'l, str>, FieldValue<'l>)>,
    /// Microseconds since 1970 UTC.
    pub time_micros: i64,
}

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue<'l> {
    /// A float.
    Float(f64),
    /// An integer.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
    /// A string, unescaped.
    Text(Cow<'l, str>),
}

/// The text is not a line of the encoder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} before {found:?}")]
pub struct ParseError {
    /// What was expected.
    pub expected: &'static str,
    /// The start of the remaining text.
    pub found: String,
}

/// Parses one line, and returns what follows its newline.
pub fn line(text: &str) -> Result<(Point<'_>, &str), ParseError> {
    let end = text
        .find([',', ' '])
        .ok_or_else(|| error("a measurement and fields", text))?;
    let (measurement, mut rest) = text.split_at(end);
    let mut tags = Vec::new();
    while let Some(tag) = rest.strip_prefix(',') {
        let (name, value) = name(tag).ok_or_else(|| error("a tag", tag))?;
        let end = end_of(value, b", ").unwrap_or(value.len());
        let (value, after) = value.split_at(end);
        tags.push((name, unescape(value, &[',', '=', ' '])));
        rest = after;
    }
    let mut fields = Vec::new();
    rest = rest
        .strip_prefix(' ')
        .ok_or_else(|| error("a space and fields", rest))?;
    loop {
        let (name, value) = name(rest).ok_or_else(|| error("a field", rest))?;
        let (value, after) = field_value(value)?;
        fields.push((name, value));
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => {
                rest = after
                    .strip_prefix(' ')
                    .ok_or_else(|| error("a space and the time", after))?;
                break;
            }
        }
    }
    let (time, after) = rest.split_once('\n').ok_or_else(|| error("a newline", rest))?;
    let time_micros = time.parse().map_err(|_| error("the time", time))?;
    Ok((
        Point {
            measurement,
            tags,
            fields,
            time_micros,
        },
        after,
    ))
}

fn field_value(text: &str) -> Result<(FieldValue<'_>, &str), ParseError> {
    if let Some(quoted) = text.strip_prefix('"') {
        let end = end_of_string(quoted).ok_or_else(|| error("a closing quote", quoted))?;
        let (value, after) = quoted.split_at(end);
        let after = after.strip_prefix('"').unwrap_or_default();
        return Ok((FieldValue::Text(unescape(value, &['"', '\\'])), after));
    }
    let end = text
        .find([',', ' '])
        .ok_or_else(|| error("the end of a value", text))?;
    let (value, after) = text.split_at(end);
    let value = match (value, value.strip_suffix('i')) {
        ("true", _) => Some(FieldValue::Boolean(true)),
        ("false", _) => Some(FieldValue::Boolean(false)),
        (_, Some(integer)) => integer.parse().ok().map(FieldValue::Integer),
        _ => value.parse().ok().map(FieldValue::Float),
    };
    value
        .map(|value| (value, after))
        .ok_or_else(|| error("a value", text))
}

/// The first quote that no backslash escapes.
fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// A name and what follows its equals sign.
fn name(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let (name, value) = text.split_at(end_of(text, b"=")?);
    Some((unescape(name, &[',', '=', ' ']), value.strip_prefix('=')?))
}

/// The first of these bytes that no backslash precedes.
fn end_of(text: &str, ends: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let is_end = ends.contains(&byte) && !escaped;
        escaped = byte == b'\\';
        is_end
    })
}

/// Drops the backslash before each of the `special` characters.
fn unescape<'l>(text: &'l str, special: &[char]) -> Cow<'l, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && special.contains(next) => plain.extend(chars.next()),
            _ => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

fn error(expected: &'static str, found: &str) -> ParseError {
    ParseError {
        expected,
        found: found.chars().take(20).collect(),
    }
}
