//! Layouts, values and errors of messages, one small case each: what is filled, skipped, counted or refused,
//! and with which text.
#![allow(clippy::expect_used, reason = "a failed step is a failed test")]
// The helpers of a test may panic like the test itself.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use apache_avro::types::Value;
use common::*;
use sal::plan::{Plan, PlanError};
use sal::time::TimeScale;

fn int(name: &str) -> String {
    plain(0, name, "\"int\"")
}

fn last(record: Vec<(String, Value)>) -> Value {
    record.into_iter().next_back().unwrap().1
}

/// The record's last field, for a published schema with one field of that type.
fn value_of(avro: &str, text: &str) -> Result<Value, String> {
    let schema = efd("Test_one", r#","sal_indexed":false"#, &[plain(0, "x", avro)]);
    match encode(&schema, &message("Test_one", &format!(" , {text}"))) {
        Ok((record, _)) => Ok(last(record)),
        Err(error) => Err(format!("{}: {error}", error.step())),
    }
}

#[test]
fn without_wire_extras_the_number_of_values_tells_the_layout() {
    let event = efd("Test_logevent_e", "", &[int("x")]);
    let index = ("skipped_index", 1);
    let priority = ("skipped_priority", 1);
    for (schema, values, x, notes) in [
        (&event, " , 1", 1, vec![]),
        (&event, " , 1 , 2", 1, vec![priority]),
        (&event, " , 1 , 2 , 3", 2, vec![index, priority]),
        (&efd("Test_t", "", &[int("x")]), " , 1", 1, vec![]),
        (&efd("Test_t", "", &[int("x")]), " , 1 , 2", 2, vec![index]),
    ] {
        assert_eq!(
            last(encoded(schema, &message("Test_t", values), &notes)),
            Value::Int(x),
            "{values}"
        );
    }
    let strings: Vec<(&str, u32)> = [
        "skipped_device",
        "skipped_property",
        "skipped_action",
        "skipped_item_value",
    ]
    .map(|name| (name, 1))
    .into();
    let command = efd("Test_command_c", "", &[int("x")]);
    let text = |values| message("Test_command_c", values);
    assert_eq!(last(encoded(&command, &text(" , 8"), &[])), Value::Int(8));
    assert_eq!(
        last(encoded(&command, &text(" , 1 , 8"), &[index])),
        Value::Int(8)
    );
    assert_eq!(
        last(encoded(&command, &text(" , '' , 'p' , '' , '' , 8"), &strings)),
        Value::Int(8)
    );
    let all = [&[index][..], &strings].concat();
    assert_eq!(
        last(encoded(&command, &text(" , 1 , '' , 'p' , '' , '' , 8"), &all)),
        Value::Int(8)
    );
}

#[test]
fn a_command_without_items_may_have_a_state() {
    let bare = efd("Test_command_stop", "", &[]);
    let state = [("skipped_state", 1)];
    assert_eq!(encoded(&bare, &message("Test_command_stop", ""), &[]).len(), 7);
    assert_eq!(
        encoded(&bare, &message("Test_command_stop", " , 1"), &state).len(),
        7
    );
    let both = [("skipped_index", 1), ("skipped_state", 1)];
    assert_eq!(
        encoded(&bare, &message("Test_command_stop", " , 3 , 1"), &both).len(),
        7
    );
    let kept = r#"{"name":"state","type":"boolean","default":false}"#.to_owned();
    let kept = efd("Test_command_stop", r#","sal_indexed":false"#, &[kept]);
    assert_eq!(
        last(encoded(&kept, &message("Test_command_stop", " , 1"), &[])),
        Value::Boolean(true)
    );
    let omitted = [("omitted_state", 1)];
    assert_eq!(
        last(encoded(&kept, &message("Test_command_stop", ""), &omitted)),
        Value::Boolean(false)
    );
}

#[test]
fn the_layout_that_fitted_last_affects_only_speed() {
    let event = [
        " , 'a'",
        " , 'a' , 1",
        " , 2 , 'a' , 1",
        " , 'a' , 'b'",
        " , 2 , 'a' , 'b' , 1",
    ];
    // With four strings before the item and without; the last two fit both, because their strings contain
    // quotes.
    let command = [
        " , 'a'",
        " , 1 , 'a'",
        " , 'a' , 'b' , 'c' , 'd' , 'e'",
        " , 'a' , 'b' , 'c' , 'd' , 'e' , 'f'",
        " , 'a' , 'b' , 'c'x' , 'd' , 'e'",
    ];
    let text = plain(0, "s", "\"string\"");
    // An array without items, of which the wire shows nothing.
    let nothing = plain(1, "n", r#"{"type":"array","items":"string","sal_count":0}"#);
    for (topic, fields, texts) in [
        ("Test_logevent_e", vec![text.clone()], event),
        ("Test_command_c", vec![text.clone()], command),
        ("Test_command_c", vec![text, nothing], command),
    ] {
        let schema = efd(topic, "", &fields);
        let plan = Plan::compile(&schema, TimeScale::Utc).unwrap();
        let texts = texts.map(|values| message(topic, values));
        let fresh = texts.each_ref().map(|text| encode(&schema, text).unwrap());
        for first in &texts {
            for (text, fresh) in texts.iter().zip(&fresh) {
                record(&schema, &plan, first).unwrap();
                assert_eq!(
                    &record(&schema, &plan, text).unwrap(),
                    fresh,
                    "{text:?} after {first:?}"
                );
            }
        }
    }
}

#[test]
fn fields_can_be_in_any_order() {
    let fields = [
        plain(2, "c", "\"int\""),
        plain(0, "a", "\"string\""),
        plain(1, "b", "\"double\""),
    ];
    let schema = efd("Test_t", r#","sal_indexed":true"#, &fields);
    let record = encoded(
        &schema,
        &message("Test_t", " , 9 , 'one' , 2.500000 , 3"),
        &[("skipped_index", 1)],
    );
    let items = [
        ("c", Value::Int(3)),
        ("a", Value::String("one".into())),
        ("b", Value::Double(2.5)),
    ];
    assert_same(&record, &expected(items));
}

#[test]
fn both_time_scales_give_utc_and_tai_where_each_belongs() {
    let text = message("Test_t", "");
    let private = |scale| {
        let schema = ts_xml("t", "", false, &[]);
        let plan = Plan::compile(&schema, scale).unwrap();
        let (record, notes) = record(&schema, &plan, &text).unwrap();
        let notes: Vec<_> = notes.iter().collect();
        assert_eq!(notes, [("skipped_host", 1), ("omitted_identity", 1)]);
        record[..4]
            .iter()
            .map(|(_, value)| value.clone())
            .collect::<Vec<_>>()
    };
    let kafka = Value::Double(1_700_000_037.123456);
    let stamps = |send, receive, efd| {
        vec![
            Value::Double(send),
            Value::Double(receive),
            Value::Double(efd),
            kafka.clone(),
        ]
    };
    assert_eq!(
        private(TimeScale::Tai),
        stamps(1_556_000_000.125, 1_556_000_000.127185, 1_555_999_963.125)
    );
    assert_eq!(
        private(TimeScale::Utc),
        stamps(1_556_000_037.125, 1_556_000_037.127185, 1_556_000_000.125)
    );
    let schema = efd("Test_t", "", &[]);
    let plan = Plan::compile(&schema, TimeScale::Tai).unwrap();
    let (record, _) = record(&schema, &plan, &text).unwrap();
    assert_eq!(record[2].1, Value::TimestampMillis(1_555_999_963_125));
    assert_eq!(record[3].1, Value::TimestampMillis(1_555_999_963_127));
    assert_eq!(record[0].1, Value::TimestampMillis(1_700_000_000_123));
}

#[test]
fn a_schema_with_part_of_the_preamble_skips_the_rest() {
    let time = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
    let schema = format!(
        r#"{{"type":"record","name":"Test_t","fields":[{{"name":"kafka_timestamp","type":{time}}},{}]}}"#,
        int("x")
    );
    let notes = [("skipped_preamble", 5), ("skipped_host", 1)];
    assert_eq!(
        last(encoded(&schema, &message("Test_t", " , 4"), &notes)),
        Value::Int(4)
    );
}

#[test]
fn enumerations_are_read_by_position_by_value_and_by_symbol() {
    let of = |values: &str| format!(r#"{{"type":"enum","name":"x","symbols":["A","B","C"]{values}}}"#);
    let symbol = |position, symbol: &str| Ok(Value::Enum(position, symbol.into()));
    assert_eq!(value_of(&of(""), "1"), symbol(0, "A"));
    assert_eq!(value_of(&of(""), "3"), symbol(2, "C"));
    assert_eq!(value_of(&of(""), "'B'"), symbol(1, "B"));
    assert_eq!(value_of(&of(""), "B"), symbol(1, "B"));
    let values = of(r#","sal_values":[0,5,-7]"#);
    assert_eq!(value_of(&values, "0"), symbol(0, "A"));
    assert_eq!(value_of(&values, "-7"), symbol(2, "C"));
    let refused = |text: &str| {
        format!(
            "encode: expected a value of the enumeration's 3 symbols at byte 81 (field x), found \"{text})\""
        )
    };
    assert_eq!(value_of(&of(""), "0"), Err(refused("0")));
    assert_eq!(value_of(&of(""), "4"), Err(refused("4")));
    assert_eq!(value_of(&of(""), "'D'"), Err(refused("'D'")));
    assert_eq!(value_of(&values, "1"), Err(refused("1")));
}

#[test]
fn values_that_their_type_cannot_carry_are_refused_and_never_wrapped() {
    let at = "at byte 81 (field x), found";
    for (avro, text, error) in [
        ("\"boolean\"", "2", format!("encode: expected 0 or 1 {at} \"2)\"")),
        (
            "\"int\"",
            "2147483648",
            format!("encode: expected an integer that fits Avro int {at} 2147483648 at \"2147483648)\""),
        ),
        (
            "\"long\"",
            "9223372036854775808",
            format!("encode: expected an integer that fits Avro long {at} \"9223372036854775808)\""),
        ),
        (
            "\"float\"",
            "400000000000000000000000000000000000000.000000",
            format!("encode: expected a number that fits Avro float {at} \"40000000000000000000\""),
        ),
        (
            "\"int\"",
            "1.5",
            "parse: expected `)` after the last field at byte 82 (field x), found \".5)\"".into(),
        ),
        (
            "\"double\"",
            "true",
            format!("parse: expected a number {at} \"true)\""),
        ),
        (
            "\"string\"",
            "12",
            format!("parse: expected a string in quotes {at} \"12)\""),
        ),
        (
            "\"string\"",
            "'abc",
            "parse: expected a closing quote at byte 82 (field x), found \"abc)\"".into(),
        ),
    ] {
        assert_eq!(value_of(avro, text), Err(error), "{avro} {text}");
    }
    let schema = efd(
        "Test_one",
        r#","sal_indexed":false"#,
        &[plain(0, "x", "\"string\"")],
    );
    let text = [&message("Test_one", " , '")[..], b""].concat();
    let text = [&text[..text.len() - 1], b"a\xff\n')"].concat();
    let error = refused(&schema, &text);
    assert_eq!(
        error.to_string(),
        "expected UTF-8 in an Avro string at byte 83 (field x), found \"\\xff\\n')\""
    );
    assert_eq!(
        (error.step(), error.reason(), error.byte()),
        ("encode", "invalid_utf8", 83)
    );
    let text = b"Test_one:( 'a' , nan , 1.0 , 1 , 1 , 1 , 'x')";
    assert_eq!(
        refused(&schema, text).to_string(),
        "expected a time at byte 17 (field sal_created), found \"nan , 1.0 , 1 , 1 , \""
    );
}

#[test]
fn unsigned_integers_are_restored_by_their_sal_type_only() {
    let restored = |sal_type: &str, text: &str| {
        let schema = efd(
            "Test_one",
            r#","sal_indexed":false"#,
            &[item(0, "x", "\"long\"", sal_type)],
        );
        let record = encode(&schema, &message("Test_one", &format!(" , {text}")));
        record
            .map(|(record, _)| last(record))
            .map_err(|error| error.reason())
    };
    assert_eq!(restored("unsigned int", "-1"), Ok(Value::Long(4_294_967_295)));
    assert_eq!(
        restored("unsigned long", "-2147483648"),
        Ok(Value::Long(2_147_483_648))
    );
    assert_eq!(restored("unsigned short", "-1"), Ok(Value::Long(65_535)));
    assert_eq!(restored("unsigned int", "7"), Ok(Value::Long(7)));
    assert_eq!(restored("unsigned int", "-2147483649"), Err("out_of_range"));
    assert_eq!(restored("unsigned long long", "-1"), Err("out_of_range"));
    assert_eq!(restored("long", "-1"), Ok(Value::Long(-1)));
    assert_eq!(value_of("\"long\"", "-1"), Ok(Value::Long(-1)));
}

#[test]
fn missing_and_surplus_values_and_items_are_counted() {
    let event = efd("Test_logevent_e", "", &[int("x")]);
    for (values, text) in [
        (
            "",
            "expected 7 to 9 values at byte 85 (field x), found 6 at \")\"",
        ),
        (
            " , 1 , 2 , 3 , 4 , 'a , b'",
            "expected 7 to 9 values at byte 97 (field priority), found 11 at \" , 4 , 'a , b')\"",
        ),
    ] {
        let error = refused(&event, &message("Test_logevent_e", values));
        assert_eq!(error.to_string(), text);
        assert_eq!((error.step(), error.reason()), ("parse", "value_count"));
    }
    let array = r#"{"type":"array","items":"int","sal_count":3}"#;
    assert_eq!(
        value_of(array, "1, 2, 3"),
        Ok(common::array([1, 2, 3], Value::Int))
    );
    let short = "parse: expected 3 items in the array at byte 85 (field x), found 2 at \")\"";
    assert_eq!(value_of(array, "1, 2"), Err(short.into()));
    let long = "parse: expected 3 items in the array at byte 88 (field x), found 5 at \", 4, 5)\"";
    assert_eq!(value_of(array, "1, 2, 3, 4, 5"), Err(long.into()));
    // Without a count in the schema, any number of items.
    let any = r#"{"type":"array","items":"int"}"#;
    assert_eq!(value_of(any, "1, 2"), Ok(common::array([1, 2], Value::Int)));
    let strings = r#"{"type":"array","items":"string","sal_count":2}"#;
    let two = common::array(["a, b", "c'd"], |text| Value::String(text.into()));
    assert_eq!(value_of(strings, "'a, b', 'c'd'"), Ok(two));
}

#[test]
fn neighbouring_bytes_fields_are_all_sent_or_all_omitted() {
    let fields = [
        plain(0, "a", "\"bytes\""),
        plain(1, "b", "\"bytes\""),
        plain(2, "n", "\"int\""),
    ];
    let schema = efd("Test_t", r#","sal_indexed":false"#, &fields);
    let text = |values| message("Test_t", values);
    let bytes = |text: &str| Value::Bytes(text.into());
    let record = encoded(&schema, &text(" , 'x' , 'y' , 1"), &[]);
    assert_same(
        &record[7..],
        &named([("a", bytes("x")), ("b", bytes("y")), ("n", Value::Int(1))]),
    );
    let record = encoded(&schema, &text(" , 1"), &[("omitted_byte", 2)]);
    assert_same(
        &record[7..],
        &named([("a", bytes("")), ("b", bytes("")), ("n", Value::Int(1))]),
    );
    assert_eq!(
        refused(&schema, &text(" , 'x' , 1")).to_string(),
        "expected a value for each of 2 consecutive bytes fields, or for none of them (SAL sends char but not byte, \
         and this schema does not say which type each field has: register it with --wire-extras) at byte 9 (field a), \
         found 1 at \"'d7bf9a83' , 1556000\""
    );
}

#[test]
fn a_schema_that_does_not_compile_says_why_and_what_to_do() {
    let error = |schema: &str| Plan::compile(schema, TimeScale::Utc).unwrap_err();
    assert!(matches!(error("{"), PlanError::Json(_)));
    for (schema, text) in [
        (
            "\"string\"".to_owned(),
            "the schema is not a SAL record: expected an object with \"type\": \"record\", a name and fields; register \
             the topic's schema with `saltransform init`",
        ),
        (
            r#"{"type":"record","name":"r","fields":[{"name":"a","type":"int"}]}"#.to_owned(),
            "the schema of r is not a SAL record: expected the field kafka_timestamp (dialect efd) or private_sndStamp \
             (dialect ts_xml), found a; register the topic's schema with `saltransform init`",
        ),
        (
            efd("Test_t", "", &[r#"{"name":"x"}"#.to_owned()]),
            "field 7 of Test_t: expected a name and a type",
        ),
        (
            efd("Test_t", "", &[plain(0, "x", r#"{"type":"map","values":"int"}"#)]),
            "field x of Test_t: SAL has no value for the Avro type {\"type\":\"map\",\"values\":\"int\"}; expected \
             boolean, int, long, float, double, string, bytes, an enum, an array of them, or a union of null and \
             one of them",
        ),
        (
            efd(
                "Test_t",
                "",
                &[plain(
                    0,
                    "x",
                    r#"{"type":"enum","name":"x","symbols":["A"],"sal_values":[]}"#,
                )],
            ),
            "field x of Test_t: expected one integer in sal_values for each of the 1 symbols",
        ),
        (
            efd("Test_t", "", &[item(0, "x", "\"int\"", "byte")]),
            "field x of Test_t is not on the wire: expected a default that fits its type; add one",
        ),
        (
            efd(
                "Test_t",
                "",
                &[plain(1, "x", "\"int\""), plain(1, "y", "\"int\"")],
            ),
            "Test_t: expected a different sal_index on each item or on none, but y breaks this",
        ),
    ] {
        assert_eq!(error(&schema).to_string(), text);
    }
    let many: Vec<String> = (0..20)
        .map(|index| {
            plain(
                index,
                &format!("x{index}"),
                if index % 2 == 0 { "\"bytes\"" } else { "\"int\"" },
            )
        })
        .collect();
    assert!(
        error(&efd("Test_t", "", &many))
            .to_string()
            .ends_with("register the topic's schema with --wire-extras")
    );
    let wrong =
        efd("Test_t", "", &[]).replace(r#""sal_origin","type":"int""#, r#""sal_origin","type":"string""#);
    assert_eq!(
        error(&wrong).to_string(),
        "field sal_origin of Test_t: expected the Avro type int or long, found string"
    );
}
