//! Records as JSON: what is shown is read back to the same bytes, and hostile bytes exhaust neither the stack
//! nor the memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

mod arbitrary;

use std::time::{Duration, Instant};

use arbitrary::{Case, any_case, long};
use confluent_avro::json::MAX_DEPTH;
use confluent_avro::point::{Mapping, Plan};
use confluent_avro::read::Fault;
use confluent_avro::schema::{ParseError, Schema};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Through the text of a `tail` line.
fn there_and_back(schema: &Schema, avro: &[u8]) -> (String, Vec<u8>) {
    let text = schema.to_json(avro).unwrap().to_string();
    let mut written = Vec::new();
    let json: Value = serde_json::from_str(&text).unwrap();
    if let Err(misfit) = schema.write_json(&json, &mut written) {
        panic!("{misfit}: {text}");
    }
    (text, written)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_is_written_back_byte_for_byte(Case { schema, avro } in any_case()) {
        let parsed = Schema::parse(&schema.to_string()).unwrap();
        let (text, written) = there_and_back(&parsed, &avro);
        prop_assert_eq!(&written, &avro, "{} as {}", schema, text);
    }

    #[test]
    fn what_is_shown_with_the_branches_of_unions_is_written_back(Case { schema, avro } in any_case()) {
        let parsed = Schema::parse(&schema.to_string()).unwrap();
        let shown = parsed.to_typed_json(&avro).unwrap();
        let mut written = Vec::new();
        parsed.write_json(&shown, &mut written).unwrap();
        prop_assert_eq!(&written, &avro, "{} as {}", schema, shown);
    }

    #[test]
    fn any_bytes_are_read_or_refused(Case { schema, avro } in any_case(), noise: Vec<u8>, at: prop::sample::Index) {
        let parsed = Schema::parse(&schema.to_string()).unwrap();
        let cut = at.index(avro.len() + 1);
        let bytes = [&avro[..cut], &noise[..]].concat();
        if let Ok(shown) = parsed.to_json(&bytes) {
            let mut written = Vec::new();
            parsed.write_json(&shown, &mut written).unwrap();
            prop_assert_eq!(parsed.to_json(&written).unwrap(), shown);
        }
    }

    /// apache-avro, an independent implementation, reads what is written.
    #[test]
    fn apache_avro_reads_what_is_written(Case { schema, avro } in any_case()) {
        let Ok(theirs) = apache_avro::Schema::parse_str(&schema.to_string()) else {
            return Ok(());
        };
        let reader = apache_avro::reader::datum::GenericDatumReader::builder(&theirs).build().unwrap();
        let parsed = Schema::parse(&schema.to_string()).unwrap();
        let mut rest = &there_and_back(&parsed, &avro).1[..];
        // It refuses some values that the specification allows, such as decimals of no bytes.
        if reader.read_value(&mut rest).is_ok() {
            prop_assert!(rest.is_empty());
        }
    }
}

fn field(of: &Value) -> Schema {
    let schema = json!({"type": "record", "name": "n.R", "fields": [{"name": "f", "type": of}]});
    Schema::parse(&schema.to_string()).unwrap()
}

/// The JSON of a field with these bytes, which must be restored from it.
fn shown(of: &Value, avro: &[u8]) -> Value {
    let schema = field(of);
    let (text, written) = there_and_back(&schema, avro);
    assert_eq!(written, avro, "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    json["f"].clone()
}

#[test]
fn values_are_shown_in_standard_notation() {
    let bytes = json!("bytes");
    assert_eq!(shown(&bytes, &[4, 0xff, 0]), json!("\u{ff}\u{0}"));
    assert_eq!(shown(&bytes, &[4, 0xc3, 0xa9]), json!("\u{c3}\u{a9}"));
    let decimal = json!({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2});
    assert_eq!(shown(&decimal, &[4, 0x04, 0xd2]), json!("12.34"));
    assert_eq!(
        shown(&decimal, &[6, 0, 0x04, 0xd2]),
        json!([0, 4, 210]),
        "a needless byte"
    );
    let fixed = json!({"type": "fixed", "name": "D", "size": 3, "logicalType": "decimal", "precision": 4, "scale": 2});
    assert_eq!(shown(&fixed, &[0xff, 0xfb, 0x2e]), json!("-12.34"));
    let duration = json!({"type": "fixed", "name": "P", "size": 12, "logicalType": "duration"});
    assert_eq!(
        shown(&duration, &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]),
        json!("P1M2DT0.003S")
    );
    let uuid = json!({"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"});
    assert_eq!(
        shown(&uuid, &(0..16).collect::<Vec<u8>>()),
        json!("00010203-0405-0607-0809-0a0b0c0d0e0f")
    );
    let day = json!({"type": "int", "logicalType": "date"});
    assert_eq!(shown(&day, &[1]), json!("1969-12-31"));
    let millis = json!({"type": "long", "logicalType": "timestamp-millis"});
    assert_eq!(
        shown(&millis, &long(1_556_000_000_125)),
        json!("2019-04-23T06:13:20.125Z")
    );
    assert_eq!(shown(&millis, &long(i64::MAX)), json!(i64::MAX));
    let local = json!({"type": "long", "logicalType": "local-timestamp-micros"});
    assert_eq!(shown(&local, &long(-1)), json!("1969-12-31T23:59:59.999999"));
    let time = json!({"type": "int", "logicalType": "time-millis"});
    assert_eq!(shown(&time, &[2]), json!("00:00:00.001"));
    assert_eq!(shown(&time, &[1]), json!(-1));
    assert_eq!(shown(&json!("float"), &0.1f32.to_le_bytes()).to_string(), "0.1");
    assert_eq!(
        shown(&json!("double"), &(-0.0f64).to_le_bytes()).to_string(),
        "-0.0"
    );
    for (value, text) in [(f64::INFINITY, "Infinity"), (f64::NEG_INFINITY, "-Infinity")] {
        assert_eq!(shown(&json!("double"), &value.to_le_bytes()), json!(text));
    }
    for (bits, text) in [
        (0x7ff8_0000_0000_0000, "NaN"),
        (0xfff8_0000_0000_0000, "-NaN"),
        (0x7ff0_0000_0000_0001u64, "NaN(0x7ff0000000000001)"),
    ] {
        assert_eq!(shown(&json!("double"), &bits.to_le_bytes()), json!(text));
    }
    let map = json!({"type": "map", "values": "int"});
    assert_eq!(
        shown(&map, &[4, 2, b'b', 2, 2, b'a', 4, 0]).to_string(),
        r#"{"b":1,"a":2}"#
    );
    assert_eq!(
        shown(&map, &[4, 2, b'a', 2, 2, b'a', 4, 0]),
        json!([{"key": "a", "value": 1}, {"key": "a", "value": 2}])
    );
}

#[test]
fn unions_name_their_branch_if_the_value_is_ambiguous() {
    let numbers = json!(["int", "long"]);
    assert_eq!(shown(&numbers, &[0, 10]), json!(5));
    assert_eq!(shown(&numbers, &[2, 10]), json!({"long": 5}));
    assert_eq!(shown(&json!(["null", "long"]), &[2, 10]), json!(5));
    assert_eq!(shown(&json!(["null", "long"]), &[0]), json!(null));
    let texts = json!(["double", "string"]);
    assert_eq!(shown(&texts, &[2, 6, b'N', b'a', b'N']), json!({"string": "NaN"}));
    assert_eq!(shown(&texts, &[2, 2, b'x']), json!("x"));
    // A map whose only key is the name of a branch.
    let map = json!(["null", "string", {"type": "map", "values": "string"}]);
    let entry = [4, 2, 12, b's', b't', b'r', b'i', b'n', b'g', 2, b'x', 0];
    assert_eq!(shown(&map, &entry), json!({"map": {"string": "x"}}));
    let records = json!([
        {"type": "record", "name": "A", "fields": [{"name": "x", "type": "int"}]},
        {"type": "record", "name": "B", "fields": [{"name": "x", "type": "int"}]},
        {"type": "record", "name": "C", "fields": [{"name": "y", "type": "int"}]},
    ]);
    assert_eq!(shown(&records, &[0, 2]), json!({"x": 1}));
    assert_eq!(shown(&records, &[2, 2]), json!({"n.B": {"x": 1}}));
    assert_eq!(shown(&records, &[4, 2]), json!({"y": 1}));
}

/// The time limit for reading hostile bytes in a debug build on a busy machine.
const SOON: Duration = Duration::from_secs(60);

fn refused(schema: &str, avro: &[u8]) -> Fault {
    let schema = Schema::parse(schema).unwrap();
    let start = Instant::now();
    let error = schema.to_json(avro).unwrap_err();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    error.fault
}

#[test]
fn a_recursive_record_has_a_depth_limit() {
    let schema = r#"{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}"#;
    let deep = |depth: usize| [vec![2; depth], vec![0]].concat();
    assert_eq!(refused(schema, &deep(10_000)), Fault::TooDeep);
    assert_eq!(refused(schema, &deep(10_000_000)), Fault::TooDeep);
    let parsed = Schema::parse(schema).unwrap();
    let (_, written) = there_and_back(&parsed, &deep(MAX_DEPTH - 1));
    assert_eq!(written, deep(MAX_DEPTH - 1));
    assert_eq!(refused(schema, &deep(MAX_DEPTH)), Fault::TooDeep);
    // Without a union in between, a value would never end.
    let endless = r#"{"type":"record","name":"N","fields":[{"name":"n","type":"N"}]}"#;
    assert_eq!(refused(endless, &[]), Fault::TooDeep);
    let lists = r#"{"type":"record","name":"N","fields":[{"name":"n","type":{"type":"array","items":"N"}}]}"#;
    assert_eq!(refused(lists, &[2; 10_000]), Fault::TooDeep);
}

#[test]
fn values_without_bytes_are_limited() {
    let nested = |inner: &str, depth: usize| {
        (0..depth).fold(inner.to_owned(), |of, _| {
            format!(r#"{{"type":"array","items":{of}}}"#)
        })
    };
    let record =
        |of: &str| format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":{of}}}]}}"#);
    let many = long(1 << 40);
    assert_eq!(
        refused(&record(&nested(r#""null""#, 1)), &many),
        Fault::TooManyValues
    );
    let empty = r#"{"type":"record","name":"E","fields":[]}"#;
    assert_eq!(refused(&record(&nested(empty, 1)), &many), Fault::TooManyValues);
    let nothing = r#"{"type":"fixed","name":"F","size":0}"#;
    assert_eq!(refused(&record(&nested(nothing, 1)), &many), Fault::TooManyValues);
    // A thousand arrays, each of a thousand times a thousand nulls.
    let three = [
        long(1_000),
        [long(1_000), long(1_000), vec![0]].concat().repeat(1_000),
    ]
    .concat();
    assert_eq!(
        refused(&record(&nested(r#""null""#, 3)), &three),
        Fault::TooManyValues
    );
    // A negative count is followed by a size.
    let negative = [long(-(1 << 40)), long(0)].concat();
    assert_eq!(
        refused(&record(&nested(r#""null""#, 1)), &negative),
        Fault::TooManyValues
    );
}

/// The schema has a name once, JSON has it as often as the record does.
#[test]
fn long_names_count_towards_the_limit() {
    let name = "x".repeat(100_000);
    let items = format!(r#"{{"type":"record","name":"I","fields":[{{"name":"{name}","type":"null"}}]}}"#);
    let symbol = format!(r#"{{"type":"enum","name":"E","symbols":["{name}"]}}"#);
    let list = |of: &str| {
        format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":{{"type":"array","items":{of}}}}}]}}"#
        )
    };
    assert_eq!(refused(&list(&items), &long(1 << 40)), Fault::TooManyValues);
    let symbols = [long(500_000), vec![0; 500_001]].concat();
    assert_eq!(refused(&list(&symbol), &symbols), Fault::TooManyValues);
}

#[test]
fn large_records_are_complete() {
    let schema =
        r#"{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"array","items":"double"}}]}"#;
    let count = 125_000;
    let avro = [
        long(count),
        [0.5f64.to_le_bytes()].concat().repeat(125_000),
        vec![0],
    ]
    .concat();
    let shown = Schema::parse(schema).unwrap().to_json(&avro).unwrap();
    assert_eq!(shown["f"].as_array().unwrap().len(), 125_000);
}

#[test]
fn hostile_schemas_are_refused() {
    let deep = format!(
        "{}\"int\"{}",
        r#"{"type":"array","items":"#.repeat(10_000),
        "}".repeat(10_000)
    );
    assert!(matches!(Schema::parse(&deep), Err(ParseError::NotAvro(_))));
    let many: Vec<String> = (0..30_000)
        .map(|n| format!(r#"{{"name":"f{n}","type":"int"}}"#))
        .collect();
    let wide = format!(r#"{{"type":"record","name":"R","fields":[{}]}}"#, many.join(","));
    assert_eq!(Schema::parse(&wide).unwrap_err(), ParseError::TooLarge);
    for (schema, said) in [
        (r#"["int",["int"]]"#, "a union is a branch of a union"),
        (
            r#"["int",{"type":"int","logicalType":"date"}]"#,
            "two branches of type \"int\"",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A","A"]}"#,
            "two symbols are \"A\"",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#,
            "two fields are named \"a\"",
        ),
        (r#"{"type":"fixed","name":"F","size":-1}"#, "size is not a number"),
        (r#""Nowhere""#, "no type is named"),
    ] {
        let error = Schema::parse(schema).unwrap_err().to_string();
        assert!(error.contains(said), "{schema}: {error}");
    }
    // Nothing is allocated for a size that only the schema claims.
    let huge = r#"{"type":"fixed","name":"F","size":1000000000000000}"#;
    assert_eq!(refused(huge, &[0; 10]), Fault::Truncated);
}

/// Nested unions in which only the innermost value decides: tried to the end, or given up in time.
#[test]
fn trying_branches_of_unions_is_limited() {
    let schema = r#"{"type":"record","name":"A","fields":[{"name":"n","type":["null","A",
        {"type":"record","name":"B","fields":[{"name":"n","type":["null","A","B"]}]}]}]}"#;
    let schema = Schema::parse(schema).unwrap();
    let json = (0..MAX_DEPTH - 1).fold(json!({"n": "no"}), |inner, _| json!({"n": inner}));
    let start = Instant::now();
    let misfit = schema.write_json(&json, &mut Vec::new()).unwrap_err();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(misfit.to_string().len() < 1_000, "{misfit}");
}

#[test]
fn defaults_fill_what_is_missing() {
    let schema = json!({"type": "record", "name": "R", "fields": [
        {"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, "default": "\u{4}\u{d2}"},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0},
        {"name": "r", "type": {"type": "record", "name": "In", "fields": [{"name": "x", "type": "int", "default": 7}]}, "default": {}},
    ]});
    let schema = Schema::parse(&schema.to_string()).unwrap();
    let mut written = Vec::new();
    schema.write_json(&json!({}), &mut written).unwrap();
    assert_eq!(
        schema.to_json(&written).unwrap(),
        json!({"d": "12.34", "t": "1970-01-01T00:00:00.000Z", "r": {"x": 7}})
    );
    let endless = r#"{"type":"record","name":"R","fields":[{"name":"r","type":"R","default":{}},{"name":"s","type":"R","default":{}}]}"#;
    let misfit = Schema::parse(endless)
        .unwrap()
        .write_json(&json!({}), &mut Vec::new())
        .unwrap_err();
    assert!(misfit.expected.contains("at most 40"), "{misfit}");
}

/// A chain of types in a part of the schema that becomes no point, and one that does.
#[test]
fn no_schema_overflows_the_stack_of_the_sink() {
    let mut fields = vec![
        r#"{"name":"f0","type":{"type":"record","name":"R0","fields":[{"name":"x","type":"int"}]}}"#
            .to_owned(),
    ];
    fields.extend((1..9_000).map(|n| {
        let inner = format!(r#"{{"name":"r","type":"R{}"}}"#, n - 1);
        format!(r#"{{"name":"f{n}","type":{{"type":"record","name":"R{n}","fields":[{inner}]}}}}"#)
    }));
    let chain = format!(
        r#"{{"type":"record","name":"C","fields":[{}]}}"#,
        fields.join(",")
    );
    let hidden = format!(
        r#"{{"type":"record","name":"R","fields":[{{"name":"m","type":{{"type":"map","values":{chain}}}}},{{"name":"f","type":"R8999"}}]}}"#
    );
    for schema in [chain, hidden] {
        let refused = Plan::compile(&schema, &Mapping::default()).unwrap_err();
        assert!(refused.to_string().len() < 1_000, "{refused}");
    }
    // A symbol is stored once, however often its enum is used.
    let symbol = "x".repeat(1_000_000);
    let mut fields = vec![format!(
        r#"{{"name":"f0","type":{{"type":"enum","name":"E","symbols":["{symbol}"]}}}}"#
    )];
    fields.extend((1..15_000).map(|n| format!(r#"{{"name":"f{n}","type":"E"}}"#)));
    let schema = format!(
        r#"{{"type":"record","name":"R","fields":[{}]}}"#,
        fields.join(",")
    );
    assert!(Plan::compile(&schema, &Mapping::default()).is_ok());
}

/// Avro's own JSON encoding, as kafka-avro-console-consumer prints it.
#[test]
fn the_branches_of_unions_are_named_on_request_and_read() {
    let schema = Schema::parse(
        r#"{"type": "record", "name": "R", "namespace": "n", "fields": [
            {"name": "a", "type": ["null", "long"]},
            {"name": "b", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
            {"name": "c", "type": ["string", {"type": "enum", "name": "E", "symbols": ["X"]}]},
            {"name": "d", "type": {"type": "array", "items": ["null", "double"]}}]}"#,
    )
    .unwrap();
    let written = |json: &Value| {
        let mut avro = Vec::new();
        schema.write_json(json, &mut avro).unwrap();
        avro
    };
    let typed = json!({
        "a": {"long": 5}, "b": {"long": "1970-01-01T00:00:00.001Z"}, "c": {"n.E": "X"}, "d": [null, {"double": 1.5}],
    });
    let avro = written(&typed);
    assert_eq!(schema.to_typed_json(&avro).unwrap(), typed);
    let nulls = json!({"a": null, "b": null, "c": {"string": ""}, "d": []});
    assert_eq!(schema.to_typed_json(&written(&nulls)).unwrap(), nulls);
    for other in [
        json!({"a": 5, "b": {"long": 1}, "c": {"E": "X"}, "d": [{"null": null}, 1.5]}),
        json!({"a": {"long": 5}, "b": {"long.timestamp-millis": 1}, "c": {"n.E": "X"}, "d": [null, {"double": 1.5}]}),
    ] {
        assert_eq!(written(&other), avro, "{other}");
    }
}

/// What other libraries write into a registry and read from it.
#[test]
fn names_defaults_and_aliases_do_not_matter_for_reading() {
    let schema = Schema::parse(
        r#"{"type": "record", "name": "Outer$Inner", "namespace": "com.example.Outer$", "aliases": [7, "not a name!"],
            "fields": [
            {"name": "temp[0]", "type": "long", "default": "none", "aliases": ["a b"]},
            {"name": "is it?", "type": {"type": "enum", "name": "2nd kind", "symbols": ["on/off", "X"], "default": "Z"}},
            {"name": "same", "type": {"type": "record", "name": "P", "namespace": "p", "fields": []}},
            {"name": "again", "type": {"type": "record", "name": "P", "namespace": "p", "fields": [
                {"name": "x", "type": "boolean"}]}},
            {"name": "short", "type": "P"}]}"#,
    )
    .unwrap();
    let avro = [6, 0, 1, 0];
    assert_eq!(
        schema.to_json(&avro).unwrap(),
        json!({"temp[0]": 3, "is it?": "on/off", "same": {}, "again": {"x": true}, "short": {"x": false}})
    );
    let refused = Plan::compile(
        r#"{"type": "record", "name": "R", "fields": [{"name": "temp[0]", "type": "long"}]}"#,
        &Mapping::default(),
    );
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("is not a name for a field")
    );
    for broken in [
        r#"{"type": "record", "name": "R", "fields": [{"name": "", "type": "long"}]}"#,
        r#"{"type": "record", "name": "", "fields": []}"#,
        r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "nowhere"}]}"#,
    ] {
        assert!(Schema::parse(broken).is_err(), "{broken}");
    }
}
