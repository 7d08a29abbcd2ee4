//! Synthetic schemas of dialect `ts_xml`: two like those that the peers are compared with, and a whole
//! observatory's 3,348 topics of realistic sizes.

use sal::name::Dialect;
use serde_json::{Value, json};

use crate::failure::Outcome;
use crate::template::Topic;

/// Components, and the kinds of their topics: 562 telemetry, 1,883 events, 840 commands, 63 acknowledgements.
const COMPONENTS: usize = 63;
const KINDS: [(&str, usize); 3] = [("", 562), ("logevent_", 1_883), ("command_", 840)];

/// Like `MTMount.azimuth`: 23 fields, 15 of them the component's own.
pub(crate) fn azimuth(component: &str) -> Outcome<Topic> {
    azimuth_named(component, "azimuth")
}

/// As many topics of one component, all like `MTMount.azimuth`.
pub(crate) fn azimuths(component: &str, count: usize) -> Outcome<Vec<Topic>> {
    let topics = (0..count).map(|number| azimuth_named(component, &format!("azimuth{number}")));
    topics.collect()
}

fn azimuth_named(component: &str, name: &str) -> Outcome<Topic> {
    let mut items: Vec<Value> = (0..14)
        .map(|at| field(&format!("actual{at}"), &json!("double")))
        .collect();
    items.push(field("state", &json!("long")));
    topic(component, name, items)
}

/// Like `MTM1M3.forceActuatorData`: 820 fields once arrays are flattened.
pub(crate) fn force_actuators(component: &str) -> Outcome<Topic> {
    let mut items = vec![field("timestamp", &json!("double"))];
    let arrays = [
        ("primaryCylinderForce", 156),
        ("secondaryCylinderForce", 112),
        ("xForce", 112),
        ("yForce", 112),
        ("zForce", 156),
        ("followingError", 156),
    ];
    items.extend(arrays.map(|(name, count)| array(name, "float", count)));
    items.extend(["fx", "fy", "fz", "mx", "my", "mz", "magnitude"].map(|name| field(name, &json!("float"))));
    topic(component, "forceActuatorData", items)
}

/// All topics of an observatory.
pub(crate) fn observatory() -> Outcome<Vec<Topic>> {
    let mut topics = Vec::new();
    for (kind, count) in KINDS {
        for number in 0..count {
            let component = component(number % COMPONENTS);
            topics.push(topic(
                &component,
                &format!("{kind}topic{number}"),
                items(kind, number),
            )?);
        }
    }
    for number in 0..COMPONENTS {
        let answers = ["private_commandId", "ack", "error"].map(|name| field(name, &json!("int")));
        topics.push(topic(&component(number), "ackcmd", answers.to_vec())?);
    }
    Ok(topics)
}

/// The observatory's components.
pub(crate) fn components() -> Vec<String> {
    (0..COMPONENTS).map(component).collect()
}

fn component(number: usize) -> String {
    format!("Comp{number:02}")
}

/// Most events and commands have a few fields; telemetry has dozens, and arrays. The two largest topics are
/// as large as the real ones.
fn items(kind: &str, number: usize) -> Vec<Value> {
    let types = ["double", "int", "float", "boolean", "string", "long"];
    let scalars = |count: usize| -> Vec<Value> {
        let one = |at: usize| field(&format!("someValue{at}"), &json!(types[at % types.len()]));
        (0..count).map(one).collect()
    };
    match (kind, number) {
        ("", 0) => scalars(365),
        // 206 fields, 198 of them arrays of 72; with the private ones 214 fields and about 14,300 values.
        // They are integers, because SAL's text is limited to 100,000 bytes.
        ("logevent_", 0) => {
            let mut items = scalars(8);
            items.extend((0..198).map(|at| array(&format!("limits{at}"), "int", 72)));
            items
        }
        ("", number) => {
            let mut items = scalars(5 + number % 40);
            if number % 3 == 0 {
                items.extend((0..4).map(|at| array(&format!("sensors{at}"), "float", 6 + number % 90)));
            }
            items
        }
        ("logevent_", number) => {
            let mut items = scalars(2 + number % 30);
            if number % 10 == 0 {
                items.push(array("settings", "float", 156));
            }
            items
        }
        (_, number) => scalars(1 + number % 10),
    }
}

fn topic(component: &str, name: &str, items: Vec<Value>) -> Outcome<Topic> {
    let mut fields = vec![
        field("private_sndStamp", &json!("double")),
        field("private_rcvStamp", &json!("double")),
        field("private_efdStamp", &json!("double")),
        field("private_kafkaStamp", &json!("double")),
        field("private_seqNum", &json!("int")),
        field("private_revCode", &json!("string")),
        field("private_identity", &json!("string")),
        field("private_origin", &json!("int")),
    ];
    fields.extend(items);
    let schema = json!({"type": "record", "name": name, "namespace": format!("lsst.sal.{component}"), "fields": fields,
        "description": "Made up for measurements"});
    Topic::new(&format!("{component}_{name}"), schema.to_string(), Dialect::TsXml)
}

fn field(name: &str, avro: &Value) -> Value {
    let default = match avro.as_str() {
        Some("string") => json!(""),
        Some("boolean") => json!(false),
        Some("int" | "long") => json!(0),
        _ => json!(0.0),
    };
    json!({"name": name, "type": avro, "default": default, "description": "a value of a measurement", "units": "unitless"})
}

fn array(name: &str, items: &str, count: usize) -> Value {
    let default = if items == "int" {
        json!(vec![0; count])
    } else {
        json!(vec![0.0; count])
    };
    json!({"name": name, "type": {"type": "array", "items": items}, "default": default,
        "description": "values of many sensors", "units": "unitless"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observatory_has_3348_topics() {
        assert_eq!(observatory().unwrap().len(), 3_348);
    }

    #[test]
    fn the_large_topic_has_820_values() {
        let topic = force_actuators("MTM1M3").unwrap();
        let schema: Value = serde_json::from_str(&topic.schema).unwrap();
        let fields = schema["fields"].as_array().unwrap();
        let values = |field: &Value| field["default"].as_array().map_or(1, Vec::len);
        assert_eq!(fields.iter().map(values).sum::<usize>(), 820);
    }
}
