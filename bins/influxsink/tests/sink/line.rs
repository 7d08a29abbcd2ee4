//! Lines: whatever is written is read back to equal values, by the sink's own parser (which SQLite uses) and by
//! testkit's, which is independent of the encoder; and what cannot be written is refused with a reason.

use apache_avro::types::Value;
use confluent_avro::point::time::TimeFault;
use confluent_avro::point::{Fault, Mapping, Plan, TagCopy};
use influxsink::line::parse::{self, FieldValue};
use influxsink::line::{FloatFormat, Layout, LineEncoder, MAX_LINE_BYTES, Refusal, Source};
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
    assert_eq!(written(r#""float""#, Value::Float(0.25)), "0.25");
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
    let (written, encoded) = of("").unwrap();
    assert!(
        written.starts_with("lsst.sal.Test_scalars,salIndex=2 v=1i,"),
        "{written}"
    );
    assert_eq!(
        encoded.left_out.empty_tag, 1,
        "an empty tag is left out, as a null is"
    );
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
    assert!(compile(r#""int""#, "time").contains("does not accept a tag with this name"));
    let both = Plan::compile(&schema(TIME), &tagged(&["private_efdStamp"])).unwrap_err();
    assert!(both.to_string().contains("the time cannot be a tag as well"));
}

#[test]
fn every_type_can_be_a_tag() {
    let ints = r#"{"type":"array","items":"int"}"#;
    let array = Value::Array([1, 2].map(Value::Int).into());
    let nullable = |value: Option<f64>| match value {
        Some(value) => Value::Union(1, Box::new(Value::Double(value))),
        None => Value::Union(0, Box::new(Value::Null)),
    };
    for (of, value, tags) in [
        (r#""double""#, Value::Double(0.1), ",x=0.1"),
        (r#""double""#, Value::Double(1e21), ",x=1000000000000000000000"),
        (r#""double""#, Value::Double(-0.000_000_25), ",x=-0.00000025"),
        (r#""double""#, Value::Double(f64::NAN), ""),
        (r#""float""#, Value::Float(87_825.555), ",x=87825.555"),
        (r#"["null","double"]"#, nullable(Some(2.5)), ",x=2.5"),
        (r#"["null","double"]"#, nullable(None), ""),
        (r#""bytes""#, Value::Bytes(b"a b".into()), ",x=a\\ b"),
        (ints, array, ",x0=1,x1=2"),
    ] {
        let fields = [TIME.to_owned(), field("v", r#""int""#), field("x", of)].join(",");
        let values = [("private_efdStamp", STAMP), ("v", Value::Int(1)), ("x", value)];
        let bytes = avro(&schema(&fields), record(&values));
        let (written, encoded) = line(&schema(&fields), &tagged(&["x"]), &bytes).unwrap();
        let expected =
            format!("lsst.sal.Test_scalars{tags} private_efdStamp=1548000000.25,v=1i 1548000000250000\n");
        assert_eq!(written, expected, "{of}");
        assert_eq!(
            encoded.left_out.not_finite,
            u64::from(of.len() == 8 && tags.is_empty())
        );
    }
}

#[test]
fn a_copy_is_a_tag_and_stays_a_field() {
    let fields = [
        TIME.to_owned(),
        field("salIndex", r#""int""#),
        field("raft", r#"["null","string"]"#),
    ];
    let schema = schema(&fields.join(","));
    let mapping = |tag: &str| Mapping {
        tag_copies: [("salIndex", tag), ("raft", "raft")]
            .map(|(field, tag)| TagCopy {
                field: field.into(),
                tag: tag.into(),
            })
            .into(),
        ..Mapping::default()
    };
    let bytes = |raft: Value| {
        let values = [
            ("private_efdStamp", STAMP),
            ("salIndex", Value::Int(2)),
            ("raft", raft),
        ];
        avro(&schema, record(&values))
    };
    let named = bytes(Value::Union(1, Box::new(Value::String("R 22".into()))));
    assert_eq!(
        line(&schema, &mapping("instance"), &named).unwrap().0,
        "lsst.sal.Test_scalars,instance=2,raft=R\\ 22 private_efdStamp=1548000000.25,salIndex=2i,raft=\"R 22\" \
         1548000000250000\n"
    );
    let null = bytes(Value::Union(0, Box::new(Value::Null)));
    assert_eq!(
        line(&schema, &mapping("salIndex"), &null).unwrap().0,
        "lsst.sal.Test_scalars,salIndex=2 private_efdStamp=1548000000.25,salIndex=2i 1548000000250000\n"
    );
    let taken = Plan::compile(&schema, &mapping("private_efdStamp")).unwrap_err();
    assert_eq!(taken.reason(), "schema_name_collision");
}

#[test]
fn a_float_is_the_value_that_was_sent() {
    let written = |floats, value: f32| {
        let schema = schema(&[TIME.to_owned(), field("v", r#""float""#)].join(","));
        let plan = Plan::compile(&schema, &Mapping::default()).unwrap();
        let bytes = avro(
            &schema,
            record(&[("private_efdStamp", STAMP), ("v", Value::Float(value))]),
        );
        let layout = Layout {
            floats,
            ..Layout::default()
        };
        let mut lines = Vec::new();
        LineEncoder::new(layout)
            .encode(&plan, &bytes, None, &mut lines)
            .unwrap();
        let text = String::from_utf8(lines).unwrap();
        let (_, value) = text.split_once(",v=").unwrap();
        value.split_once(' ').unwrap().0.to_owned()
    };
    for (value, exact, shortest) in [
        (87_825.555_f32, "87825.5546875", "87825.555"),
        (0.1, "0.10000000149011612", "0.1"),
        (-1.5, "-1.5", "-1.5"),
        (f32::MIN_POSITIVE, "1.1754943508222875e-38", "1.1754944e-38"),
        (16_777_216.0, "16777216.0", "16777216.0"),
    ] {
        assert_eq!(written(FloatFormat::Exact, value), exact);
        assert_eq!(written(FloatFormat::Shortest, value), shortest);
        assert_eq!(exact.parse::<f64>().unwrap(), f64::from(value));
    }
}

#[test]
fn the_keys_of_a_map_are_names() {
    let map = |values: &str| format!(r#"{{"type":"map","values":{values}}}"#);
    let written = |of: &str, entries: &[(&str, Value)], mapping: &Mapping| {
        let fields = [TIME.to_owned(), field("m", of), field("m_a", r#""int""#)].join(",");
        let entries = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()));
        let values = [
            ("private_efdStamp", STAMP),
            ("m", Value::Map(entries.collect())),
            ("m_a", Value::Int(7)),
        ];
        let bytes = avro(&schema(&fields), record(&values));
        line(&schema(&fields), mapping, &bytes).map(|(line, _)| {
            let rest = line.strip_prefix("lsst.sal.Test_scalars").unwrap().to_owned();
            rest.strip_suffix(",m_a=7i 1548000000250000\n")
                .unwrap()
                .to_owned()
        })
    };
    let none = Mapping::default();
    let of_int = |entries: &[(&str, Value)]| written(&map(r#""int""#), entries, &none);
    let head = " private_efdStamp=1548000000.25";
    assert_eq!(of_int(&[]).unwrap(), head);
    assert_eq!(of_int(&[("b", Value::Int(1))]).unwrap(), format!("{head},m_b=1i"));
    let odd = of_int(&[("été, a=b", Value::Int(1))]).unwrap();
    assert_eq!(odd, format!("{head},m_été\\,\\ a\\=b=1i"));
    let line = format!("lsst.sal.Test_scalars{odd} 1548000000250000\n");
    let (point, _) = parse::line(&line).unwrap();
    assert_eq!(point.fields[1], ("m_été, a=b".into(), FieldValue::Integer(1)));
    let theirs = read_lines(line.as_bytes(), 1_000).remove(0).1.unwrap();
    assert_eq!(theirs.fields.get("m_été, a=b"), Some(&Independent::Integer(1)));

    let nullable = map(r#"["null","double"]"#);
    let null = Value::Union(0, Box::new(Value::Null));
    let half = Value::Union(1, Box::new(Value::Double(0.5)));
    assert_eq!(
        written(&nullable, &[("n", null)], &none).unwrap(),
        head,
        "a null is left out"
    );
    assert_eq!(
        written(&nullable, &[("h", half)], &none).unwrap(),
        format!("{head},m_h=0.5")
    );
    let nested = map(&map(r#"{"type":"array","items":"int"}"#));
    let items = Value::Array(vec![Value::Int(1), Value::Int(2)]);
    let inner = Value::Map([("y".to_owned(), items)].into());
    assert_eq!(
        written(&nested, &[("x", inner)], &none).unwrap(),
        format!("{head},m_x_y_0=1i,m_x_y_1=2i")
    );
    let text = Value::String("v w".into());
    assert_eq!(
        written(&map(r#""string""#), &[("k", text)], &tagged(&["m"])).unwrap(),
        format!(",m_k=v\\ w{head}")
    );

    let fault = |refused: Result<String, Refusal>| match refused {
        Err(Refusal::Decode(error)) => (error.field, error.fault),
        other => panic!("{other:?}"),
    };
    let twice = of_int(&[("a", Value::Int(1))]);
    assert_eq!(fault(twice), ("m_a".into(), Fault::SameName));
    for key in ["a\nother x=1", "q\"", "back\\"] {
        let refused = of_int(&[(key, Value::Int(1))]);
        assert_eq!(fault(refused), ("m_".into(), Fault::MapKey), "{key:?}");
    }
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

    // For records that have no time, it does not stand in for one that is not usable.
    let with = |seconds: f64, kafka_if_missing| {
        let plan = Plan::compile(&schema(TIME), &Mapping::default()).unwrap();
        let bytes = avro(&schema(TIME), record(&stamp(seconds)));
        let source = Source {
            kafka_millis: Some(1_548_000_000_123),
            kafka_if_missing,
            ..Source::default()
        };
        let encoded = LineEncoder::default().encode_from(&plan, &bytes, &source, &mut Vec::new());
        encoded.map(|encoded| encoded.time_micros)
    };
    assert_eq!(with(0.0, false), Ok(1_548_000_000_123_000));
    assert_eq!(with(0.0, true), Err(Refusal::Time(TimeFault::Zero)));
    assert_eq!(with(1.5, true), Ok(1_500_000));
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
            Err(Refusal::TagControl { .. } | Refusal::TagBackslash { .. }) => return Ok(()),
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
        let tags: Vec<_> = point.tags.iter().map(|(name, value)| (&**name, &**value)).collect();
        let expected: Vec<_> = Some(("t", tag.as_str())).filter(|_| !tag.is_empty()).into_iter().collect();
        prop_assert_eq!(tags, expected);
        prop_assert_eq!(encoded.left_out.empty_tag, u64::from(tag.is_empty()));
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
        prop_assert_eq!(theirs.key.tags.get("t"), Some(&tag).filter(|tag| !tag.is_empty()));
        prop_assert_eq!(theirs.fields.len(), point.fields.len());
        prop_assert_eq!(theirs.fields.get("l"), Some(&Independent::Integer(long)));
        prop_assert_eq!(theirs.fields.get("b"), Some(&Independent::Boolean(flag)));
        prop_assert_eq!(theirs.fields.get("s"), Some(&Independent::Text(text)));
        for (name, double) in finite {
            prop_assert_eq!(get(&name), Some(&FieldValue::Float(double)));
            prop_assert_eq!(theirs.fields.get(&name), Some(&Independent::Float(double)));
        }
        if let Some(Independent::Float(read)) = theirs.fields.get("f") {
            prop_assert_eq!(*read, f64::from(single), "a float is the value that was sent");
        }
    }
}
