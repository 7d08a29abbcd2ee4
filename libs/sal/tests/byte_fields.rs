//! SAL does not send a `byte`. In dialect ts_xml it is an `int` like any other, which published schemas do not tell apart:
//! the number of values does where it can, and otherwise the interface files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

use confluent_avro::schema::Schema;
use sal::avro::{FieldTypes, Options, TopicSchema, schemas};
use sal::encode::Encoder;
use sal::interface::{Interfaces, SourceFile};
use sal::name::Dialect;
use sal::plan::Plan;
use sal::time::TimeScale;
use sal::wire::Message;
use serde_json::{Value, json};

const PREAMBLE: &str = "'rev' , 1.5 , 1.5 , 1 , 2 , 3";

fn interfaces() -> Interfaces {
    let item = |name: &str, of: &str, count: u32| {
        format!("<item><EFDB_Name>{name}</EFDB_Name><IDL_Type>{of}</IDL_Type><Count>{count}</Count></item>")
    };
    let event = |name: &str, items: &[String]| {
        format!(
            "<SALEvent><EFDB_Topic>T_logevent_{name}</EFDB_Topic>{}</SALEvent>",
            items.concat()
        )
    };
    let events = [
        event(
            "state",
            &[
                item("state", "byte", 1),
                item("reason", "string", 1),
                item("steps", "int", 1),
                item("duration", "double", 1),
            ],
        ),
        event(
            "crowd",
            &[
                item("byte0", "byte", 1),
                item("int0", "int", 1),
                item("short0", "short", 1),
            ],
        ),
        event(
            "last",
            &[
                item("reason", "string", 1),
                item("duration", "double", 1),
                item("state", "byte", 1),
            ],
        ),
        event("one", &[item("state", "byte", 1)]),
        event(
            "around",
            &[
                item("before", "byte", 1),
                item("reason", "string", 1),
                item("after", "int", 1),
            ],
        ),
        event(
            "arrays",
            &[item("pwm", "byte", 4), item("unsigned0", "unsigned int", 1)],
        ),
    ];
    let listed = "<SALSubsystemSet><SALSubsystem><Name>T</Name><IndexEnumeration>no</IndexEnumeration>\
                  <AddedGenerics>csc</AddedGenerics></SALSubsystem></SALSubsystemSet>";
    let files = [
        (
            "T/T_Events.xml",
            format!("<SALEventSet>{}</SALEventSet>", events.concat()),
        ),
        ("SALSubsystems.xml", listed.to_owned()),
    ];
    let files: Vec<SourceFile> = files
        .into_iter()
        .map(|(path, text)| SourceFile {
            path: path.to_owned(),
            bytes: text.into_bytes(),
        })
        .collect();
    Interfaces::read(&files)
}

fn made(wire_extras: bool) -> Vec<TopicSchema> {
    let options = Options {
        dialect: Dialect::TsXml,
        wire_extras,
        ..Options::default()
    };
    schemas(&interfaces(), &options)
}

/// The items of the record that this message becomes, by a published schema; and the notes of it.
fn carried(name: &str, values: &str, types: &FieldTypes) -> Result<(Value, Vec<&'static str>), String> {
    carried_by(&published(name), name, values, types)
}

fn published(name: &str) -> Value {
    let topic = format!("T_logevent_{name}");
    let made = made(false);
    let published = made.iter().find(|schema| schema.topic.as_str() == topic);
    published.unwrap().schema.clone()
}

fn carried_by(
    schema: &Value,
    name: &str,
    values: &str,
    types: &FieldTypes,
) -> Result<(Value, Vec<&'static str>), String> {
    let topic = format!("T_logevent_{name}");
    let text = schema.to_string();
    let plan = Plan::compile(&types.add_to(&topic, &text), TimeScale::Tai).unwrap();
    let message = format!("T_logevent {topic}:( {PREAMBLE} , {values})");
    let message = Message::parse(message.as_bytes()).unwrap();
    let (mut encoder, mut frame) = (Encoder::new(), Vec::new());
    let notes = encoder
        .encode(&plan, &message, 1, 0, &mut frame)
        .map_err(|error| error.to_string())?;
    // With its own types or without, a record is one of the published schema.
    let mut record = Schema::parse(&text).unwrap().to_json(&frame[5..]).unwrap();
    record
        .as_object_mut()
        .unwrap()
        .retain(|field, _| !field.starts_with("private_"));
    Ok((record, notes.iter().map(|(reason, _)| reason).collect()))
}

#[test]
fn a_byte_between_strings_is_found_by_the_number_of_values() {
    let none = FieldTypes::default();
    let (record, notes) = carried("state", "'why' , 3 , 1.5 , 0", &none).unwrap();
    assert_eq!(
        record,
        json!({"state": 0, "reason": "why", "steps": 3, "duration": 1.5})
    );
    assert!(notes.contains(&"omitted_byte"), "{notes:?}");
    // A sender that has it, as a field that is not a byte.
    let (record, notes) = carried("state", "7 , 'why' , 3 , 1.5 , 0", &none).unwrap();
    assert_eq!(record["state"], 7);
    assert!(!notes.contains(&"omitted_byte"), "{notes:?}");
    let (record, _) = carried("arrays", "4294967295 , 0", &none).unwrap();
    assert_eq!(
        record,
        json!({"pwm": [0, 0, 0, 0], "unsigned0": 4_294_967_295_u32})
    );
}

#[test]
fn where_the_number_of_values_does_not_tell_nothing_is_guessed() {
    let refused = carried("crowd", "5 , 0", &FieldTypes::default()).unwrap_err();
    assert!(refused.contains("expected"), "{refused}");
    assert!(
        refused.contains("run saltransform with --interfaces"),
        "{refused}"
    );
    // Of these values, each is there.
    let refused = carried("crowd", "4 , 5 , x , 0 , 0", &FieldTypes::default()).unwrap_err();
    assert!(!refused.contains("--interfaces"), "{refused}");
    let refused = carried("state", "'why' , 1.5 , 0 , 0 , 0 , 0", &FieldTypes::default()).unwrap_err();
    assert!(refused.contains("expected"), "{refused}");
}

#[test]
fn an_event_that_may_lack_its_priority_or_a_byte_is_refused() {
    let none = FieldTypes::default();
    // What SAL sends of `crowd`: int0, short0 and the priority. Without a priority, it would be byte0, int0 and short0.
    for (name, values) in [("crowd", "5 , 6 , 0"), ("last", "'why' , 1.5 , 0"), ("one", "7")] {
        let refused = carried(name, values, &none).unwrap_err();
        assert!(refused.contains("a priority (one value is missing"), "{refused}");
        assert!(
            refused.contains("run saltransform with --interfaces"),
            "{refused}"
        );
    }
    // No priority is 1.5, and no int is.
    let (record, notes) = carried("state", "7 , 'why' , 3 , 1.5", &none).unwrap();
    assert_eq!(
        record,
        json!({"state": 7, "reason": "why", "steps": 3, "duration": 1.5})
    );
    assert!(!notes.contains(&"skipped_priority"), "{notes:?}");
}

#[test]
fn an_array_looks_like_as_many_values() {
    // A priority, or the last int without one; both without the first.
    let (values, none) = ("'why' , 7", FieldTypes::default());
    let of_one = json!({"type": {"type": "array", "items": "int"}, "default": [0]});
    let of_any = json!({"type": {"type": "array", "items": "int"}, "default": []});
    for after in [json!({}), of_one, of_any] {
        let mut schema = published("around");
        let fields = schema["fields"].as_array_mut().unwrap();
        let field = fields.iter_mut().find(|field| field["name"] == "after").unwrap();
        field
            .as_object_mut()
            .unwrap()
            .extend(after.as_object().unwrap().clone());
        let refused = carried_by(&schema, "around", values, &none).unwrap_err();
        assert!(
            refused.contains("run saltransform with --interfaces"),
            "{refused}"
        );
    }
}

#[test]
fn interface_files_tell_which_field_is_a_byte() {
    let types = FieldTypes::of(&made(true));
    let (record, notes) = carried("crowd", "5 , 6 , 0", &types).unwrap();
    assert_eq!(record, json!({"byte0": 0, "int0": 5, "short0": 6}));
    assert!(notes.contains(&"omitted_byte"), "{notes:?}");
    let (record, notes) = carried("last", "'why' , 1.5 , 0", &types).unwrap();
    assert_eq!(record, json!({"reason": "why", "duration": 1.5, "state": 0}));
    assert!(notes.contains(&"skipped_priority"), "{notes:?}");
    let (record, _) = carried("arrays", "-1 , 0", &types).unwrap();
    assert_eq!(record["unsigned0"], 4_294_967_295_u32);
    assert!(carried("crowd", "4 , 5 , 6 , 0", &types).is_err());
}
