//! The bodies of influxsink's fuzz targets, which influxsink's tests also run on the corpora.

use confluent_avro::frame::{Frame, FrameError};
use confluent_avro::point::time::TimeFault;
use confluent_avro::point::{Fault, Mapping, Name, Plan, PointSink};
use influxsink::line::parse::{self, FieldValue};
use influxsink::line::{LineEncoder, Refusal};

#[path = "avro_judge.rs"]
mod avro_judge;
#[path = "line_protocol.rs"]
pub mod line_protocol;
#[path = "plain_json.rs"]
pub mod plain_json;

use avro_judge::{Judged, judge};
use line_protocol::Value;

/// The separator of schema and record in an input of [`avro_schema`].
const BETWEEN: &[u8] = b"\n----\n";

/// A value from the decoder; floats as bits, because NaN is an ordinary value here.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// A `double`.
    Double(u64),
    /// A `float`.
    Float(u32),
    /// An `int` or `long`.
    Integer(i64),
    /// A `boolean`.
    Boolean(bool),
    /// A text.
    Text(String),
}

/// Arbitrary bytes as a message's value: what is accepted is encoded back to the same bytes, and refusals are
/// justified.
pub fn frame(bytes: &[u8]) {
    match Frame::read(Some(bytes)) {
        Ok(frame) => {
            let id = frame.schema_id.to_be_bytes();
            assert_eq!([&[0], &id[..], frame.avro].concat(), bytes);
        }
        Err(FrameError::Tombstone) => panic!("{bytes:?} is not a tombstone"),
        Err(FrameError::Empty) => assert!(bytes.is_empty()),
        Err(FrameError::Short(length)) => {
            assert!(length == bytes.len() && length < 5 && bytes[0] == 0);
        }
        Err(FrameError::Unframed(first)) => assert!(first == bytes[0] && first != 0),
    }
}

/// An arbitrary writer schema and record, separated by a line `----`.
pub fn avro_schema(bytes: &[u8]) {
    let Some(at) = bytes.windows(BETWEEN.len()).position(|window| window == BETWEEN) else {
        return;
    };
    if let Ok(schema) = std::str::from_utf8(&bytes[..at]) {
        point(schema, &bytes[at + BETWEEN.len()..]);
    }
}

/// An arbitrary record of one of [`SCHEMAS`], selected by the first byte.
pub fn avro_record(bytes: &[u8]) {
    if let Some((first, record)) = bytes.split_first() {
        point(SCHEMAS[usize::from(*first) % SCHEMAS.len()], record);
    }
}

/// Decodes a record and writes its line, which must agree with apache-avro and be read back by
/// [`line_protocol`].
fn point(schema: &str, record: &[u8]) {
    let mapping = Mapping {
        tag_fields: vec!["salIndex".to_owned(), "tag".to_owned()],
        ..Mapping::default()
    };
    let plan = match Plan::compile(schema, &mapping) {
        Ok(plan) => plan,
        Err(error) => return check_text(&error.to_string()),
    };
    let mut notes = Notes::default();
    let decoded = plan.decode(record, &mut notes);
    if let Err(error) = &decoded {
        assert!(error.byte <= record.len());
        check_text(&error.to_string());
    }
    let is_ours_to_refuse = |fault| {
        // apache-avro reads a truncated string as null.
        let read_otherwise = matches!(
            fault,
            Fault::Truncated | Fault::Varint | Fault::Length | Fault::Boolean(_)
        );
        let by_name = matches!(fault, Fault::NameCollision(_) | Fault::SameName | Fault::MapKey);
        read_otherwise || by_name || matches!(fault, Fault::BinaryBytes | Fault::OtherBranch(_))
    };
    match (&decoded, judge(schema, record)) {
        (_, Judged::Abstains) | (Err(_), Judged::Refused(_)) => {}
        (Ok(()), Judged::Refused(why)) => panic!("we read what apache-avro refuses: {why}"),
        (Err(error), Judged::Record(_)) => {
            assert!(is_ours_to_refuse(error.fault), "we refuse a record: {error}")
        }
        (Ok(()), Judged::Record(theirs)) => {
            // An array or a record that is a tag becomes several; a float that is not finite stays a field.
            let is_tag = |name: &String| notes.tags.iter().any(|(tag, _)| tag == name);
            let (tags, fields): (Vec<_>, Vec<_>) = theirs.into_iter().partition(|(name, _)| is_tag(name));
            assert_eq!(
                notes.fields,
                fields
                    .into_iter()
                    .filter(|(name, _)| name != "time")
                    .collect::<Vec<_>>()
            );
            assert_eq!(
                notes.tags,
                tags.into_iter()
                    .map(|(name, value)| (name, as_tag(value)))
                    .collect::<Vec<_>>()
            );
        }
    }

    let mut lines = b"before 1\n".to_vec();
    match LineEncoder::default().encode(&plan, record, Some(1_700_000_000_000), &mut lines) {
        Err(refusal) => {
            check_text(&refusal.to_string());
            assert_eq!(lines, b"before 1\n", "a refused record leaves nothing behind");
        }
        Ok(encoded) => {
            assert!(decoded.is_ok());
            let time = match notes.time {
                Some(Ok(micros)) => micros,
                _ => 1_700_000_000_000_000,
            };
            assert_eq!(encoded.time_micros, time);
            read_back(&lines[9..], plan.measurement(), &notes.tags, &notes.fields, time);
        }
    }
}

fn as_tag(value: Given) -> String {
    match value {
        Given::Integer(value) => value.to_string(),
        Given::Boolean(value) => value.to_string(),
        Given::Text(text) => text,
        Given::Double(bits) => f64::from_bits(bits).to_string(),
        Given::Float(bits) => f32::from_bits(bits).to_string(),
    }
}

/// Arbitrary names and values as a line. The first line of the input is the measurement; the rest, separated
/// by bytes 0xff, are the fields: a letter for the type (`t` is a tag), the name, `=` and the value.
pub fn line(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == 0xff);
    let measurement = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let mut fields = vec![
        serde_json::json!({"name": "sal_created", "type": {"type": "long", "logicalType": "timestamp-micros"}}),
    ];
    let mut mapping = Mapping::default();
    let (mut record, mut tags, mut given) = (Vec::new(), Vec::new(), Vec::new());
    let mut micros = 1;
    let mut values = Vec::new();
    for part in parts {
        let Some((kind, part)) = part.split_first() else {
            continue;
        };
        let at = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
        let (name, value) = part.split_at(at);
        let (name, value) = (
            String::from_utf8_lossy(name).into_owned(),
            value.get(1..).unwrap_or_default(),
        );
        let text = String::from_utf8_lossy(value).into_owned();
        let mut eight = [0; 8];
        eight[..value.len().min(8)].copy_from_slice(&value[..value.len().min(8)]);
        let number = i64::from_le_bytes(eight);
        let (of, given_value) = match kind {
            b'T' => {
                micros = number;
                continue;
            }
            b't' => ("string", None),
            b'd' => ("double", Some(Given::Double(u64::from_le_bytes(eight)))),
            b'f' => ("float", Some(Given::Float(number as u32))),
            b'l' => ("long", Some(Given::Integer(number))),
            b'b' => ("boolean", Some(Given::Boolean(number & 1 == 1))),
            _ => ("string", Some(Given::Text(text.clone()))),
        };
        fields.push(serde_json::json!({"name": name, "type": of}));
        write(
            &mut values,
            given_value.as_ref().unwrap_or(&Given::Text(text.clone())),
        );
        match given_value {
            Some(value) => given.push((name, value)),
            None => {
                mapping.tag_fields.push(name.clone());
                tags.push((name, text));
            }
        }
    }
    write(&mut record, &Given::Integer(micros));
    record.append(&mut values);
    given.insert(0, ("sal_created".to_owned(), Given::Integer(micros)));
    let schema = serde_json::json!({"type": "record", "name": measurement, "fields": fields}).to_string();
    let plan = match Plan::compile(&schema, &mapping) {
        Ok(plan) => plan,
        Err(error) => return check_text(&error.to_string()),
    };
    let mut lines = Vec::new();
    match LineEncoder::default().encode(&plan, &record, None, &mut lines) {
        Ok(encoded) => {
            assert_eq!(encoded.time_micros, micros);
            given.retain(|(name, _)| name != "time");
            read_back(&lines, &measurement, &tags, &given, micros);
        }
        Err(refusal) => {
            assert!(lines.is_empty());
            check_text(&refusal.to_string());
            let any = |what: fn(&str) -> bool| tags.iter().any(|(_, value)| what(value));
            let is_right = match &refusal {
                Refusal::TagControl { .. } => any(|value| value.chars().any(char::is_control)),
                Refusal::TagBackslash { .. } => any(|value| value.contains('\\')),
                Refusal::Time(TimeFault::Zero) => micros == 0,
                Refusal::Time(TimeFault::OutOfRange) => {
                    micros < 0 || micros.checked_mul(1_000).is_none_or(|ns| ns >= i64::MAX - 1)
                }
                _ => false,
            };
            assert!(is_right, "{refusal}");
        }
    }
}

/// Appends a value in Avro's binary encoding.
fn write(record: &mut Vec<u8>, value: &Given) {
    let mut long = |value: i64| {
        let mut rest = ((value << 1) ^ (value >> 63)) as u64;
        while rest >= 0x80 {
            record.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        record.push(rest as u8);
    };
    match value {
        Given::Double(bits) => record.extend(bits.to_le_bytes()),
        Given::Float(bits) => record.extend(bits.to_le_bytes()),
        Given::Integer(value) => long(*value),
        Given::Boolean(value) => record.push(u8::from(*value)),
        Given::Text(text) => {
            long(text.len() as i64);
            record.extend(text.as_bytes());
        }
    }
}

/// The line must have exactly this content, according to the independent parser and to our own, which feeds
/// SQLite.
fn read_back(
    line: &[u8],
    measurement: &str,
    tags: &[(String, String)],
    fields: &[(String, Given)],
    micros: i64,
) {
    let text = std::str::from_utf8(line).expect("a line is UTF-8");
    let read = line_protocol::read(text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    let [read] = &read[..] else {
        panic!("{} lines: {text:?}", read.len())
    };
    assert_eq!((read.measurement.as_str(), read.time), (measurement, micros));
    let tags: Vec<_> = tags
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .cloned()
        .collect();
    assert_eq!(read.tags, tags, "empty ones are left out");
    let is_finite = |(_, value): &&(String, Given)| match value {
        Given::Double(bits) => f64::from_bits(*bits).is_finite(),
        Given::Float(bits) => f32::from_bits(*bits).is_finite(),
        _ => true,
    };
    let left: Vec<_> = fields.iter().filter(is_finite).collect();
    assert_eq!(left.len(), read.fields.len(), "{text:?}");
    for ((name, given), (key, value)) in left.into_iter().zip(&read.fields) {
        assert_eq!(name, key);
        let is_same = match (given, value) {
            (Given::Double(bits), Value::Float(read)) => *bits == read.to_bits(),
            (Given::Float(bits), Value::Float(read)) => {
                f64::from(f32::from_bits(*bits)).to_bits() == read.to_bits()
            }
            (Given::Integer(given), Value::Integer(read)) => given == read,
            (Given::Boolean(given), Value::Boolean(read)) => given == read,
            (Given::Text(given), Value::Text(read)) => given == read,
            _ => false,
        };
        assert!(is_same, "{name:?}: {given:?} became {value:?}");
    }

    let (ours, rest) = parse::line(text).expect("our own reader reads our own line");
    assert_eq!(rest, "");
    assert_eq!((ours.measurement, ours.time_micros), (measurement, micros));
    let own_tags: Vec<_> = ours
        .tags
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    assert_eq!(own_tags, tags);
    let own_fields: Vec<_> = ours
        .fields
        .into_iter()
        .map(|(key, value)| (key.into_owned(), value.into()))
        .collect();
    assert_eq!(own_fields, read.fields);
}

impl From<FieldValue<'_>> for Value {
    fn from(value: FieldValue<'_>) -> Value {
        match value {
            FieldValue::Float(value) => Value::Float(value),
            FieldValue::Integer(value) => Value::Integer(value),
            FieldValue::Boolean(value) => Value::Boolean(value),
            FieldValue::Text(text) => Value::Text(text.into_owned()),
        }
    }
}

/// The text of an error goes to logs and headers.
fn check_text(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// Records the decoder's output.
#[derive(Default)]
struct Notes {
    fields: Vec<(String, Given)>,
    tags: Vec<(String, String)>,
    time: Option<Result<i64, TimeFault>>,
}

impl Notes {
    fn field(&mut self, name: Name<'_>, value: Given) {
        self.fields.push((name.flat(), value));
    }
}

impl PointSink for Notes {
    fn double(&mut self, name: Name<'_>, value: f64) {
        self.field(name, Given::Double(value.to_bits()));
    }
    fn float(&mut self, name: Name<'_>, value: f32) {
        self.field(name, Given::Float(value.to_bits()));
    }
    fn integer(&mut self, name: Name<'_>, value: i64) {
        self.field(name, Given::Integer(value));
    }
    fn boolean(&mut self, name: Name<'_>, value: bool) {
        self.field(name, Given::Boolean(value));
    }
    fn text(&mut self, name: Name<'_>, value: &str) {
        self.field(name, Given::Text(value.to_owned()));
    }
    fn tag(&mut self, name: Name<'_>, value: &str) {
        self.tags.push((name.flat(), value.to_owned()));
    }
    fn time(&mut self, time: Result<i64, TimeFault>) {
        assert!(self.time.replace(time).is_none(), "the time is given once");
    }
    fn reserved_name(&mut self) {}
}

/// Every kind of type that a point can hold, and the times of both dialects.
const SCHEMAS: [&str; 3] = [
    r#"{"type":"record","name":"Test_scalars","namespace":"lsst.sal","fields":[
        {"name":"sal_created","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"time","type":"int"},{"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"f","type":"float"},
        {"name":"d","type":"double"},{"name":"b","type":"boolean"},{"name":"s","type":"string"},
        {"name":"y","type":"bytes"},{"name":"x","type":{"type":"fixed","name":"X","size":3}},
        {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B","C"]}},
        {"name":"n","type":["null","double"]},{"name":"u","type":["string","long","null","boolean"]}]}"#,
    r#"{"type":"record","name":"arrays","namespace":"lsst.sal.Test","fields":[
        {"name":"salIndex","type":"int"},{"name":"private_efdStamp","type":"double"},
        {"name":"a","type":{"type":"array","items":"double"}},{"name":"a12","type":"long"},
        {"name":"t","type":{"type":"array","items":"string"}},
        {"name":"n","type":{"type":"array","items":["null","int"]}},
        {"name":"aa","type":{"type":"array","items":{"type":"array","items":"boolean"}}},
        {"name":"r","type":{"type":"record","name":"R","fields":[{"name":"x","type":"float"},
            {"name":"q","type":{"type":"array","items":"int"}}]}},
        {"name":"rs","type":{"type":"array","items":"R"}}]}"#,
    r#"{"type":"record","name":"tagged","namespace":"lsst.sal.Test","fields":[
        {"name":"tag","type":["null","string"]},{"name":"salIndex","type":"long"},
        {"name":"sal_created","type":["null",{"type":"long","logicalType":"timestamp-nanos"}]},
        {"name":"v","type":["null","double"]},{"name":"day","type":{"type":"int","logicalType":"date"}}]}"#,
];
