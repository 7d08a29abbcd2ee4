//! Dialect efd, the schemas of 2019: only a component's own topics, keys in alphabetical order, and every
//! property in the XML kept as a `sal_…` attribute.

use serde_json::{Map, Value, json};

use super::Mapper;
use super::wire_extras;
use crate::interface::{Item, Problem, SalType, Topic};
use crate::name::{Dialect, Kind};

/// The fields that every record starts with: name, Avro type, doc.
const FIRST_FIELDS: [(&str, Option<&str>, &str); 7] = [
    (
        "kafka_timestamp",
        None,
        "Timestamp when the Kafka message was created.",
    ),
    ("sal_revcode", Some("string"), "SAL revision code."),
    ("sal_created", None, "Time when SAL created the message."),
    ("sal_ingested", None, "Time when SAL ingested the message."),
    ("sal_sequence", Some("long"), "SAL sequence number."),
    ("sal_origin", Some("int"), "SAL origin."),
    ("sal_host", Some("int"), "SAL host."),
];

/// Maps the own topics of one component. This dialect has neither generic nor `.avsc` topics.
pub(super) fn component(mapper: &mut Mapper<'_>) {
    let component = mapper.component;
    for topic in &component.topics {
        match reserved_field(topic) {
            Some(field) => {
                let problem = Problem::ReservedField {
                    field: field.to_owned(),
                    dialect: Dialect::Efd,
                };
                mapper.refuse(topic.place.error(Some(topic.name.as_str()), problem));
            }
            None => {
                let schema = record(mapper, topic);
                mapper.push(topic.name.clone(), topic.kind, schema);
            }
        }
    }
    for avro_file in &component.avro_files {
        if component.topics.iter().any(|topic| topic.name == avro_file.name) {
            continue;
        }
        mapper.refuse(
            avro_file
                .place
                .error(Some(avro_file.name.as_str()), Problem::AvroFileInEfd),
        );
    }
}

fn reserved_field(topic: &Topic) -> Option<&str> {
    let reserved = |item: &&Item| FIRST_FIELDS.iter().any(|(name, ..)| *name == item.name);
    topic.items.iter().find(reserved).map(|item| item.name.as_str())
}

fn record(mapper: &Mapper<'_>, topic: &Topic) -> Value {
    let extras = mapper.options.wire_extras;
    let mut fields: Vec<Value> = FIRST_FIELDS
        .iter()
        .map(|(name, avro_type, doc)| {
            let time = || json!({"type": "long", "logicalType": "timestamp-millis"});
            let avro_type = avro_type.map_or_else(time, Value::from);
            json!({"name": name, "type": avro_type, "doc": doc})
        })
        .collect();
    fields.extend(
        topic
            .items
            .iter()
            .enumerate()
            .map(|(index, item)| field(index, item, extras)),
    );

    let mut record = Map::new();
    record.insert("type".into(), "record".into());
    record.insert("namespace".into(), "lsst.sal".into());
    record.insert("name".into(), topic.name.as_str().into());
    record.insert("sal_topic_type".into(), topic_type(topic.kind).into());
    if let Some(doc) = &topic.explanation {
        record.insert("doc".into(), doc.as_str().into());
    }
    for (fact, text) in &topic.facts {
        record.insert(format!("sal_{fact}"), text.as_str().into());
    }
    if extras {
        if let Some(indexed) = mapper.component.indexed() {
            record.insert(wire_extras::INDEXED.into(), indexed.into());
        }
        for extra in wire_extras::fields(mapper.component, topic, Dialect::Efd) {
            fields.push(
                json!({"name": extra.name, "type": extra.avro_type, "default": extra.default, "doc": extra.description}),
            );
        }
    }
    record.insert("fields".into(), fields.into());
    let mut record = Value::Object(record);
    record.sort_all_objects();
    record
}

fn field(index: usize, item: &Item, extras: bool) -> Value {
    let trimmed = |text: &Option<String>| {
        text.as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(Value::from)
    };
    let mut field = Map::new();
    field.insert("name".into(), item.name.as_str().into());
    field.insert("type".into(), field_type(item));
    field.insert("sal_index".into(), index.into());
    if let Some(doc) = trimmed(&item.description) {
        field.insert("doc".into(), doc);
    }
    if let Some(units) = trimmed(&item.units) {
        field.insert("sal_units".into(), units);
    }
    for (fact, value) in &item.facts {
        field.insert(format!("sal_{fact}"), value.clone());
    }
    if extras {
        field.insert(wire_extras::IDL_TYPE.into(), item.sal_type.as_str().into());
        // The wire never carries a value for it, and any symbol would be wrong.
        if item.enumeration.is_some() && wire_extras::is_omitted(item.sal_type) {
            field.insert("type".into(), json!(["null", field_type(item)]));
            field.insert("default".into(), Value::Null);
        }
    }
    field.into()
}

fn field_type(item: &Item) -> Value {
    if let Some(enumeration) = &item.enumeration {
        let symbols: Vec<&str> = enumeration
            .symbols
            .iter()
            .map(|symbol| symbol.name.as_str())
            .collect();
        let mut avro_type = json!({"type": "enum", "name": item.name, "symbols": symbols});
        if let (true, Some(map)) = (enumeration.has_explicit_values(), avro_type.as_object_mut()) {
            map.insert("sal_values".into(), enumeration.values().into());
        }
        return avro_type;
    }
    let scalar = scalar_type(item.sal_type);
    if item.count > 1 {
        json!({"type": "array", "items": scalar, "sal_count": item.count})
    } else {
        scalar.into()
    }
}

/// Source: the type table of kafka-efd-demo, as seen in its published schemas.
fn scalar_type(sal_type: SalType) -> &'static str {
    match sal_type {
        SalType::Boolean => "boolean",
        SalType::String => "string",
        SalType::Float => "float",
        SalType::Double => "double",
        SalType::Byte | SalType::Char | SalType::Octet => "bytes",
        SalType::Short | SalType::Int | SalType::UnsignedShort | SalType::UnsignedInt => "int",
        SalType::Long | SalType::LongLong | SalType::UnsignedLong | SalType::UnsignedLongLong => "long",
    }
}

fn topic_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Telemetry => "SALTelemetry",
        Kind::Event => "SALEvent",
        Kind::Command | Kind::Ackcmd => "SALCommand",
    }
}
