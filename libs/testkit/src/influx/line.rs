//! A strict parser of InfluxDB line protocol, written independently of influxsink's encoder so that one can
//! check the other.
//!
//! It follows InfluxData's line protocol reference, and is stricter where InfluxDB would silently lose or
//! invent something: a line without a timestamp (the server would use its own clock), a comment, a duplicate
//! key, the reserved key `time`, NaN and infinities are errors here.

use std::collections::BTreeMap;

use super::points::{FieldValue, Point, PointKey};

/// Why a line is not line protocol: what was expected, at which byte of the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {byte} of the line")]
pub struct LineError {
    /// What was expected.
    pub expected: &'static str,
    /// Counted from 0 at the start of the line.
    pub byte: usize,
}

/// One line of a body: its bytes without the newline, and the parsed point.
pub type ParsedLine<'b> = (&'b [u8], Result<Point, LineError>);

/// Splits `body` into lines and parses each; empty lines are skipped. `unit_ns` is the number of nanoseconds
/// in one unit of the timestamps. A newline inside a quoted string belongs to the string; after an error, the
/// line ends at the next newline.
pub fn lines(body: &[u8], unit_ns: i64) -> Vec<ParsedLine<'_>> {
    let mut parsed = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        if rest.first() == Some(&b'\n') {
            rest = rest.split_at(1).1;
            continue;
        }
        let mut cursor = Cursor { line: rest, at: 0 };
        let point = cursor.point(unit_ns);
        let end = cursor.at + rest.iter().skip(cursor.at).take_while(|b| **b != b'\n').count();
        let (line, after) = rest.split_at(end);
        parsed.push((line, point));
        rest = after;
    }
    parsed
}

/// The kind of key or value, which determines how it ends and what is escaped.
#[derive(Clone, Copy)]
struct Place {
    what: &'static str,
    /// Bytes that end it. Each of them can be escaped with a backslash.
    ends: &'static [u8],
    /// Bytes that do not end it but must be escaped.
    forbidden: &'static [u8],
}

const MEASUREMENT: Place = Place {
    what: "a measurement",
    ends: b", ",
    forbidden: b"\n",
};
const TAG_KEY: Place = Place {
    what: "a tag key",
    ends: b"=",
    forbidden: b"\n, ",
};
const TAG_VALUE: Place = Place {
    what: "a tag value",
    ends: b", ",
    forbidden: b"\n=",
};
const FIELD_KEY: Place = Place {
    what: "a field key",
    ends: b"=",
    forbidden: b"\n, ",
};

struct Cursor<'b> {
    line: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    fn point(&mut self, unit_ns: i64) -> Result<Point, LineError> {
        if self.peek() == Some(b'#') {
            return self.expected("a measurement, not a comment");
        }
        let measurement = self.text(MEASUREMENT)?;
        let mut tags = BTreeMap::new();
        while self.eat(b',') {
            let start = self.at;
            let key = self.key(TAG_KEY)?;
            let value = self.text(TAG_VALUE)?;
            if tags.insert(key, value).is_some() {
                return Err(LineError {
                    expected: "a tag key that is new to the line",
                    byte: start,
                });
            }
        }
        self.require(b' ', "a space before the fields")?;
        let mut fields = BTreeMap::new();
        loop {
            let start = self.at;
            let key = self.key(FIELD_KEY)?;
            let value = self.value()?;
            if fields.insert(key, value).is_some() {
                return Err(LineError {
                    expected: "a field key that is new to the line",
                    byte: start,
                });
            }
            if !self.eat(b',') {
                break;
            }
        }
        self.require(b' ', "a space before the timestamp")?;
        let start = self.at;
        let expected = "a timestamp in nanoseconds from 1677 to 2262, in digits";
        let time_ns = self
            .number()
            .and_then(|digits| digits.parse::<i64>().ok())
            .and_then(|time| time.checked_mul(unit_ns))
            .ok_or(LineError {
                expected,
                byte: start,
            })?;
        if !matches!(self.peek(), None | Some(b'\n')) {
            return self.expected("the end of the line");
        }
        Ok(Point {
            key: PointKey {
                measurement,
                tags,
                time_ns,
            },
            fields,
        })
    }

    /// A key and its `=`; the key must not be the reserved `time`.
    fn key(&mut self, place: Place) -> Result<String, LineError> {
        let start = self.at;
        let key = self.text(place)?;
        if key == "time" {
            return Err(LineError {
                expected: "a key other than the reserved `time`",
                byte: start,
            });
        }
        self.require(b'=', "an equals sign")?;
        Ok(key)
    }

    /// An unquoted text, unescaped. A backslash before any other byte is literal.
    fn text(&mut self, place: Place) -> Result<String, LineError> {
        let start = self.at;
        let mut bytes = Vec::new();
        loop {
            match (self.peek(), self.line.get(self.at + 1).copied()) {
                (Some(b'\\'), Some(next)) if next != b'\n' && is_special(place, next) => {
                    bytes.push(next);
                    self.at += 2;
                }
                (None, _) => break,
                (Some(byte), _) if place.ends.contains(&byte) => break,
                (Some(byte), _) if place.forbidden.contains(&byte) => return self.expected(place.what),
                (Some(byte), _) => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
        if bytes.is_empty() {
            return Err(LineError {
                expected: place.what,
                byte: start,
            });
        }
        String::from_utf8(bytes).map_err(|_| LineError {
            expected: "UTF-8",
            byte: start,
        })
    }

    fn value(&mut self) -> Result<FieldValue, LineError> {
        if self.peek() == Some(b'"') {
            return self.quoted().map(FieldValue::Text);
        }
        let start = self.at;
        let expected = LineError {
            expected: "a field value",
            byte: start,
        };
        if matches!(self.peek(), Some(b'-' | b'.' | b'0'..=b'9')) {
            let digits = self.number().ok_or(expected.clone())?;
            return match self.peek() {
                Some(b'i') => digits.parse().ok().map(FieldValue::Integer),
                Some(b'u') => digits.parse().ok().map(FieldValue::Unsigned),
                _ => {
                    return digits
                        .parse()
                        .ok()
                        .filter(|f: &f64| f.is_finite())
                        .map(FieldValue::Float)
                        .ok_or(expected);
                }
            }
            .inspect(|_| self.at += 1)
            .ok_or(expected);
        }
        let length = self.rest().iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let (word, _) = self.rest().split_at(length);
        let boolean = match word {
            b"t" | b"T" | b"true" | b"True" | b"TRUE" => true,
            b"f" | b"F" | b"false" | b"False" | b"FALSE" => false,
            _ => return Err(expected),
        };
        self.at += length;
        Ok(FieldValue::Boolean(boolean))
    }

    /// The bytes of a decimal number as text. An exponent is allowed; Rust's own parsers then check the form.
    fn number(&mut self) -> Option<&'b str> {
        let number = |b: &&u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest().iter().take_while(number).count();
        let (digits, _) = self.rest().split_at(length);
        self.at += length;
        std::str::from_utf8(digits)
            .ok()
            .filter(|d| !d.is_empty() && !d.starts_with('+'))
    }

    /// A string field: `\"` and `\\` are escapes; every other byte is literal, including newlines.
    fn quoted(&mut self) -> Result<String, LineError> {
        let start = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match (self.peek(), self.line.get(self.at + 1).copied()) {
                (Some(b'\\'), Some(next @ (b'"' | b'\\'))) => {
                    bytes.push(next);
                    self.at += 2;
                }
                (Some(b'"'), _) => {
                    self.at += 1;
                    return String::from_utf8(bytes).map_err(|_| LineError {
                        expected: "UTF-8",
                        byte: start,
                    });
                }
                (Some(byte), _) => {
                    bytes.push(byte);
                    self.at += 1;
                }
                (None, _) => return self.expected("a closing quote"),
            }
        }
    }

    fn rest(&self) -> &'b [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    fn require(&mut self, byte: u8, expected: &'static str) -> Result<(), LineError> {
        if self.eat(byte) {
            Ok(())
        } else {
            self.expected(expected)
        }
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, LineError> {
        Err(LineError {
            expected,
            byte: self.at,
        })
    }
}

fn is_special(place: Place, byte: u8) -> bool {
    place.ends.contains(&byte) || place.forbidden.contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Result<Point, LineError> {
        let mut parsed = lines(line.as_bytes(), 1);
        assert_eq!(parsed.len(), 1, "{line}");
        parsed.remove(0).1
    }

    fn refused(line: &str) -> String {
        one(line).expect_err(line).to_string()
    }

    #[test]
    fn reads_every_kind_of_value() {
        let point = one(r#"m,a=1,b=x f=1.5,g=-3i,h=4u,i=t,j=FALSE,k="a \"b\" \\ c",l=1e-9 -7"#).unwrap();
        assert_eq!(point.key.measurement, "m");
        assert_eq!(point.key.tags.get("b").map(String::as_str), Some("x"));
        assert_eq!(point.key.time_ns, -7);
        let fields: Vec<_> = point.fields.into_values().collect();
        assert_eq!(
            fields,
            [
                FieldValue::Float(1.5),
                FieldValue::Integer(-3),
                FieldValue::Unsigned(4),
                FieldValue::Boolean(true),
                FieldValue::Boolean(false),
                FieldValue::Text("a \"b\" \\ c".into()),
                FieldValue::Float(1e-9),
            ]
        );
    }

    #[test]
    fn unescapes_names_and_keeps_a_lone_backslash() {
        let point = one(r"m\,1\ x,t\=a=v\ \,w\q f\ g=1i 1").unwrap();
        assert_eq!(point.key.measurement, "m,1 x");
        assert_eq!(point.key.tags.get("t=a").map(String::as_str), Some(r"v ,w\q"));
        assert!(point.fields.contains_key("f g"));
    }

    #[test]
    fn a_newline_in_a_string_does_not_end_the_line() {
        let parsed = lines(b"m s=\"a\nb\" 1\n\nm s=\"c\" 2\n", 1000);
        assert_eq!(parsed.len(), 2);
        let first = parsed[0].1.as_ref().unwrap();
        assert_eq!(first.fields.get("s"), Some(&FieldValue::Text("a\nb".into())));
        assert_eq!(parsed[1].1.as_ref().unwrap().key.time_ns, 2000);
    }

    #[test]
    fn parsing_continues_after_a_bad_line() {
        let parsed = lines(b"m f=nan 1\nm f=1 1", 1);
        assert!(parsed[0].1.is_err());
        assert_eq!(parsed[0].0, b"m f=nan 1");
        assert!(parsed[1].1.is_ok());
    }

    #[test]
    fn refuses_what_influxdb_would_lose_or_invent() {
        for (line, reason) in [
            (
                "m f=1",
                "expected a space before the timestamp at byte 5 of the line",
            ),
            ("m  1", "expected a field key at byte 2 of the line"),
            ("m,t= f=1 1", "expected a tag value at byte 4 of the line"),
            ("m,=v f=1 1", "expected a tag key at byte 2 of the line"),
            (",t=v f=1 1", "expected a measurement at byte 0 of the line"),
            (
                "#m f=1 1",
                "expected a measurement, not a comment at byte 0 of the line",
            ),
            ("m f=NaN 1", "expected a field value at byte 4 of the line"),
            ("m f=inf 1", "expected a field value at byte 4 of the line"),
            ("m f=1e999 1", "expected a field value at byte 4 of the line"),
            ("m f=1.5i 1", "expected a field value at byte 4 of the line"),
            ("m f=-1u 1", "expected a field value at byte 4 of the line"),
            (
                "m f=9223372036854775808i 1",
                "expected a field value at byte 4 of the line",
            ),
            (
                "m f=1,f=2 1",
                "expected a field key that is new to the line at byte 6 of the line",
            ),
            (
                "m,t=a,t=b f=2 1",
                "expected a tag key that is new to the line at byte 6 of the line",
            ),
            (
                "m time=1i 1",
                "expected a key other than the reserved `time` at byte 2 of the line",
            ),
            ("m f=\"a 1", "expected a closing quote at byte 8 of the line"),
            ("m f=1 1 ", "expected the end of the line at byte 7 of the line"),
            ("m,t=a=b f=1 1", "expected a tag value at byte 5 of the line"),
            (
                "m f=1 1.5",
                "expected a timestamp in nanoseconds from 1677 to 2262, in digits at byte 6 of the line",
            ),
        ] {
            assert_eq!(refused(line), reason, "{line}");
        }
    }

    #[test]
    fn a_newline_in_a_tag_does_not_make_a_second_point() {
        let parsed = lines(b"m,t=a\nx f=1 1 f=1 1", 1);
        assert!(parsed.iter().all(|(_, point)| point.is_err()));
    }
}
