//! Records in JSON without a schema registry: the whole sink with an embedded broker, and the values of single records.

use std::sync::Arc;

use confluent_avro::point::time::{TimeFault, TimeUnit};
use confluent_avro::point::{JsonError, JsonFault, Mapping, PlainJson, Records, TagCopy};
use influxsink::config::{RecordFormat, RunArgs, TimeUnitName};
use influxsink::line::{LineEncoder, Source};
use testkit::influx::FieldValue;

use crate::points::{Given, Notes};
use crate::stack::{Stack, TOPIC};

fn value(json: &str) -> Option<Vec<u8>> {
    Some(json.as_bytes().to_vec())
}

/// The flags for the metrics of the observatory's REST proxy: times in microseconds, two tags, a name in each record.
fn as_json(mut args: RunArgs) -> RunArgs {
    args.format.format = RecordFormat::Json;
    args.format.measurement_field = Some("measurement".to_owned());
    args.format.integer_field = vec!["count".to_owned(), "bytes*".to_owned()];
    args.time_field = vec!["timestamp".to_owned()];
    args.point_values.time_unit = Some(TimeUnitName::Us);
    args.tag_field = vec!["host".to_owned(), "site".to_owned()];
    args
}

#[test]
fn json_is_written_without_a_registry() {
    let mut stack = Stack::new();
    stack.runtime.block_on(stack.registry.down());
    let sent = stack.produce([
        value(
            r#"{"measurement": "restproxy", "timestamp": 1764475200123456, "host": "a b", "site": "", "count": 1,
                "rate": 1, "up": true, "note": "x \"y\"", "none": null, "in": {"p 99": 0.25, "bytes": [1.0, 2]}}"#,
        ),
        // The same number as a decimal: the field keeps its type.
        value(r#"{"measurement":"restproxy","timestamp":1764475201000000,"host":"a b","site":"base","rate":1.5}"#),
    ]) as u64;
    let sink = stack.start(&as_json(stack.args(stack.influx.url())));
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent
    });
    sink.wait("ready", |sink| sink.service.readiness.is_ready());
    assert_eq!(sink.count("influxsink_left_out_total"), 1, "the empty tag");
    sink.stop();
    assert_eq!(stack.registry.requests(), 0);

    let points = stack.influx.points();
    let found: Vec<_> = points
        .iter()
        .map(|(key, fields)| (&*key.measurement, key.tags.clone(), key.time_ns, fields.clone()))
        .collect();
    let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let field = |name: &str, value| (name.to_owned(), value);
    let first = [
        field("count", FieldValue::Integer(1)),
        field("rate", FieldValue::Float(1.0)),
        field("up", FieldValue::Boolean(true)),
        field("note", FieldValue::Text("x \"y\"".into())),
        field("in_p_99", FieldValue::Float(0.25)),
        field("in_bytes0", FieldValue::Float(1.0)),
        field("in_bytes1", FieldValue::Float(2.0)),
    ];
    let (first_tags, second_tags) = (
        [tag("host", "a b")].into_iter().collect(),
        [tag("host", "a b"), tag("site", "base")].into_iter().collect(),
    );
    let expected = vec![
        (
            "restproxy",
            first_tags,
            1_764_475_200_123_456_000,
            first.into_iter().collect(),
        ),
        (
            "restproxy",
            second_tags,
            1_764_475_201_000_000_000,
            [field("rate", FieldValue::Float(1.5))].into_iter().collect(),
        ),
    ];
    assert_eq!(found, expected);
}

#[test]
fn json_that_cannot_be_a_point_is_a_dead_letter_with_its_bytes() {
    let stack = Stack::new();
    let good = r#"{"measurement":"m","timestamp":1764475200123456,"host":"a","v":1}"#;
    let cases = [
        (
            &b"{\"measurement\": \"m\", \"v\": }"[..],
            "json_malformed",
            "byte 26, field \"v\": not JSON: expected value",
        ),
        (
            b"{\"measurement\": \"m\",\n \"v\": NaN}",
            "json_malformed",
            "byte 27",
        ),
        (b"", "json_malformed", "byte 0"),
        (b"[1]", "not_a_record", "expected an object"),
        (b"{\"measurement\":\"m\",\"v\":1}", "time_missing", "--time-field"),
        (
            b"{\"measurement\":\"m\",\"timestamp\":null,\"v\":1}",
            "time_missing",
            "no time",
        ),
        (
            b"{\"measurement\":\"m\",\"timestamp\":0,\"v\":1}",
            "time_zero",
            "never set",
        ),
        (
            b"{\"measurement\":\"m\",\"timestamp\":true,\"v\":1}",
            "time_not_readable",
            "field \"timestamp\"",
        ),
        (
            b"{\"timestamp\":1764475200123456,\"v\":1}",
            "measurement",
            "expected a measurement",
        ),
        (
            b"{\"measurement\":\"a b\",\"timestamp\":1764475200123456,\"v\":1}",
            "measurement",
            "byte 19, field \"measurement\"",
        ),
        (
            b"{\"measurement\":\"m\",\"timestamp\":1764475200123456,\"count\":1.5}",
            "json_not_an_integer",
            "\"count\"",
        ),
        (
            b"{\"measurement\":\"m\",\"timestamp\":1764475200123456,\"a\":{\"b\":1},\"a_b\":2}",
            "name_collision",
            "\"a_b\"",
        ),
        (
            b"{\"measurement\":\"m\",\"timestamp\":1764475200123456,\"a\\n\":1}",
            "map_key",
            "control character",
        ),
        (
            b"{\"measurement\":\"m\",\"timestamp\":1764475200123456,\"host\":\"a\"}",
            "no_fields",
            "no field",
        ),
        (
            b"\x00\x00\x00\x00\x07\x02avro",
            "json_malformed",
            "--format avro reads that",
        ),
    ];
    let values = cases.iter().map(|(bytes, ..)| Some(bytes.to_vec()));
    let sent = stack.produce(values.chain([value(good), None])) as u64;
    let sink = stack.start(&as_json(stack.args(stack.influx.url())));
    sink.wait("all settled", |sink| sink.settled() == sent);
    assert_eq!(
        (
            sink.count("influxsink_written_total"),
            sink.count("influxsink_skipped_total")
        ),
        (1, 1)
    );
    sink.stop();
    let letters = stack.dead_letters(cases.len());
    for (at, (bytes, reason, detail)) in cases.iter().enumerate() {
        let letter = &letters[&at.to_string()];
        assert_eq!(&letter.reason, reason, "{}", letter.detail);
        assert!(letter.detail.contains(detail), "{}", letter.detail);
        assert_eq!(&letter.value, bytes, "the original bytes");
        assert_eq!(letter.origin, format!("{TOPIC}[{}]@{}", at % 2, at / 2));
    }
}

#[test]
fn json_goes_into_sqlite() {
    let stack = Stack::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("efd.db");
    let sent = stack.produce([value(
        r#"{"measurement":"m","timestamp":1764475200123456,"host":"a","v":1,"count":2}"#,
    )]);
    let sink = stack.start(&as_json(stack.args(format!("sqlite:{}", path.display()))));
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent as u64
    });
    sink.stop();
    let file = rusqlite::Connection::open(path).unwrap();
    let row = file.query_row(
        "SELECT time, host, typeof(v), v, typeof(count), count FROM m",
        [],
        |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, f64>(3)?,
                row.get::<_, String>(4)?,
                row.get::<_, i64>(5)?,
            ))
        },
    );
    let expected = (
        1_764_475_200_123_456,
        "a".to_owned(),
        "real".to_owned(),
        1.0,
        "integer".to_owned(),
        2,
    );
    assert_eq!(row.unwrap(), expected);
}

/// Two topics without a name in their records; the time is that in Kafka.
#[test]
fn the_topic_names_the_measurement_and_kafka_the_time() {
    let stack = Stack::new();
    let mut args = stack.args(stack.influx.url());
    args.format.format = RecordFormat::Json;
    args.time_field = vec!["kafka.timestamp".to_owned()];
    args.topics.push("lsst.metrics".to_owned());
    let sent = stack.produce([value(r#"{"v":1}"#)]) + stack.produce_in("lsst.metrics", [value(r#"{"v":2}"#)]);
    let sink = stack.start(&args);
    sink.wait("all written", |sink| {
        sink.count("influxsink_written_total") == sent as u64
    });
    assert_eq!(sink.count("influxsink_time_from_kafka_total"), 2);
    sink.stop();
    let points = stack.influx.points();
    let measurements: Vec<_> = points.keys().map(|key| &*key.measurement).collect();
    assert_eq!(measurements, ["lsst.metrics", TOPIC]);
}

fn mapping() -> Mapping {
    Mapping {
        time_fields: vec!["at".to_owned(), "timestamp".to_owned()],
        ..Mapping::none()
    }
}

fn notes(records: &PlainJson, json: &str) -> Result<Notes, JsonError> {
    let mut notes = Notes::default();
    records.read(json.as_bytes(), &mut notes).map(|()| notes)
}

#[test]
fn times_are_numbers_of_a_unit_or_strings() {
    let of = |unit, json: &str| {
        let records = PlainJson::new(
            "m",
            Mapping {
                time_unit: unit,
                ..mapping()
            },
        );
        notes(&records, json).map(|notes| notes.time)
    };
    let micros = 1_764_475_200_123_457;
    for (unit, json) in [
        (TimeUnit::Seconds, r#"{"timestamp": 1764475200.1234567}"#),
        (TimeUnit::Millis, r#"{"timestamp": 1764475200123.457}"#),
        (TimeUnit::Micros, r#"{"timestamp": 1764475200123457}"#),
        (TimeUnit::Micros, r#"{"timestamp": "1764475200123457"}"#),
        (TimeUnit::Nanos, r#"{"timestamp": 1764475200123456500}"#),
        (
            TimeUnit::Seconds,
            r#"{"timestamp": "2025-11-30T04:00:00.1234565Z"}"#,
        ),
        (TimeUnit::Micros, r#"{"timestamp": 5, "at": 1764475200123457}"#),
        (TimeUnit::Micros, r#"{"at": 1764475200123457, "timestamp": 5}"#),
    ] {
        assert_eq!(of(Some(unit), json).unwrap(), Some(Ok(micros)), "{json}");
    }
    let without = |json| of(None, json);
    assert_eq!(
        without(r#"{"timestamp": "2025-11-30T04:00:00.123457Z"}"#).unwrap(),
        Some(Ok(micros)),
        "a string says its unit"
    );
    assert_eq!(
        without(r#"{"timestamp": 5}"#).unwrap_err().fault,
        JsonFault::NoTimeUnit
    );
    assert_eq!(
        without(r#"{"timestamp": 5.5}"#).unwrap_err().fault,
        JsonFault::NoTimeUnit
    );
    for json in [
        r#"{"timestamp": "noon"}"#,
        r#"{"timestamp": [1]}"#,
        r#"{"timestamp": {"s": 1}}"#,
    ] {
        assert_eq!(without(json).unwrap_err().fault, JsonFault::NotATime, "{json}");
    }
    assert_eq!(without(r#"{"timestamp": null}"#).unwrap(), None);
    let huge = of(Some(TimeUnit::Nanos), r#"{"timestamp": 18446744073709551615}"#);
    assert_eq!(huge.unwrap(), Some(Err(TimeFault::OutOfRange)));
}

#[test]
fn tags_are_named_as_fields_are() {
    let records = PlainJson::new(
        "m",
        Mapping {
            tag_fields: vec!["labels".to_owned(), "in_site".to_owned()],
            tag_copies: vec![TagCopy {
                field: "index".to_owned(),
                tag: "instance".to_owned(),
            }],
            tiebreakers: vec!["seq".to_owned()],
            added_tag: Some("topic".to_owned()),
            ..mapping()
        },
    );
    let read = notes(
        &records,
        r#"{"labels": {"a": 1, "b": [true, 0.5]}, "in": {"site": "base", "v": 2}, "index": [3], "seq": 7, "time": 1}"#,
    )
    .unwrap();
    let tags: Vec<_> = read
        .tags
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(
        tags,
        [
            ("labels_a", "1"),
            ("labels_b0", "true"),
            ("labels_b1", "0.5"),
            ("in_site", "base"),
            ("instance0", "3")
        ]
    );
    let field = |name: &str, value| (name.to_owned(), Given::Double(value));
    assert_eq!(
        read.fields,
        [field("in_v", 2.0), field("index0", 3.0), field("seq", 7.0)]
    );
    assert_eq!(read.reserved, 1);
    let fault = |json| notes(&records, json).unwrap_err().fault;
    assert_eq!(fault(r#"{"seq": "7"}"#), JsonFault::NotAnInteger);
    assert_eq!(fault(r#"{"topic": "x"}"#), JsonFault::SameName);
    assert_eq!(
        fault(r#"{"instance": 1, "labels": {"x": 1}, "labels_x": 2}"#),
        JsonFault::SameName
    );
}

#[test]
fn integers_are_those_that_are_named() {
    let all = PlainJson::new("m", mapping()).with_integers(Some(Arc::new(|_: &str| true)));
    let of = |json: &str| notes(&all, json).map(|notes| notes.fields[0].1.clone());
    for (json, integer) in [
        (r#"{"v": 9007199254740993}"#, 9_007_199_254_740_993),
        (r#"{"v": -9223372036854775808}"#, i64::MIN),
        (r#"{"v": 1.0}"#, 1),
        (r#"{"v": 1e3}"#, 1_000),
    ] {
        assert_eq!(of(json), Ok(Given::Integer(integer)), "{json}");
    }
    for json in [r#"{"v": 1.5}"#, r#"{"v": 9223372036854775808}"#, r#"{"v": 1e19}"#] {
        assert_eq!(of(json).unwrap_err().fault, JsonFault::NotAnInteger, "{json}");
    }
    assert_eq!(
        of(r#"{"v": "1"}"#),
        Ok(Given::Text("1".to_owned())),
        "strings stay strings"
    );
}

#[test]
fn what_is_endless_is_refused() {
    let records = PlainJson::new("m", mapping());
    let deep = format!("{{\"v\": {}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(matches!(
        notes(&records, &deep).unwrap_err().fault,
        JsonFault::Syntax(_)
    ));
    // Each value has the whole name: 100 kB, a hundred times.
    let long = format!("{{\"{}\": [{}1]}}", "k".repeat(100_000), "1,".repeat(100));
    assert_eq!(notes(&records, &long).unwrap_err().fault, JsonFault::TooLarge);
    let mut lines = Vec::new();
    let text = format!("{{\"v\": \"{}\"}}", "x".repeat(5 << 20));
    let source = Source::default();
    let refusal = LineEncoder::default().encode_from(&records, text.as_bytes(), &source, &mut lines);
    assert!(refusal.is_err() && lines.is_empty());
}
