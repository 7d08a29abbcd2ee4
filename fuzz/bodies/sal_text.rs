//! The bodies of the fuzz targets wire_parse and encode, which libs/sal's tests also run on the corpora.

use sal::encode::Encoder;
use sal::plan::Plan;
use sal::time::TimeScale;
use sal::wire::{Message, WireError};

/// The separator of schema and message in an input of [`encode`].
const BETWEEN: &[u8] = b"\n----\n";

/// Arbitrary bytes as a message: its header, and its values with a schema that has every kind of field.
pub fn wire_parse(bytes: &[u8]) {
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(error) => return check(&error, bytes),
    };
    assert!(sal::name::TopicName::new(message.topic()).is_ok());
    let Ok(plan) = Plan::compile(EVERY_KIND, TimeScale::Tai) else {
        panic!("the schema is a good one")
    };
    encode_twice(EVERY_KIND, &plan, &message);
}

/// An arbitrary schema and message, separated by a line `----`.
pub fn encode(bytes: &[u8]) {
    let Some(at) = bytes.windows(BETWEEN.len()).position(|window| window == BETWEEN) else {
        return;
    };
    let Ok(schema) = std::str::from_utf8(&bytes[..at]) else {
        return;
    };
    let plan = match Plan::compile(schema, TimeScale::Utc) {
        Ok(plan) => plan,
        Err(error) => return assert!(!error.to_string().chars().any(char::is_control), "{error}"),
    };
    let Ok(message) = Message::parse(&bytes[at + BETWEEN.len()..]) else {
        return;
    };
    encode_twice(schema, &plan, &message);
}

/// The second time, the plan knows the layout: the result must be the same. An accepted message must be a
/// complete record.
fn encode_twice(schema: &str, plan: &Plan, message: &Message<'_>) {
    let mut encoder = Encoder::new();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let result = encoder.encode(plan, message, 7, 1_700_000_000_000_000, &mut first);
    assert_eq!(
        result,
        encoder.encode(plan, message, 7, 1_700_000_000_000_000, &mut second)
    );
    assert_eq!(first, second);
    match result {
        Ok(_) => decode(schema, &first),
        Err(error) => {
            assert!(first.is_empty());
            check(&error, message.input());
        }
    }
}

fn decode(schema: &str, frame: &[u8]) {
    // Avro's parser rejects some schemas that have a plan, e.g. because of their names.
    let Ok(schema) = apache_avro::Schema::parse_str(schema) else {
        return;
    };
    let Ok(reader) = apache_avro::reader::datum::GenericDatumReader::builder(&schema).build() else {
        return;
    };
    let mut rest = &frame[5..];
    let value = reader.read_value(&mut rest);
    assert!(value.is_ok(), "{value:?}");
    assert!(rest.is_empty());
}

fn check(error: &WireError, input: &[u8]) {
    assert!(error.byte() <= input.len());
    assert!(!error.to_string().bytes().any(|byte| byte.is_ascii_control()));
}

const EVERY_KIND: &str = r#"{"type":"record","name":"Test_every","namespace":"lsst.sal","fields":[
    {"name":"kafka_timestamp","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"sal_revcode","type":"string"},
    {"name":"sal_created","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"sal_ingested","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"sal_sequence","type":"long"},{"name":"sal_origin","type":"int"},{"name":"sal_host","type":"int"},
    {"name":"s","type":"string","sal_index":3},{"name":"b","type":"boolean","sal_index":0},
    {"name":"i","type":{"type":"array","items":"int","sal_count":2},"sal_index":1},
    {"name":"f","type":["null","float"],"sal_index":2},{"name":"d","type":"double","sal_index":4},
    {"name":"c","type":"bytes","sal_index":5},{"name":"t","type":"string","sal_index":6},
    {"name":"u","type":"long","sal_index":7,"sal_idl_type":"unsigned int"},
    {"name":"e","type":{"type":"enum","name":"e","symbols":["A","B"]},"sal_index":8}]}"#;
