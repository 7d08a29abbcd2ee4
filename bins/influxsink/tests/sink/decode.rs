//! The decoder against apache-avro's encoder, and against bytes that no encoder writes.

use apache_avro::types::Value;
use confluent_avro::point::time::{TimeFault, TimeUnit};
use confluent_avro::point::{DecodeError, Fault, Mapping, Plan, SchemaError};
use proptest::prelude::*;

use crate::points::{Given, Notes, TIME, avro, field, record, schema};

fn decode(schema: &str, bytes: &[u8]) -> Result<Notes, DecodeError> {
    let plan = Plan::compile(schema, &Mapping::default()).unwrap();
    let mut notes = Notes::default();
    plan.decode(bytes, &mut notes).map(|()| notes)
}

fn refused(fields: &str) -> SchemaError {
    Plan::compile(&schema(fields), &Mapping::default()).unwrap_err()
}

/// A type with one of its values, and the expected fields.
#[derive(Clone, Debug)]
struct Sample {
    of: String,
    value: Value,
    /// Relative to the field's own name.
    out: Vec<(String, Given)>,
}

fn sample(of: &str, value: Value, given: Given) -> Sample {
    Sample {
        of: of.to_owned(),
        value,
        out: vec![(String::new(), given)],
    }
}

fn scalar(of: usize) -> BoxedStrategy<Sample> {
    match of {
        0 => any::<bool>()
            .prop_map(|v| sample(r#""boolean""#, Value::Boolean(v), Given::Boolean(v)))
            .boxed(),
        1 => any::<i32>()
            .prop_map(|v| sample(r#""int""#, Value::Int(v), Given::Integer(v.into())))
            .boxed(),
        2 => any::<i64>()
            .prop_map(|v| sample(r#""long""#, Value::Long(v), Given::Integer(v)))
            .boxed(),
        3 => any::<f32>()
            .prop_map(|v| sample(r#""float""#, Value::Float(v), Given::Float(v)))
            .boxed(),
        4 => any::<f64>()
            .prop_map(|v| sample(r#""double""#, Value::Double(v), Given::Double(v)))
            .boxed(),
        5 => ".{0,40}"
            .prop_map(|v| sample(r#""string""#, Value::String(v.clone()), Given::Text(v)))
            .boxed(),
        6 => "[a-z]{0,9}"
            .prop_map(|v| sample(r#""bytes""#, Value::Bytes(v.clone().into()), Given::Text(v)))
            .boxed(),
        _ => any::<i64>()
            .prop_map(|v| {
                let of = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
                sample(of, Value::TimestampMillis(v), Given::Integer(v))
            })
            .boxed(),
    }
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let array = (0..7usize).prop_flat_map(|of| {
        // All of one scalar type: the schema is the first one's, and an empty array takes any.
        (scalar(of), proptest::collection::vec(scalar(of), 0..20)).prop_map(|(first, items)| Sample {
            of: format!(r#"{{"type":"array","items":{}}}"#, first.of),
            value: Value::Array(items.iter().map(|item| item.value.clone()).collect()),
            out: items
                .iter()
                .enumerate()
                .map(|(i, item)| (i.to_string(), item.out[0].1.clone()))
                .collect(),
        })
    });
    let optional = (0..8usize, any::<bool>(), any::<bool>()).prop_flat_map(|(of, is_null, null_first)| {
        scalar(of).prop_map(move |some| {
            let of = match null_first {
                true => format!(r#"["null",{}]"#, some.of),
                false => format!(r#"[{},"null"]"#, some.of),
            };
            let (branch, value, out) = match is_null {
                true => (u32::from(!null_first), Value::Null, Vec::new()),
                false => (u32::from(null_first), some.value, some.out),
            };
            Sample {
                of,
                value: Value::Union(branch, Box::new(value)),
                out,
            }
        })
    });
    prop_oneof![4 => (0..8usize).prop_flat_map(scalar), 2 => array, 2 => optional]
}

proptest! {
    #[test]
    fn whatever_apache_avro_writes_is_read(samples in proptest::collection::vec(any_sample(), 1..30)) {
        let name = |at: usize| format!("f{at}_");
        let fields: Vec<String> = samples.iter().enumerate().map(|(at, s)| field(&name(at), &s.of)).collect();
        let schema = schema(&fields.join(","));
        let values = samples.iter().enumerate().map(|(at, s)| (name(at), s.value.clone())).collect();
        let bytes = avro(&schema, Value::Record(values));

        let notes = decode(&schema, &bytes).unwrap();
        let expected: Vec<(String, Given)> = samples.iter().enumerate()
            .flat_map(|(at, s)| s.out.iter().map(move |(rest, given)| (format!("{}{rest}", name(at)), given.clone())))
            .collect();
        // By their text, as NaN is not equal to itself.
        prop_assert_eq!(format!("{:?}", notes.fields), format!("{expected:?}"));
        prop_assert_eq!(notes.time, None);

        // A record that is truncated anywhere, or too long, is an error and never a shorter record.
        let plan = Plan::compile(&schema, &Mapping::default()).unwrap();
        for end in 0..bytes.len() {
            prop_assert!(plan.decode(&bytes[..end], &mut Notes::default()).is_err());
        }
        let longer = [&bytes[..], &[0]].concat();
        prop_assert_eq!(decode(&schema, &longer).unwrap_err().fault, Fault::Trailing(1));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let fields = [
            field("s", r#""string""#), field("a", r#"{"type":"array","items":"double"}"#),
            field("u", r#"["null","long",{"type":"enum","name":"E","symbols":["A","B"]}]"#),
            field("r", r#"{"type":"array","items":{"type":"record","name":"R","fields":[{"name":"x","type":["null","int"]}]}}"#),
            field("b", r#""boolean""#), field("f", r#"{"type":"fixed","name":"F","size":3}"#),
        ];
        let _ = decode(&schema(&fields.join(",")), &bytes);
    }
}

#[test]
fn nested_records_and_arrays_have_the_documented_names() {
    let inner = r#"{"type":"record","name":"Inner","fields":[{"name":"x","type":"int"},{"name":"y","type":["null","float"]}]}"#;
    let schema = schema(
        &[
            field("outer", inner),
            field("list", r#"{"type":"array","items":"Inner"}"#),
            field(
                "grid",
                r#"{"type":"array","items":{"type":"array","items":"int"}}"#,
            ),
            field("opt", r#"{"type":"array","items":["null","int"]}"#),
            field("mode", r#"{"type":"enum","name":"Mode","symbols":["OFF","ON"]}"#),
            field("raw", r#"{"type":"fixed","name":"Raw","size":2}"#),
        ]
        .join(","),
    );
    let pair = |x, y| record(&[("x", Value::Int(x)), ("y", y)]);
    let none = || Value::Union(0, Box::new(Value::Null));
    let some = |y| Value::Union(1, Box::new(y));
    let ints = |ints: &[i32]| Value::Array(ints.iter().map(|i| Value::Int(*i)).collect());
    let bytes = avro(
        &schema,
        record(&[
            ("outer", pair(1, some(Value::Float(0.5)))),
            (
                "list",
                Value::Array(vec![pair(2, none()), pair(3, some(Value::Float(1.5)))]),
            ),
            ("grid", Value::Array(vec![ints(&[4]), ints(&[5, 6])])),
            ("opt", Value::Array(vec![none(), some(Value::Int(7))])),
            ("mode", Value::Enum(1, "ON".into())),
            ("raw", Value::Fixed(2, b"ab".to_vec())),
        ]),
    );
    let notes = decode(&schema, &bytes).unwrap();
    let names: Vec<String> = notes
        .fields
        .iter()
        .map(|(name, given)| format!("{name} {given:?}"))
        .collect();
    assert_eq!(
        names,
        [
            "outer_x Integer(1)",
            "outer_y Float(0.5)",
            "list0_x Integer(2)",
            "list1_x Integer(3)",
            "list1_y Float(1.5)",
            "grid0_0 Integer(4)",
            "grid1_0 Integer(5)",
            "grid1_1 Integer(6)",
            "opt1 Integer(7)",
            "mode Text(\"ON\")",
            "raw Text(\"ab\")",
        ]
    );
}

#[test]
fn arrays_that_may_be_null_have_the_names_of_arrays_in_arrays() {
    // Found by the fuzzer avro_schema: without the `_`, row 1 element 11 and row 11 element 1 were both `grid111`.
    let row = r#"["null",{"type":"array","items":"int"}]"#;
    let schema = schema(&field("grid", &format!(r#"{{"type":"array","items":{row}}}"#)));
    let row = |length| Value::Union(1, Box::new(Value::Array(vec![Value::Int(1); length])));
    let bytes = avro(&schema, record(&[("grid", Value::Array(vec![row(12); 12]))]));
    let notes = decode(&schema, &bytes).unwrap();
    let names: std::collections::BTreeSet<_> = notes.fields.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 144);
    assert!(names.contains("grid1_11") && names.contains("grid11_1"));
}

#[test]
fn a_schema_that_is_none_is_quoted_without_its_control_characters() {
    let error = Plan::compile("\"a\u{7f}\u{9b}31m\"", &Mapping::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a record, or a union with one, found \"a\u{fffd}\u{fffd}31m\": only records have fields"
    );
}

#[test]
fn blocks_of_arrays_follow_each_other_and_may_tell_their_size() {
    let schema = schema(&field("a", r#"{"type":"array","items":"int"}"#));
    // Two items, then (count negative, size in bytes) one item, then the end.
    let notes = decode(&schema, &[4, 2, 4, 1, 2, 6, 0]).unwrap();
    let values: Vec<_> = notes.fields.into_iter().collect();
    assert_eq!(
        values,
        [1, 2, 3].map(|i: i64| (format!("a{}", i - 1), Given::Integer(i)))
    );
    // A count far beyond the remaining bytes is detected before anything is done for it.
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(decode(&schema, &huge).unwrap_err().fault, Fault::Truncated);
}

#[test]
fn errors_say_which_field_at_which_byte() {
    let schema = schema(&[field("n", r#""int""#), field("s", r#""string""#)].join(","));
    let text = |bytes: &[u8]| decode(&schema, bytes).unwrap_err().to_string();
    assert_eq!(
        text(&[2, 8, b'a']),
        "Avro, byte 2, field \"s\": the bytes end within a value"
    );
    assert_eq!(
        text(&[2, 2, 0xff]),
        "Avro, byte 3, field \"s\": a string is not UTF-8"
    );
    assert_eq!(text(&[2, 1]), "Avro, byte 2, field \"s\": a length is negative");
    assert_eq!(
        text(&[2, 0, 9, 9]),
        "Avro, byte 2, field \"\": 2 bytes are left after the last field"
    );
    assert_eq!(
        text(&[0xfe, 0xff, 0xff, 0xff, 0x1f, 0]),
        "Avro, byte 5, field \"n\": a variable-length integer does not fit its type"
    );
}

#[test]
fn the_time_is_found_by_dialect() {
    let time_of = |fields: &str, value: &[(&str, Value)]| {
        let schema = schema(fields);
        decode(&schema, &avro(&schema, record(value))).unwrap()
    };
    let efd = field(
        "sal_created",
        r#"{"type":"long","logicalType":"timestamp-millis"}"#,
    );
    let notes = time_of(
        &efd,
        &[("sal_created", Value::TimestampMillis(1_548_000_000_123))],
    );
    assert_eq!(notes.time, Some(Ok(1_548_000_000_123_000)));
    assert_eq!(
        notes.fields.len(),
        1,
        "the time stays a field, as the EFD's readers know it"
    );

    let notes = time_of(TIME, &[("private_efdStamp", Value::Double(1_548_000_000.25))]);
    assert_eq!(notes.time, Some(Ok(1_548_000_000_250_000)));
    let zero = time_of(TIME, &[("private_efdStamp", Value::Double(0.0))]);
    assert_eq!(zero.time, Some(Err(TimeFault::Zero)));

    let camera = field("private_efdStamp", r#"["null","double"]"#);
    let null = time_of(
        &camera,
        &[("private_efdStamp", Value::Union(0, Box::new(Value::Null)))],
    );
    assert_eq!(null.time, None);
}

#[test]
fn a_plain_integer_has_the_unit_that_the_operator_names() {
    let time_of = |of: &str, unit, value: &Value| {
        let schema = schema(&field("timestamp", of));
        let mapping = Mapping {
            time_fields: vec!["timestamp".into()],
            time_unit: unit,
            ..Mapping::default()
        };
        let plan = Plan::compile(&schema, &mapping)?;
        let mut notes = Notes::default();
        plan.decode(
            &avro(&schema, record(&[("timestamp", value.clone())])),
            &mut notes,
        )
        .unwrap();
        Ok::<_, SchemaError>(notes.time)
    };
    for (unit, value) in [
        (TimeUnit::Seconds, 1_548_000_000),
        (TimeUnit::Millis, 1_548_000_000_000),
        (TimeUnit::Micros, 1_548_000_000_000_000),
        (TimeUnit::Nanos, 1_547_999_999_999_999_500),
    ] {
        let (plain, nullable) = (Value::Long(value), Value::Union(1, Box::new(Value::Long(value))));
        for (of, value) in [(r#""long""#, plain), (r#"["null","long"]"#, nullable)] {
            let found = time_of(of, Some(unit), &value).unwrap();
            assert_eq!(found, Some(Ok(1_548_000_000_000_000)), "{unit:?}");
        }
    }
    let seconds = time_of(r#""int""#, Some(TimeUnit::Seconds), &Value::Int(1_548_000_000));
    assert_eq!(seconds.unwrap(), Some(Ok(1_548_000_000_000_000)));
    // A logical type and a double keep their own.
    let millis = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
    let own = time_of(
        millis,
        Some(TimeUnit::Nanos),
        &Value::TimestampMillis(1_548_000_000_123),
    );
    assert_eq!(own.unwrap(), Some(Ok(1_548_000_000_123_000)));
    let double = time_of(
        r#""double""#,
        Some(TimeUnit::Nanos),
        &Value::Double(1_548_000_000.25),
    );
    assert_eq!(double.unwrap(), Some(Ok(1_548_000_000_250_000)));
    // Nothing is guessed.
    let plain = time_of(r#""long""#, None, &Value::Long(1)).unwrap_err();
    assert!(plain.to_string().contains("--time-unit"), "{plain}");
    for (of, value) in [
        (r#"{"type":"int","logicalType":"date"}"#, Value::Date(1)),
        (
            r#"{"type":"long","logicalType":"local-timestamp-millis"}"#,
            Value::LocalTimestampMillis(1),
        ),
        (r#""string""#, Value::String("now".into())),
    ] {
        let refused = time_of(of, Some(TimeUnit::Seconds), &value).unwrap_err();
        assert!(refused.to_string().contains("a time is a long"), "{refused}");
    }
}

#[test]
fn a_time_may_be_in_a_nested_record() {
    let of = r#"{"type":"record","name":"Meta","fields":[{"name":"stamp","type":"double"}]}"#;
    let schema = schema(&field("meta", of));
    let mapping = Mapping {
        time_fields: vec!["meta_stamp".into()],
        ..Mapping::default()
    };
    let plan = Plan::compile(&schema, &mapping).unwrap();
    let mut notes = Notes::default();
    let meta = record(&[("stamp", Value::Double(1_548_000_000.25))]);
    plan.decode(&avro(&schema, record(&[("meta", meta)])), &mut notes)
        .unwrap();
    assert_eq!(notes.time, Some(Ok(1_548_000_000_250_000)));
}

#[test]
fn a_union_of_one_record_is_that_record() {
    let of = schema(&field("i", r#""int""#));
    for (union, record, other) in [
        (format!("[{of}]"), 0, None),
        (format!(r#"["null",{of}]"#), 2, Some(0)),
        (format!(r#"[{of},"string","null"]"#), 0, Some(4)),
        (format!(r#"{{"type":{of}}}"#), 6, None),
    ] {
        let plan = Plan::compile(&union, &Mapping::default()).unwrap();
        assert_eq!(&**plan.measurement(), "lsst.sal.Test_scalars");
        let mut notes = Notes::default();
        let bytes: &[u8] = if union.starts_with('[') {
            &[record, 6]
        } else {
            &[6]
        };
        plan.decode(bytes, &mut notes).unwrap();
        assert_eq!(notes.fields, [("i".into(), Given::Integer(3))]);
        if let Some(other) = other {
            let fault = plan.decode(&[other], &mut Notes::default()).unwrap_err().fault;
            assert!(matches!(fault, Fault::OtherBranch(_)), "{fault}");
        }
    }
    let two = format!("[{of},{}]", of.replace("Test_scalars", "Other"));
    for none in [r#"["null","int"]"#, &two] {
        let refused = Plan::compile(none, &Mapping::default()).unwrap_err();
        assert_eq!(refused.reason(), "schema_not_a_record");
    }
}

#[test]
fn an_array_of_nullable_values_has_no_room_beyond_another_field() {
    let fields = [
        field("a", r#"{"type":"array","items":["null","int"]}"#),
        field("a1", r#""int""#),
    ];
    let schema = schema(&fields.join(","));
    // One item and two of them, then the field.
    assert!(decode(&schema, &[2, 2, 2, 0, 8]).is_ok());
    let two = decode(&schema, &[4, 2, 2, 2, 2, 0, 8]).unwrap_err();
    assert_eq!(two.fault, Fault::NameCollision(1));
}

#[test]
fn types_without_a_faithful_place_are_refused_with_the_reason() {
    let why = |of: &str| refused(&field("f", of)).to_string();
    assert!(why(r#"{"type":"bytes","logicalType":"decimal","precision":4}"#).contains("decimal"));
    assert!(why(r#"{"type":"fixed","name":"D","size":12,"logicalType":"duration"}"#).contains("duration"));
    assert!(why(r#"{"type":"array","items":"null"}"#).contains("carries no data"));
    let recursive = r#"{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}"#;
    assert!(why(recursive).contains("contains itself"));
    assert!(why(r#""nowhere.Type""#).contains("no type is named"));
    assert!(
        refused(&field("a b", r#""int""#))
            .to_string()
            .contains("not a name for a field")
    );
    assert_eq!(
        Plan::compile(r#""int""#, &Mapping::default())
            .unwrap_err()
            .reason(),
        "schema_not_a_record"
    );
    assert_eq!(
        Plan::compile("{", &Mapping::default()).unwrap_err().reason(),
        "schema_not_avro"
    );
}

#[test]
fn a_small_schema_cannot_grow_without_bound() {
    // Each type uses the one before twice: 2^40 fields once they are put in.
    let mut fields = vec![field(
        "f0",
        r#"{"type":"record","name":"R0","fields":[{"name":"x","type":"int"}]}"#,
    )];
    for n in 1..40 {
        let p = n - 1;
        let of = format!(
            r#"{{"type":"record","name":"R{n}","fields":[{{"name":"a","type":"R{p}"}},{{"name":"b","type":"R{p}"}}]}}"#
        );
        fields.push(field(&format!("f{n}"), &of));
    }
    assert_eq!(refused(&fields.join(",")), SchemaError::TooLarge);
}

#[test]
fn two_values_never_get_one_name() {
    let ints = r#"{"type":"array","items":"int"}"#;
    // `force` has room for two elements beside `force2`, and then no more.
    let beside = schema(&[field("force", ints), field("force2", r#""int""#)].join(","));
    let of = |items: &[i32]| {
        let items = Value::Array(items.iter().map(|i| Value::Int(*i)).collect());
        decode(
            &beside,
            &avro(&beside, record(&[("force", items), ("force2", Value::Int(9))])),
        )
    };
    assert_eq!(of(&[1, 2]).unwrap().fields.len(), 3);
    assert_eq!(of(&[1, 2, 3]).unwrap_err().fault, Fault::NameCollision(2));
    // Arrays `a` and `a1`: a[10] is a1[0].
    let arrays = schema(&[field("a", ints), field("a1", ints)].join(","));
    let of = |length: usize| {
        let items = |n| Value::Array(vec![Value::Int(0); n]);
        decode(
            &arrays,
            &avro(&arrays, record(&[("a", items(length)), ("a1", items(1))])),
        )
    };
    assert!(of(10).is_ok());
    assert_eq!(of(11).unwrap_err().fault, Fault::NameCollision(10));

    let nested = r#"{"type":"record","name":"R","fields":[{"name":"b","type":"int"}]}"#;
    let twice = refused(&[field("a", nested), field("a_b", r#""int""#)].join(","));
    assert_eq!(twice, SchemaError::NameCollision { name: "a_b".into() });
}

#[test]
fn a_field_named_time_is_read_over_and_counted() {
    let schema = schema(&[field("time", r#""double""#), field("x", r#""int""#)].join(","));
    let notes = decode(
        &schema,
        &avro(
            &schema,
            record(&[("time", Value::Double(1.0)), ("x", Value::Int(3))]),
        ),
    )
    .unwrap();
    assert_eq!(
        (notes.fields, notes.reserved),
        (vec![("x".into(), Given::Integer(3))], 1)
    );
}

#[test]
fn every_published_sal_schema_has_a_plan() {
    let shared = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/sal");
    if !shared.exists() {
        println!("skipped: {} is not there", shared.display());
        return;
    }
    let mut plans = 0;
    let mut compile = |name: &str, schema: &str| {
        let plan =
            Plan::compile(schema, &Mapping::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(plan.measurement().starts_with("lsst.sal."), "{name}");
        plans += 1;
    };
    for file in std::fs::read_dir(shared.join("ts_xml-2019-01/avro")).unwrap() {
        let path = file.unwrap().path();
        compile(
            &path.display().to_string(),
            &std::fs::read_to_string(&path).unwrap(),
        );
    }
    for file in std::fs::read_dir(shared.join("ts_xml-v28/avro")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let topics: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
        for (topic, entry) in &topics {
            compile(topic, &entry["schema"].to_string());
        }
    }
    assert!(plans > 226, "{plans}");
}
