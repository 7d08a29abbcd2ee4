//! Lines: whatever is written is read back to equal values, by the sink's own parser (which SQLite uses) and by
//! testkit's, which is independent of the encoder; and what cannot be written is refused with a reason.

use apache_avro::types::Value;
use confluent_avro::point::time::TimeFault;
use confluent_avro::point::{Fault, Mapping, Plan};
use influxsink::line::parse::{self, FieldValue};
use influxsink::line::{LineEncoder, MAX_LINE_BYTES, Refusal};
use proptest::prelude::*;
use testkit::influx::{FieldValue as Independent, read_lines};

use crate::points::{TIME, avro, field, line, record, schema};

const STAMP: Value = Value::Double(1_548_000_000.25);

fn tagged(tags: &[&str]) -> Mapping {
    Mapping {
        tag_fields: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..Mapping::default()
    }
}

/// The line of one value beside the time.
fn of(value_type: &str, value: Value, mapping: &Mapping) -> Result<String, Refusal> {
    let schema = schema(&[TIME.to_owned(), field("v", value_type)].join(","));
    let bytes = avro(&schema, record(&[("private_efdStamp", STAMP), ("v", value)]));
    line(&schema, mapping, &bytes).map(|(line, _)| line)
}

fn written(value_type: &str, value: Value) -> String {
    let line = of(value_type, value, &Mapping::default()).unwrap();
    let rest = line
        .strip_prefix("lsst.sal.Test_scalars private_efdStamp=1548000000.25,v=")
        .unwrap();
    rest.strip_suffix(" 1548000000250000\n").unwrap().to_owned()
}

#[test]
fn each_type_has_its_form() {
    assert_eq!(written(r#""double""#, Value::Double(0.1)), "0.1");
    assert_eq!(written(r#""double""#, Value::Double(-1.0)), "-1.0");
    assert_eq!(written(r#""double""#, Value::Double(1e300)), "1e+300");
    assert_eq!(written(r#""float""#, Value::Float(0.1)), "0.1");
    assert_eq!(written(r#""int""#, Value::Int(-7)), "-7i");
    assert_eq!(
        written(r#""long""#, Value::Long(i64::MIN)),
        "-9223372036854775808i"
    );
    assert_eq!(written(r#""boolean""#, Value::Boolean(true)), "true");
    assert_eq!(
        written(r#""string""#, Value::String("a \"b\" \\ c\nd".into())),
        "\"a \\\"b\\\" \\\\ c\nd\""
    );
    let enumeration = r#"{"type":"enum","name":"E","symbols":["OFF","ON"]}"#;
    assert_eq!(written(enumeration, Value::Enum(1, "ON".into())), "\"ON\"");
    let array = r#"{"type":"array","items":"float"}"#;
    let items = Value::Array(vec![Value::Float(1.5), Value::Float(f32::NAN), Value::Float(2.5)]);
    let line = of(array, items, &Mapping::default()).unwrap();
    assert!(line.contains(",v0=1.5,v2=2.5 "), "{line}");
}

#[test]
fn not_finite_values_are_left_out_and_counted() {
    let schema = schema(
        &[
            TIME.to_owned(),
            field("a", r#""double""#),
            field("b", r#""float""#),
            field("c", r#""int""#),
        ]
        .join(","),
    );
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let values = [
            ("private_efdStamp", STAMP),
            ("a", Value::Double(value)),
            ("b", Value::Float(value as f32)),
            ("c", Value::Int(1)),
        ];
        let (line, encoded) = line(&schema, &Mapping::default(), &avro(&schema, record(&values))).unwrap();
        assert_eq!(
            line,
            "lsst.sal.Test_scalars private_efdStamp=1548000000.25,c=1i 1548000000250000\n"
        );
        assert_eq!(encoded.left_out.not_finite, 2);
    }
}

#[test]
fn tags_are_opt_in_and_come_before_the_fields() {
    let schema = schema(
        &[
            field("v", r#""int""#),
            field("salIndex", r#""int""#),
            field("who", r#""string""#),
            TIME.to_owned(),
        ]
        .join(","),
    );
    let values = |who: &str| {
        let who = Value::String(who.to_owned());
        record(&[
            ("v", Value::Int(1)),
            ("salIndex", Value::Int(2)),
            ("who", who),
            ("private_efdStamp", STAMP),
        ])
    };
    let of = |who: &str| {
        line(
            &schema,
            &tagged(&["salIndex", "who"]),
            &avro(&schema, values(who)),
        )
    };
    let (written, _) = of("a b,c=d").unwrap();
    assert_eq!(
        written,
        "lsst.sal.Test_scalars,salIndex=2,who=a\\ b\\,c\\=d v=1i,private_efdStamp=1548000000.25 1548000000250000\n"
    );
    assert_eq!(of("").unwrap_err(), Refusal::TagEmpty { tag: "who".into() });
    let injection = "x\nother,t=1 v=1i 1548000000250000";
    assert_eq!(
        of(injection).unwrap_err(),
        Refusal::TagControl { tag: "who".into() }
    );
    assert_eq!(
        of("ends in \\").unwrap_err(),
        Refusal::TagBackslash { tag: "who".into() }
    );
}

#[test]
fn a_tag_must_be_able_to_be_one() {
    let compile = |of: &str, name: &str| {
        Plan::compile(
            &schema(&[TIME.to_owned(), field(name, of)].join(",")),
            &tagged(&[name]),
        )
        .unwrap_err()
        .to_string()
    };
    assert!(compile(r#""double""#, "x").contains("a tag is a string, an enum, a boolean or an integer"));
    assert!(compile(r#"{"type":"array","items":"int"}"#, "x").contains("an array cannot be a tag"));
    assert!(compile(r#""int""#, "time").contains("does not accept a tag with this name"));
    let both = Plan::compile(&schema(TIME), &tagged(&["private_efdStamp"])).unwrap_err();
    assert!(both.to_string().contains("the time cannot be a tag as well"));
}

#[test]
fn a_time_is_never_invented() {
    let refused = |schema: &str, values: &[(&str, Value)]| {
        line(schema, &Mapping::default(), &avro(schema, record(values))).unwrap_err()
    };
    let without = schema(&field("v", r#""int""#));
    assert_eq!(
        refused(&without, &[("v", Value::Int(1))]),
        Refusal::Time(TimeFault::Missing)
    );
    let stamp = |seconds| [("private_efdStamp", Value::Double(seconds))];
    assert_eq!(
        refused(&schema(TIME), &stamp(0.0)),
        Refusal::Time(TimeFault::Zero)
    );
    assert_eq!(
        refused(&schema(TIME), &stamp(1e12)),
        Refusal::Time(TimeFault::OutOfRange)
    );

    // Kafka's timestamp only on request, and only if there is a usable one.
    let plan = Plan::compile(&without, &Mapping::default()).unwrap();
    let bytes = avro(&without, record(&[("v", Value::Int(1))]));
    let mut lines = Vec::new();
    let encoded = LineEncoder::default()
        .encode(&plan, &bytes, Some(1_548_000_000_123), &mut lines)
        .unwrap();
    assert!(encoded.time_from_kafka);
    assert_eq!(lines, b"lsst.sal.Test_scalars v=1i 1548000000123000\n");
    let refused = LineEncoder::default().encode(&plan, &bytes, Some(-1), &mut lines);
    assert_eq!(refused, Err(Refusal::Time(TimeFault::OutOfRange)));
}

#[test]
fn a_point_needs_a_field_and_an_end() {
    // All that is left is a tag.
    let kafka_time = schema(&[field("t", r#""string""#), field("x", r#""double""#)].join(","));
    let plan = Plan::compile(&kafka_time, &tagged(&["t"])).unwrap();
    let bytes = avro(
        &kafka_time,
        record(&[("t", Value::String("a".into())), ("x", Value::Double(f64::NAN))]),
    );
    let encoded = LineEncoder::default().encode(&plan, &bytes, Some(1), &mut Vec::new());
    assert_eq!(encoded, Err(Refusal::NoFields));

    let long = "x".repeat(MAX_LINE_BYTES + 1);
    let fields = [TIME.to_owned(), field("a", r#""string""#), field("b", r#""int""#)].join(",");
    let values = [
        ("private_efdStamp", STAMP),
        ("a", Value::String(long)),
        ("b", Value::Int(1)),
    ];
    let refused = line(
        &schema(&fields),
        &Mapping::default(),
        &avro(&schema(&fields), record(&values)),
    );
    assert_eq!(refused.unwrap_err(), Refusal::TooLong);

    let not_text = of(r#""bytes""#, Value::Bytes(vec![0xff]), &Mapping::default()).unwrap_err();
    assert!(
        matches!(not_text, Refusal::Decode(error) if error.fault == Fault::BinaryBytes && error.field == "v")
    );
}

proptest! {
    #[test]
    fn every_written_line_reads_back_to_equal_values(
        doubles in proptest::collection::vec(any::<f64>(), 0..8),
        single in any::<f32>(),
        long in any::<i64>(),
        flag in any::<bool>(),
        text in "\\PC{0,20}|[\"\\\\\n\r ,=]{0,8}",
        tag in "\\PC{0,12}|[a\\\\ ,=]{1,6}",
        micros in 1i64..9_000_000_000_000_000,
    ) {
        let schema = schema(&[
            field("sal_created", r#"{"type":"long","logicalType":"timestamp-micros"}"#),
            field("d", r#"{"type":"array","items":"double"}"#), field("f", r#""float""#), field("l", r#""long""#),
            field("b", r#""boolean""#), field("s", r#""string""#), field("t", r#""string""#),
        ].join(","));
        let values = record(&[
            ("sal_created", Value::TimestampMicros(micros)),
            ("d", Value::Array(doubles.iter().map(|d| Value::Double(*d)).collect())),
            ("f", Value::Float(single)), ("l", Value::Long(long)), ("b", Value::Boolean(flag)),
            ("s", Value::String(text.clone())), ("t", Value::String(tag.clone())),
        ]);
        let (line, encoded) = match line(&schema, &tagged(&["t"]), &avro(&schema, values)) {
            Ok(written) => written,
            Err(Refusal::TagEmpty { .. } | Refusal::TagControl { .. } | Refusal::TagBackslash { .. }) => return Ok(()),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        let finite: Vec<(String, f64)> = doubles.iter().enumerate().filter(|(_, d)| d.is_finite())
            .map(|(at, d)| (format!("d{at}"), *d)).collect();
        let left_out = doubles.len() - finite.len() + usize::from(!single.is_finite());
        prop_assert_eq!(encoded.left_out.not_finite, left_out as u64);

        // Ours.
        let (point, rest) = parse::line(&line).unwrap();
        prop_assert_eq!(rest, "");
        prop_assert_eq!(point.measurement, "lsst.sal.Test_scalars");
        prop_assert_eq!(point.time_micros, micros);
        prop_assert_eq!(&point.tags, &[("t", tag.as_str().into())]);
        let get = |name: &str| point.fields.iter().find(|(n, _)| *n == name).map(|(_, value)| value);
        prop_assert_eq!(point.fields.len(), 4 + finite.len() + usize::from(single.is_finite()));
        prop_assert_eq!(get("l"), Some(&FieldValue::Integer(long)));
        prop_assert_eq!(get("b"), Some(&FieldValue::Boolean(flag)));
        prop_assert_eq!(get("s"), Some(&FieldValue::Text(text.as_str().into())));

        // Another hand's.
        let mut read = read_lines(line.as_bytes(), 1_000);
        prop_assert_eq!(read.len(), 1);
        let theirs = read.remove(0).1.unwrap();
        prop_assert_eq!(theirs.key.measurement, "lsst.sal.Test_scalars");
        prop_assert_eq!(theirs.key.time_ns, micros * 1_000);
        prop_assert_eq!(theirs.key.tags.get("t"), Some(&tag));
        prop_assert_eq!(theirs.fields.len(), point.fields.len());
        prop_assert_eq!(theirs.fields.get("l"), Some(&Independent::Integer(long)));
        prop_assert_eq!(theirs.fields.get("b"), Some(&Independent::Boolean(flag)));
        prop_assert_eq!(theirs.fields.get("s"), Some(&Independent::Text(text)));
        for (name, double) in finite {
            prop_assert_eq!(get(&name), Some(&FieldValue::Float(double)));
            prop_assert_eq!(theirs.fields.get(&name), Some(&Independent::Float(double)));
        }
        if let Some(Independent::Float(read)) = theirs.fields.get("f") {
            prop_assert_eq!(*read as f32, single, "a float read as a float is the same one");
        }
    }
}
