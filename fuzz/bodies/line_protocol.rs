//! A line protocol parser that shares no code with influxsink's encoder or the embedded stack's parser, so
//! that it can check both. Written from InfluxData's reference ("Line protocol": syntax, data types, special
//! characters).
//!
//! It is stricter than a database. Errors are: what can be read in two ways (a backslash before an escaped
//! special character, or at the end of an element), what a database would drop (`time`), and what it would
//! invent (a missing timestamp).

/// One line with everything unescaped, in the line's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The measurement.
    pub measurement: String,
    /// Tags by key.
    pub tags: Vec<(String, String)>,
    /// Fields by key.
    pub fields: Vec<(String, Value)>,
    /// The time in the request's unit.
    pub time: i64,
}

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `1.5`
    Float(f64),
    /// `1i`
    Integer(i64),
    /// `true`
    Boolean(bool),
    /// `"text"`
    Text(String),
}

/// Parses a whole body; every line must be valid and end with a newline.
pub fn read(body: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (line, after) = one(rest)?;
        lines.push(line);
        rest = after;
    }
    Ok(lines)
}

fn one(text: &str) -> Result<(Line, &str), String> {
    if text.starts_with('#') {
        return Err("a comment".to_owned());
    }
    let (measurement, mut rest) = element(text, ", ", "\n")?;
    let mut tags: Vec<(String, String)> = Vec::new();
    while let Some(tag) = rest.strip_prefix(',') {
        let (key, value) = key(tag)?;
        let (value, after) = element(value, ", ", "=\n")?;
        if tags.iter().any(|(known, _)| *known == key) {
            return Err(format!("tag {key:?} twice"));
        }
        tags.push((key, value));
        rest = after;
    }
    let mut fields: Vec<(String, Value)> = Vec::new();
    let mut separator = ' ';
    while let Some(field) = rest.strip_prefix(separator) {
        let (key, value) = key(field)?;
        let (value, after) = field_value(value)?;
        if fields.iter().any(|(known, _)| *known == key) {
            return Err(format!("field {key:?} twice"));
        }
        fields.push((key, value));
        rest = after;
        separator = ',';
    }
    if fields.is_empty() {
        return Err(format!("no field before {rest:?}"));
    }
    let time = rest
        .strip_prefix(' ')
        .ok_or_else(|| format!("no timestamp before {rest:?}"))?;
    let (time, after) = time.split_once('\n').ok_or("no newline at the end")?;
    let is_number = !time.is_empty()
        && time
            .strip_prefix('-')
            .unwrap_or(time)
            .bytes()
            .all(|b| b.is_ascii_digit());
    if !is_number {
        return Err(format!("{time:?} is not a timestamp"));
    }
    let time = time.parse().map_err(|_| format!("{time:?} is beyond 64 bits"))?;
    Ok((
        Line {
            measurement,
            tags,
            fields,
            time,
        },
        after,
    ))
}

/// The key of a tag or field, and what follows its equals sign.
fn key(text: &str) -> Result<(String, &str), String> {
    let (key, rest) = element(text, "=", ", \n")?;
    if key == "time" {
        return Err("a key `time`, which InfluxDB drops".to_owned());
    }
    Ok((key, &rest[1..]))
}

/// An unquoted element up to an unescaped character of `ends`, which must exist; characters of `never` must
/// be escaped. A backslash escapes comma, equals sign and space; before anything else it is literal.
fn element<'t>(text: &'t str, ends: &str, never: &str) -> Result<(String, &'t str), String> {
    let mut plain = String::new();
    let mut chars = text.char_indices().peekable();
    let mut after_literal_backslash = false;
    while let Some((at, c)) = chars.next() {
        if ends.contains(c) {
            return match (plain.is_empty(), after_literal_backslash) {
                (true, _) => Err(format!("an empty element before {:?}", &text[at..])),
                (_, true) => Err("a backslash ends an element".to_owned()),
                _ => Ok((plain, &text[at..])),
            };
        }
        if never.contains(c) {
            return Err(format!("{c:?} within an element"));
        }
        let escapes = c == '\\' && chars.peek().is_some_and(|(_, next)| ",= ".contains(*next));
        if escapes {
            if after_literal_backslash {
                return Err("a backslash before an escape".to_owned());
            }
            plain.extend(chars.next().map(|(_, escaped)| escaped));
        } else {
            plain.push(c);
        }
        after_literal_backslash = c == '\\' && !escapes;
    }
    Err(format!("the line ends within {plain:?}"))
}

fn field_value(text: &str) -> Result<(Value, &str), String> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut plain = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return Ok((Value::Text(plain), &quoted[at + 1..])),
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => plain.push(escaped),
                    Some((_, other)) => plain.extend(['\\', other]),
                    None => return Err("a backslash ends the line".to_owned()),
                },
                _ => plain.push(c),
            }
        }
        return Err("a string without its closing quote".to_owned());
    }
    let end = text.find([',', ' ', '\n']).ok_or("a value without an end")?;
    let (value, rest) = text.split_at(end);
    let wrong = || format!("{value:?} is not a value");
    let value = match value {
        "t" | "T" | "true" | "True" | "TRUE" => Value::Boolean(true),
        "f" | "F" | "false" | "False" | "FALSE" => Value::Boolean(false),
        _ => {
            let unsigned = value.strip_prefix('-').unwrap_or(value);
            let is_decimal = unsigned.starts_with(|c: char| c.is_ascii_digit());
            match value.strip_suffix('i') {
                _ if !is_decimal => return Err(wrong()),
                Some(integer) => Value::Integer(integer.parse().map_err(|_| wrong())?),
                None => match value.parse::<f64>() {
                    Ok(float) if float.is_finite() => Value::Float(float),
                    _ => return Err(wrong()),
                },
            }
        }
    };
    Ok((value, rest))
}
