//! Interfaces to Avro schemas, in either dialect: what `salschema convert` writes and uploads, what
//! `saltransform init` registers, and what a plan is compiled from.

mod efd;
mod json;
mod ts_xml;
mod wire_extras;

use md5::{Digest, Md5};
use serde_json::Value;

use crate::interface::{Component, InterfaceError, Interfaces};
use crate::name::{Dialect, Kind, TopicName};

pub use wire_extras::lost_wire_extras;

/// What schemas are wanted.
#[derive(Debug, Clone)]
pub struct Options {
    /// The form of the schemas and of the Kafka topics' names.
    pub dialect: Dialect,
    /// The second part of a Kafka topic's name, `sal` by default.
    pub subname: String,
    /// Whether to add what the text wire carries and the published schemas do not: the attributes `sal_indexed` (of
    /// the record) and `sal_idl_type` (of each field), and at the end the fields of index, command and event.
    pub wire_extras: bool,
    /// The components that are wanted; empty for all.
    pub subsystems: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dialect: Dialect::Efd,
            subname: "sal".to_owned(),
            wire_extras: false,
            subsystems: Vec::new(),
        }
    }
}

/// The Avro schema of one SAL topic, and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicSchema {
    /// The SAL topic.
    pub topic: TopicName,
    /// Its kind.
    pub kind: Kind,
    /// The dialect of the schema.
    pub dialect: Dialect,
    /// The Kafka topic of its Avro messages.
    pub kafka_topic: String,
    /// The registry's subject.
    pub subject: String,
    /// The Avro record. Keys are in the published order: alphabetical in dialect efd; in dialect ts_xml record
    /// `type name namespace fields description`, field `name type default description units`.
    pub schema: Value,
    /// Dialect ts_xml: the first 8 hex digits of the MD5 of [`TopicSchema::text`]; nothing for `.avsc` topics, whose
    /// published code hangs on the key order of a Python library.
    pub rev_code: Option<String>,
}

impl TopicSchema {
    /// The schema as its publishers write it: JSON as Python's `json.dumps` makes it, ASCII only, no line end at its
    /// end, with an indent of 2 in dialect efd and 4 in dialect ts_xml.
    pub fn text(&self) -> String {
        json::python_dumps(&self.schema, indent(self.dialect))
    }

    /// The names of the record's fields, in order.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        let fields = self.schema.get("fields").and_then(Value::as_array);
        fields
            .into_iter()
            .flatten()
            .filter_map(|field| field.get("name").and_then(Value::as_str))
    }
}

/// Schemas, and what could not become one.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// By component, each in the order of its files; then (ts_xml) its generics, its `.avsc` topics, its ackcmd.
    pub schemas: Vec<TopicSchema>,
    /// Topics that the dialect has no form for: they are left out. [`Interfaces::errors`] are not repeated here.
    pub errors: Vec<InterfaceError>,
}

/// Whether a schema was made with [`Options::wire_extras`].
pub fn has_wire_extras(schema: &Value) -> bool {
    let fields = schema.get("fields").and_then(Value::as_array);
    let mut fields = fields.into_iter().flatten();
    schema.get(wire_extras::INDEXED).is_some()
        || fields.any(|field| field.get(wire_extras::IDL_TYPE).is_some())
}

/// The schemas of the wanted components.
pub fn schemas(interfaces: &Interfaces, options: &Options) -> Vec<TopicSchema> {
    map(interfaces, options).schemas
}

/// The schemas of the wanted components, and what could not become one.
pub fn map(interfaces: &Interfaces, options: &Options) -> Mapping {
    let mut mapping = Mapping::default();
    for component in &interfaces.components {
        if options.subsystems.is_empty() || options.subsystems.contains(&component.name) {
            let mut mapper = Mapper {
                options,
                component,
                mapping: &mut mapping,
            };
            match options.dialect {
                Dialect::Efd => efd::component(&mut mapper),
                Dialect::TsXml => ts_xml::component(&mut mapper, &interfaces.generics),
            }
        }
    }
    mapping
}

/// Collects what a dialect makes of one component.
struct Mapper<'a> {
    options: &'a Options,
    component: &'a Component,
    mapping: &'a mut Mapping,
}

impl Mapper<'_> {
    fn push(&mut self, topic: TopicName, kind: Kind, schema: Value) {
        let Options { dialect, subname, .. } = self.options;
        let schema = TopicSchema {
            kind,
            dialect: *dialect,
            kafka_topic: dialect.kafka_topic(&topic, subname),
            subject: dialect.subject(&topic, subname),
            topic,
            schema,
            rev_code: None,
        };
        self.mapping.schemas.push(schema);
    }

    fn push_with_rev_code(&mut self, topic: TopicName, kind: Kind, schema: Value) {
        self.push(topic, kind, schema);
        if let Some(schema) = self.mapping.schemas.last_mut() {
            let digest = Md5::digest(schema.text());
            schema.rev_code = Some(digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect());
        }
    }

    fn refuse(&mut self, error: InterfaceError) {
        self.mapping.errors.push(error);
    }
}

fn indent(dialect: Dialect) -> usize {
    match dialect {
        Dialect::Efd => 2,
        Dialect::TsXml => 4,
    }
}
