//! Every sample of `../shared/sal/samples.txt`, captured or made with SAL's own generator, compared with
//! values written by hand from its text.
#![allow(clippy::expect_used, reason = "a failed step is a failed test")]
// The helpers of a test may panic like the test itself.
#![allow(clippy::unwrap_used, clippy::panic)]
// Numbers are written exactly as in the samples.
#![allow(clippy::excessive_precision, clippy::approx_constant)]

mod common;

use apache_avro::types::Value;
use common::*;

/// A sample's bytes by name, `A1` to `B9`.
fn sample(name: &str) -> Option<Vec<u8>> {
    let text = std::fs::read_to_string(shared("samples.txt")?).unwrap();
    let block = text
        .split("----\n")
        .find_map(|block| block.strip_prefix(&format!("# {name}\n")));
    Some(block.unwrap().trim_end_matches('\n').as_bytes().to_vec())
}

fn published(topic: &str) -> Option<String> {
    Some(std::fs::read_to_string(shared(&format!("ts_xml-2019-01/avro/{topic}.json"))?).unwrap())
}

fn string(text: &str) -> Value {
    Value::String(text.into())
}

fn bytes(text: &[u8]) -> Value {
    Value::Bytes(text.into())
}

#[test]
fn a1_and_a2_are_the_same_record_of_381_numbers() {
    let (Some(a1), Some(a2)) = (sample("A1"), sample("A2")) else {
        return;
    };
    let Some(schema) = published("MTM1M3TS_thermalData") else {
        return;
    };
    let record = encoded(&schema, &a1, &[]);
    assert_same(&record, &encoded(&schema, &a2, &[]));
    let first = named([
        ("kafka_timestamp", Value::TimestampMillis(1_700_000_000_123)),
        ("sal_revcode", string("LSST TEST REVCODE")),
        ("sal_created", Value::TimestampMillis(1_547_758_756_335)),
        ("sal_ingested", Value::TimestampMillis(1_547_758_754_901)),
        ("sal_sequence", Value::Long(9940)),
        ("sal_origin", Value::Int(1)),
        ("sal_host", Value::Int(1)),
        ("timestamp", Value::Double(1_547_758_756.332947)),
    ]);
    assert_same(&record[..8], &first);
    // The four arrays, parsed from the text in the simplest way.
    let text = String::from_utf8(a1).unwrap();
    let values: Vec<&str> = text.trim_end_matches(')').split(" , ").skip(7).collect();
    assert_eq!(values.len(), 4);
    for (field, (name, value)) in values.iter().zip(&record[8..]) {
        let items: Vec<f32> = field.split(", ").map(|item| item.parse().unwrap()).collect();
        assert_eq!(items.len(), 95);
        assert_eq!(value, &array(items, Value::Float), "{name}");
    }
    assert_eq!(record[8].0, "thermocoupleScanner1");
    let Value::Array(last) = &record[11].1 else {
        panic!()
    };
    assert_eq!(
        (&last[0], &last[94]),
        (&Value::Float(22.711901), &Value::Float(22.379299))
    );
}

#[test]
fn b1_an_event_ends_with_a_priority() {
    let (Some(text), Some(schema)) = (sample("B1"), published("MTM1M3TS_logevent_detailedState")) else {
        return;
    };
    let record = encoded(&schema, &text, &[("skipped_priority", 1)]);
    assert_same(&record, &expected([("detailedState", Value::Long(2))]));
}

#[test]
fn b2_a_time_among_the_items_stays_as_it_is() {
    let (Some(text), Some(schema)) = (sample("B2"), published("ATHexapod_logevent_inPosition")) else {
        return;
    };
    let record = encoded(&schema, &text, &[("skipped_priority", 1)]);
    let items = [
        ("inPosition", Value::Boolean(true)),
        ("timestamp", Value::Double(1_556_000_000.25)),
    ];
    assert_same(&record, &expected(items));
}

#[test]
fn b3_an_index_is_skipped_and_every_kind_of_double_is_read() {
    let (Some(text), Some(schema)) = (sample("B3"), published("Hexapod_Actuators")) else {
        return;
    };
    let record = encoded(&schema, &text, &[("skipped_index", 1)]);
    let calibrated = [0.1, -0.25, 0.0, 123456789.125, 0.0, -0.0];
    let raw = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e22, 0.0, 0.5];
    let items = [
        ("Calibrated", array(calibrated, Value::Double)),
        ("Raw", array(raw, Value::Double)),
    ];
    assert_same(&record, &expected(items));
}

#[test]
fn b4_a_command_of_sal_3_has_an_index_and_four_strings_before_its_items() {
    let (Some(text), Some(schema)) = (sample("B4"), published("Script_command_configure")) else {
        return;
    };
    let skipped = [
        ("skipped_index", 1),
        ("skipped_device", 1),
        ("skipped_property", 1),
        ("skipped_action", 1),
        ("skipped_item_value", 1),
        // A string with quotes could also contain the four strings of a SAL 4 command.
        ("ambiguous_string", 1),
    ];
    let record = encoded(&schema, &text, &skipped);
    assert_same(
        &record,
        &expected([("config", string("wait_time: 5\nname: O'Brien, \"x\" (y)"))]),
    );
}

#[test]
fn b5_with_wire_extras_index_and_priority_are_kept_and_the_omitted_enumeration_is_null() {
    let state = r#"{"type":"enum","name":"state","symbols":["Unconfigured","Configured","Running"]}"#;
    let schema = efd(
        "Script_logevent_state",
        r#","sal_subsystem":"Script","sal_indexed":true"#,
        &[
            format!(
                r#"{{"name":"state","type":["null",{state}],"default":null,"sal_index":0,"sal_idl_type":"byte"}}"#
            ),
            item(1, "reason", r#""string""#, "string"),
            item(2, "lastCheckpoint", r#""string""#, "string"),
            r#"{"name":"ScriptID","type":"int","default":0}"#.into(),
            r#"{"name":"priority","type":"int","default":0}"#.into(),
        ],
    );
    let Some(text) = sample("B5") else { return };
    let record = encoded(&schema, &text, &[("omitted_byte", 1)]);
    let items = [
        ("state", Value::Union(0, Box::new(Value::Null))),
        ("reason", string("can't reach host, retry (3)")),
        ("lastCheckpoint", string("")),
        ("ScriptID", Value::Int(100_042)),
        ("priority", Value::Int(0)),
    ];
    assert_same(&record, &expected(items));
    // The published schema cannot say that the enumeration is not sent and that the first value is an index.
    let Some(schema) = published("Script_logevent_state") else {
        return;
    };
    assert_eq!(
        refused(&schema, &text).to_string(),
        "expected a value of the enumeration's 10 symbols at byte 110 (field state), found \"100042 , 'can't reac\""
    );
}

#[test]
fn b6_a_command_has_numbers_after_its_strings() {
    let (Some(text), Some(schema)) = (sample("B6"), published("Test_command_wait")) else {
        return;
    };
    let skipped = [
        ("skipped_index", 1),
        ("skipped_device", 1),
        ("skipped_property", 1),
        ("skipped_action", 1),
        ("skipped_item_value", 1),
    ];
    let record = encoded(&schema, &text, &skipped);
    assert_same(
        &record,
        &expected([("ack", Value::Int(0)), ("duration", Value::Double(5.5))]),
    );
}

/// The scalars of component Test, with `unsigned_int` as the Avro type of its unsigned int.
fn scalars(name: &str, unsigned_int: &str) -> String {
    let mut fields = vec![
        item(0, "boolean0", r#""boolean""#, "boolean"),
        item(1, "byte0", r#""bytes""#, "byte"),
        item(2, "char0", r#""bytes""#, "char"),
        item(3, "short0", r#""int""#, "short"),
        item(4, "int0", r#""int""#, "int"),
        item(5, "long0", r#""long""#, "long"),
        item(6, "longLong0", r#""long""#, "long long"),
        item(7, "octet0", r#""bytes""#, "octet"),
        item(8, "unsignedShort0", r#""int""#, "unsigned short"),
        item(9, "unsignedInt0", &format!("\"{unsigned_int}\""), "unsigned int"),
        item(10, "unsignedLong0", r#""long""#, "unsigned long"),
        item(11, "float0", r#""float""#, "float"),
        item(12, "double0", r#""double""#, "double"),
        item(13, "string0", r#""string""#, "string"),
        r#"{"name":"TestID","type":"int","default":0}"#.to_owned(),
    ];
    if name.contains("logevent") {
        fields.push(r#"{"name":"priority","type":"int","default":0}"#.to_owned());
    }
    efd(name, r#","sal_subsystem":"Test","sal_indexed":true"#, &fields)
}

#[test]
fn b7_unsigned_integers_are_restored_and_never_wrapped() {
    let Some(text) = sample("B7") else { return };
    let record = encoded(&scalars("Test_scalars", "long"), &text, &[("omitted_byte", 2)]);
    let items = [
        ("boolean0", Value::Boolean(true)),
        ("byte0", bytes(b"")),
        ("char0", bytes(b"a")),
        ("short0", Value::Int(-32768)),
        ("int0", Value::Int(-2_147_483_647)),
        ("long0", Value::Long(42)),
        ("longLong0", Value::Long(9_007_199_254_740_993)),
        ("octet0", bytes(b"")),
        ("unsignedShort0", Value::Int(65535)),
        ("unsignedInt0", Value::Long(4_294_967_295)),
        ("unsignedLong0", Value::Long(3_000_000_000)),
        ("float0", Value::Float(0.1)),
        ("double0", Value::Double(3.141593)),
        ("string0", string("plain text")),
        ("TestID", Value::Int(1)),
    ];
    assert_same(&record, &expected(items));
    // Dialect efd maps unsigned int to int, which cannot hold 4294967295.
    let error = refused(&scalars("Test_scalars", "int"), &text);
    assert_eq!(
        error.to_string(),
        "expected an integer that fits Avro int at byte 169 (field unsignedInt0), found 4294967295 at \
         \"-1 , -1294967296 , 0\""
    );
    assert_eq!((error.step(), error.reason()), ("encode", "out_of_range"));
}

#[test]
fn b8_char_is_kept_as_its_bytes() {
    let Some(text) = sample("B8") else { return };
    let record = encoded(
        &scalars("Test_logevent_scalars", "int"),
        &text,
        &[("omitted_byte", 2)],
    );
    let items = [
        ("boolean0", Value::Boolean(false)),
        ("byte0", bytes(b"")),
        ("char0", bytes("é".as_bytes())),
        ("short0", Value::Int(7)),
        ("int0", Value::Int(8)),
        ("long0", Value::Long(9)),
        ("longLong0", Value::Long(-10)),
        ("octet0", bytes(b"")),
        ("unsignedShort0", Value::Int(11)),
        ("unsignedInt0", Value::Int(12)),
        ("unsignedLong0", Value::Long(13)),
        ("float0", Value::Float(f32::NAN)),
        ("double0", Value::Double(f64::NEG_INFINITY)),
        ("string0", string("")),
        ("TestID", Value::Int(1)),
        ("priority", Value::Int(0)),
    ];
    assert_same(&record, &expected(items));
}

#[test]
fn b9_an_array_of_char_is_one_value_and_one_item_a_byte() {
    let of = |items: &str| format!(r#"{{"type":"array","items":"{items}","sal_count":5}}"#);
    let types = [
        ("boolean0", "boolean", "boolean"),
        ("byte0", "bytes", "byte"),
        ("char0", "bytes", "char"),
        ("short0", "int", "short"),
        ("int0", "int", "int"),
        ("long0", "long", "long"),
        ("longLong0", "long", "long long"),
        ("octet0", "bytes", "octet"),
        ("unsignedShort0", "int", "unsigned short"),
        ("unsignedInt0", "int", "unsigned int"),
        ("unsignedLong0", "long", "unsigned long"),
        ("float0", "float", "float"),
        ("double0", "double", "double"),
    ];
    let mut fields: Vec<String> = types
        .iter()
        .enumerate()
        .map(|(index, (name, avro, sal_type))| item(index, name, &of(avro), sal_type))
        .collect();
    fields.push(r#"{"name":"TestID","type":"int","default":0}"#.into());
    let schema = efd(
        "Test_arrays",
        r#","sal_subsystem":"Test","sal_indexed":true"#,
        &fields,
    );
    let Some(text) = sample("B9") else { return };
    let record = encoded(&schema, &text, &[("omitted_byte", 2)]);
    let (ints, longs) = (array(1..=5, Value::Int), array(1..=5, Value::Long));
    let items = [
        (
            "boolean0",
            array([true, false, true, false, true], Value::Boolean),
        ),
        ("byte0", Value::Array(vec![])),
        ("char0", array([b"A", b"B", b"C", b"D", b"E"], |item| bytes(item))),
        ("short0", ints.clone()),
        ("int0", ints.clone()),
        ("long0", longs.clone()),
        ("longLong0", longs.clone()),
        ("octet0", Value::Array(vec![])),
        ("unsignedShort0", ints.clone()),
        ("unsignedInt0", ints),
        ("unsignedLong0", longs),
        ("float0", array([1.5, 2.5, 3.5, 4.5, 5.5], Value::Float)),
        ("double0", array([1.5, 2.5, 3.5, 4.5, 5.5], Value::Double)),
        ("TestID", Value::Int(1)),
    ];
    assert_same(&record, &expected(items));
    // The published schema does not say whether the value belongs to byte0 or char0.
    let Some(schema) = published("Test_arrays") else {
        return;
    };
    let error = refused(&schema, &text);
    assert_eq!(
        (error.step(), error.reason(), error.field()),
        ("encode", "unclear_bytes", Some("byte0"))
    );
    assert!(
        error.to_string().contains("register it with --wire-extras"),
        "{error}"
    );
}
