//! A message as SAL text, value by value in the order of SAL's generator.

use sal::name::Kind;
use sal::print::{Preamble, Printer};

use crate::timestamp::Timestamp;
use crate::topic_schema::{Form, TopicShape};
use crate::values::{Scalar, Values};

/// The process and host of every mock message; they differ, so that swapping them is noticed.
pub(crate) const ORIGIN: i32 = 4321;
pub(crate) const HOST: i32 = 77;

/// The index of the only instance of an indexed component.
pub(crate) const INDEX: i32 = 1;

/// Replaces `out` with the topic's next message. The time scale is that of the wire timestamp.
pub fn message(
    out: &mut Vec<u8>,
    shape: &TopicShape,
    values: &mut Values,
    timestamp: &Timestamp,
    rev_code: &str,
) {
    let preamble = Preamble {
        rev_code,
        snd_stamp: timestamp.wire_seconds(),
        rcv_stamp: timestamp.wire_seconds(),
        seq_num: timestamp.sequence,
        origin: ORIGIN,
        host: HOST,
    };
    let mut printer = Printer::new(out, &shape.name, &preamble);
    if shape.is_indexed {
        printer.integer(INDEX.into());
    }
    if shape.has_address {
        for part in ["device", "property", "action", ""] {
            printer.text(part.as_bytes());
        }
    }
    for (item, scalars) in values.advance(timestamp).filter(|(item, _)| item.is_on_wire) {
        match item.form {
            // An array of char is one quoted value.
            Form::Bytes => {
                let bytes: Vec<u8> = scalars.iter().filter_map(|scalar| byte(*scalar)).collect();
                printer.text(&bytes);
            }
            _ => {
                printer.array(scalars, print);
            }
        }
    }
    match shape.name.kind() {
        // The generator's placeholder for the items of a command without items.
        Kind::Command if shape.items.is_empty() => {
            printer.boolean(true);
        }
        Kind::Event => {
            printer.integer(0);
        }
        _ => {}
    }
    printer.finish();
}

fn print(printer: &mut Printer<'_>, scalar: Scalar) {
    match scalar {
        Scalar::Boolean(value) => printer.boolean(value),
        Scalar::Integer(value) | Scalar::Symbol(_, value) => printer.integer(value),
        Scalar::Float(value) => printer.float(value),
        Scalar::Double(value) => printer.double(value),
        Scalar::Text(value) => printer.text(value.as_bytes()),
        Scalar::Byte(value) => printer.text(&[value]),
    };
}

fn byte(scalar: Scalar) -> Option<u8> {
    match scalar {
        Scalar::Byte(value) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sal::avro::{Options, schemas};
    use sal::encode::Encoder;
    use sal::interface::Interfaces;
    use sal::name::Dialect;
    use sal::plan::Plan;
    use sal::time::TimeScale;
    use sal::wire::Message;

    use super::*;
    use crate::timestamp::Timestamps;

    fn printed(name: &str, attributes: &str, fields: &str) -> String {
        let schema = format!(
            r#"{{"type":"record","namespace":"lsst.sal","name":"{name}",{attributes}"fields":[
            {{"name":"kafka_timestamp","type":"long"}}{fields}]}}"#
        );
        let shape = TopicShape::read(&schema, "t").unwrap();
        let timestamp = Timestamp {
            utc_micros: 1_556_000_000_125_000,
            sequence: 17,
            scale: TimeScale::Tai,
        };
        let mut out = Vec::new();
        message(
            &mut out,
            &shape,
            &mut Values::new(&shape, 1),
            &timestamp,
            "d7bf9a83",
        );
        String::from_utf8(out).unwrap()
    }

    const PREAMBLE: &str = "'d7bf9a83' , 1556000037.125000 , 1556000037.125000 , 17 , 4321 , 77";

    #[test]
    fn a_command_without_items_has_a_state() {
        let text = printed("Test_command_stop", "", "");
        assert_eq!(text, format!("Test_command Test_command_stop:( {PREAMBLE} , 1)"));
    }

    #[test]
    fn index_address_and_priority_are_where_the_generator_puts_them() {
        let extras = r#",{"name":"TestID","type":"int","default":0},{"name":"itemValue","type":"string","default":""}"#;
        let text = printed("Test_command_stop", r#""sal_indexed":true,"#, extras);
        assert_eq!(
            text,
            format!(
                "Test_command Test_command_stop:( {PREAMBLE} , 1 , 'device' , 'property' , 'action' , '' , 1)"
            )
        );
        let text = printed("Test_logevent_a", r#""sal_indexed":true,"#, "");
        assert_eq!(
            text,
            format!("Test_logevent Test_logevent_a:( {PREAMBLE} , 1 , 0)")
        );
    }

    #[test]
    fn an_octet_is_omitted_and_chars_are_one_value() {
        let fields = r#",{"name":"o","type":"bytes","sal_idl_type":"octet"},
            {"name":"c","type":{"type":"array","items":"bytes","sal_count":3},"sal_idl_type":"char"}"#;
        let text = printed("Test_a", "", fields);
        let (head, chars) = text.split_once(" , 77 , ").unwrap();
        assert!(head.starts_with("Test_telemetry Test_a:( '"), "{text}");
        assert!(
            chars.len() == 6 && chars.starts_with('\'') && chars.ends_with("')"),
            "{text}"
        );
    }

    #[test]
    fn every_topic_of_the_repository_is_read_with_the_plan_of_its_schema() {
        let interfaces = Interfaces::read(&devstack::schemas());
        let (mut encoder, mut text, mut frame) = (Encoder::new(), Vec::new(), Vec::new());
        for (dialect, wire_extras) in [
            (Dialect::Efd, false),
            (Dialect::Efd, true),
            (Dialect::TsXml, false),
            (Dialect::TsXml, true),
        ] {
            for schema in schemas(
                &interfaces,
                &Options {
                    dialect,
                    wire_extras,
                    ..Options::default()
                },
            ) {
                let json = schema.schema.to_string();
                let shape = TopicShape::read(&json, &schema.kafka_topic).unwrap();
                if shape.name.kind() == Kind::Ackcmd {
                    continue;
                }
                let (mut values, mut timestamps) =
                    (Values::new(&shape, 1), Timestamps::new(dialect, TimeScale::Tai));
                let plan = Plan::compile(&json, TimeScale::Tai).unwrap();
                for _ in 0..20 {
                    message(&mut text, &shape, &mut values, &timestamps.stamp(), "d7bf9a83");
                    let read = Message::parse(&text).unwrap();
                    if let Err(error) = encoder.encode(&plan, &read, 1, 0, &mut frame) {
                        panic!(
                            "{dialect}, wire extras {wire_extras}: {error}: {}",
                            String::from_utf8_lossy(&text)
                        );
                    }
                }
            }
        }
    }
}
