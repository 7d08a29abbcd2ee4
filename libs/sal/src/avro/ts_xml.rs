//! Dialect ts_xml, today's schemas: private fields, then the items, each with a default, a description and
//! units. Every component also has generic topics and ackcmd.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::Mapper;
use super::wire_extras;
use crate::interface::{AddedGenerics, AvroFile, Item, Problem, SalType, Topic};
use crate::name::{Dialect, Kind, TopicName};

/// A field that every topic or every ackcmd has: name, Avro type, description, units.
type Fixed = (&'static str, &'static str, &'static str, &'static str);

/// The very first field, in indexed components only.
const SAL_INDEX: Fixed = (
    "salIndex",
    "int",
    "SAL index (only present for indexed SAL components)",
    "unitless",
);

/// The descriptions are part of the revCode digest.
const PRIVATE_FIELDS: [Fixed; 8] = [
    (
        "private_sndStamp",
        "double",
        "Time of instance publication",
        "second",
    ),
    (
        "private_rcvStamp",
        "double",
        "Time of instance reception",
        "second",
    ),
    (
        "private_efdStamp",
        "double",
        "UTC time for EFD timestamp. An integer (the number of leap seconds) different from private_sndStamp.",
        "second",
    ),
    (
        "private_kafkaStamp",
        "double",
        "TAI time at which the Kafka message was created.",
        "second",
    ),
    ("private_seqNum", "int", "Sequence number", "unitless"),
    ("private_revCode", "string", "Revision hashcode", "unitless"),
    (
        "private_identity",
        "string",
        "Identity of publisher: SAL component name for a CSC or user@host for a user",
        "unitless",
    ),
    ("private_origin", "int", "Process ID of publisher", "unitless"),
];

const ACKCMD_FIELDS: [Fixed; 7] = [
    ("ack", "int", "Acknowledgement code", "unitless"),
    (
        "error",
        "int",
        "An error code; only relevant if ack=FAILED",
        "unitless",
    ),
    ("result", "string", "Message", "unitless"),
    (
        "identity",
        "string",
        "private_identity field of the command being acknowledged",
        "unitless",
    ),
    (
        "origin",
        "int",
        "private_origin field of the command being acknowledged",
        "unitless",
    ),
    (
        "cmdtype",
        "int",
        "Index of command in alphabetical list of commands, with 0 being the first",
        "unitless",
    ),
    (
        "timeout",
        "double",
        "Estimated remaining duration of command; only relevant if ack=INPROGRESS",
        "second",
    ),
];

/// Maps one component: its own topics, its generics, its `.avsc` topics and its ackcmd.
pub(super) fn component(mapper: &mut Mapper<'_>, generics: &[Topic]) {
    let component = mapper.component;
    let Some(listing) = &component.listing else {
        let places = component.topics.iter().map(|topic| (&topic.place, &topic.name));
        let files = component.avro_files.iter().map(|file| (&file.place, &file.name));
        for (place, name) in places.chain(files) {
            let problem = Problem::NotListed {
                component: component.name.clone(),
            };
            mapper.refuse(place.error(Some(name.as_str()), problem));
        }
        return;
    };
    let mut own: HashSet<&str> = component
        .avro_files
        .iter()
        .map(|file| file.name.sal_name())
        .collect();
    for topic in &component.topics {
        // If a topic also has an Avro file, that file is what is published.
        if own.insert(topic.name.sal_name()) {
            push_topic(mapper, topic, topic.name.clone());
        }
    }
    for topic in added_generics(mapper, &listing.generics, generics) {
        let sal_name = topic.name.sal_name();
        match TopicName::join(&component.name, sal_name) {
            Ok(name) if own.insert(sal_name) => push_topic(mapper, topic, name),
            // In 2019 a component's own definition replaced the generic one.
            Ok(_) if listing.generics == AddedGenerics::All => {}
            Ok(name) => mapper.refuse(listing.place.error(Some(name.as_str()), Problem::DuplicateTopic)),
            Err(error) => mapper.refuse(listing.place.error(Some(sal_name), Problem::TopicName(error))),
        }
    }
    for file in &component.avro_files {
        push_avro_file(mapper, file, listing.indexed);
    }
    if let Ok(name) = TopicName::join(&component.name, "ackcmd") {
        let fields = first_fields(listing.indexed)
            .chain(ACKCMD_FIELDS.iter().map(fixed_field))
            .collect();
        let schema = record(&name, fields, "Command acknowledgement");
        mapper.push_with_rev_code(name, Kind::Ackcmd, schema);
    }
}

/// The generics that a listing asks for. A name without a generic topic is an error.
fn added_generics<'g>(
    mapper: &mut Mapper<'_>,
    added: &AddedGenerics,
    generics: &'g [Topic],
) -> Vec<&'g Topic> {
    let names = match added {
        AddedGenerics::All => return generics.iter().collect(),
        AddedGenerics::None => return Vec::new(),
        AddedGenerics::Named(names) => names,
    };
    let mut topics = Vec::new();
    for name in names {
        let before = topics.len();
        topics.extend(generics.iter().filter(|topic| {
            if name.contains('_') {
                topic.name.sal_name() == name
            } else {
                topic.category.as_deref() == Some(name)
            }
        }));
        if topics.len() == before {
            let component = mapper.component.name.clone();
            let problem = Problem::UnknownGeneric {
                component,
                generic: name.clone(),
            };
            if let Some(listing) = &mapper.component.listing {
                mapper.refuse(listing.place.error(None, problem));
            }
        }
    }
    topics
}

fn push_topic(mapper: &mut Mapper<'_>, topic: &Topic, name: TopicName) {
    let indexed = mapper.component.indexed() == Some(true);
    let extras = mapper.options.wire_extras;
    let mut fields: Vec<Value> = first_fields(indexed).collect();
    for item in &topic.items {
        match item_field(item, extras) {
            Ok(field) => fields.push(field),
            Err(problem) => return mapper.refuse(topic.place.error(Some(name.as_str()), problem)),
        }
    }
    if extras {
        fields.extend(
            wire_extras::fields(mapper.component, topic, Dialect::TsXml)
                .into_iter()
                .map(|extra| {
                    field_object(
                        &extra.name,
                        extra.avro_type.into(),
                        extra.default,
                        extra.description,
                        "unitless",
                    )
                }),
        );
    }
    let mut schema = record(&name, fields, topic.description.as_deref().unwrap_or_default());
    if let (true, Some(record)) = (extras, schema.as_object_mut()) {
        record.insert(wire_extras::INDEXED.into(), indexed.into());
    }
    mapper.push_with_rev_code(name, topic.kind, schema);
}

fn push_avro_file(mapper: &mut Mapper<'_>, file: &AvroFile, indexed: bool) {
    let mut record = file.record.clone();
    record.insert("name".into(), file.name.sal_name().into());
    record.insert("namespace".into(), namespace(&file.name).into());
    if let Some(fields) = record.get_mut("fields").and_then(Value::as_array_mut) {
        let taken = fields
            .iter()
            .filter_map(|field| field.get("name").and_then(Value::as_str))
            .find(|name| is_private(name));
        if let Some(field) = taken.map(str::to_owned) {
            let problem = Problem::ReservedField {
                field,
                dialect: Dialect::TsXml,
            };
            return mapper.refuse(file.place.error(Some(file.name.as_str()), problem));
        }
        fields.extend(first_fields(indexed));
    }
    mapper.push(file.name.clone(), file.name.kind(), record.into());
}

fn record(name: &TopicName, fields: Vec<Value>, description: &str) -> Value {
    json!({
        "type": "record",
        "name": name.sal_name(),
        "namespace": namespace(name),
        "fields": fields,
        "description": description,
    })
}

fn namespace(name: &TopicName) -> String {
    format!("lsst.sal.{}", name.component())
}

fn first_fields(indexed: bool) -> impl Iterator<Item = Value> {
    std::iter::once(&SAL_INDEX)
        .filter(move |_| indexed)
        .chain(&PRIVATE_FIELDS)
        .map(fixed_field)
}

fn is_private(name: &str) -> bool {
    std::iter::once(&SAL_INDEX)
        .chain(&PRIVATE_FIELDS)
        .any(|(private, ..)| *private == name)
}

fn fixed_field(&(name, avro_type, description, units): &Fixed) -> Value {
    field_object(name, avro_type.into(), default_of(avro_type), description, units)
}

fn item_field(item: &Item, extras: bool) -> Result<Value, Problem> {
    if is_private(&item.name) {
        return Err(Problem::ReservedField {
            field: item.name.clone(),
            dialect: Dialect::TsXml,
        });
    }
    let scalar = scalar_type(item.sal_type).ok_or_else(|| Problem::NoAvroType {
        field: item.name.clone(),
        sal_type: item.sal_type,
        dialect: Dialect::TsXml,
    })?;
    let (avro_type, default) = if item.count > 1 && item.sal_type != SalType::String {
        let zeros = std::iter::repeat_n(default_of(scalar), usize::try_from(item.count).unwrap_or(1));
        (json!({"type": "array", "items": scalar}), zeros.collect())
    } else {
        (scalar.into(), default_of(scalar))
    };
    let description = item.description.as_deref().unwrap_or_default();
    let units = item.units.as_deref().unwrap_or("unitless");
    let mut field = field_object(&item.name, avro_type, default, description, units);
    if let (true, Some(field)) = (extras, field.as_object_mut()) {
        field.insert(wire_extras::IDL_TYPE.into(), item.sal_type.as_str().into());
    }
    Ok(field)
}

/// Adds the keys in the order that the revCode depends on.
fn field_object(name: &str, avro_type: Value, default: Value, description: &str, units: &str) -> Value {
    let mut field = Map::new();
    field.insert("name".into(), name.into());
    field.insert("type".into(), avro_type);
    field.insert("default".into(), default);
    field.insert("description".into(), description.into());
    field.insert("units".into(), units.into());
    field.into()
}

/// Source: the type table of ts_xml, as seen in its published schemas. `long` is 32 bits wide in SAL.
fn scalar_type(sal_type: SalType) -> Option<&'static str> {
    match sal_type {
        SalType::Boolean => Some("boolean"),
        SalType::String => Some("string"),
        SalType::Float => Some("float"),
        SalType::Double => Some("double"),
        SalType::Byte | SalType::Short | SalType::UnsignedShort | SalType::Int | SalType::Long => Some("int"),
        SalType::LongLong | SalType::UnsignedInt => Some("long"),
        SalType::Char | SalType::Octet | SalType::UnsignedLong | SalType::UnsignedLongLong => None,
    }
}

fn default_of(avro_type: &str) -> Value {
    match avro_type {
        "boolean" => json!(false),
        "string" => json!(""),
        "float" | "double" => json!(0.0),
        _ => json!(0),
    }
}
