//! Turns interfaces into Avro schemas, in either dialect: what `salschema convert` writes and uploads, what
//! `saltransform init` registers, and what a plan is compiled from.

mod efd;
mod field_types;
mod json;
mod ts_xml;
mod wire_extras;

use md5::{Digest, Md5};
use serde_json::Value;

use crate::interface::{Component, InterfaceError, Interfaces};
use crate::name::{DEFAULT_SUBNAME, Dialect, Kind, TopicName};

pub use field_types::FieldTypes;
pub use wire_extras::lost_wire_extras;

/// Which schemas to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// The dialect, which decides the form of the schemas and the names of the Kafka topics.
    pub dialect: Dialect,
    /// The second part of a Kafka topic's name; [`DEFAULT_SUBNAME`] by default.
    pub subname: String,
    /// Whether to add what the text wire carries but the published schemas leave out: the attributes
    /// `sal_indexed` (on the record) and `sal_idl_type` (on each field), and trailing fields for index,
    /// command and event.
    pub wire_extras: bool,
    /// The wanted components; empty for all of them but those of [`Interfaces::listed_only`].
    pub subsystems: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dialect: Dialect::default(),
            subname: DEFAULT_SUBNAME.to_owned(),
            wire_extras: false,
            subsystems: Vec::new(),
        }
    }
}

/// The Avro schema of one SAL topic and its destination.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicSchema {
    /// The SAL topic.
    pub topic: TopicName,
    /// The kind of topic.
    pub kind: Kind,
    /// The dialect of the schema.
    pub dialect: Dialect,
    /// The Kafka topic that carries its Avro messages.
    pub kafka_topic: String,
    /// The subject in the registry.
    pub subject: String,
    /// The Avro record. Keys are in the published order: alphabetical in dialect efd; in dialect ts_xml `type
    /// name namespace fields description` for a record and `name type default description units` for a field.
    pub schema: Value,
    /// Dialect ts_xml: the first 8 hex digits of the MD5 of [`TopicSchema::text`]. `None` for `.avsc` topics,
    /// whose published code depends on the key order of a Python library.
    pub rev_code: Option<String>,
}

impl TopicSchema {
    /// The schema as its publishers write it: JSON in the format of Python's `json.dumps`, ASCII only,
    /// without a trailing newline, with an indent of 2 in dialect efd and 4 in dialect ts_xml.
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

/// Schemas, and the topics that have none.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// By component, in file order; in ts_xml followed by its generics, its `.avsc` topics and its ackcmd.
    pub schemas: Vec<TopicSchema>,
    /// Topics that the dialect cannot express. [`Interfaces::errors`] are not repeated here.
    pub errors: Vec<InterfaceError>,
}

/// Whether a schema was made with [`Options::wire_extras`].
pub fn has_wire_extras(schema: &Value) -> bool {
    let fields = schema.get("fields").and_then(Value::as_array);
    let mut fields = fields.into_iter().flatten();
    schema.get(wire_extras::INDEXED).is_some()
        || fields.any(|field| field.get(wire_extras::IDL_TYPE).is_some())
}

/// Makes the schemas of the wanted components.
pub fn schemas(interfaces: &Interfaces, options: &Options) -> Vec<TopicSchema> {
    map(interfaces, options).schemas
}

/// Makes the schemas of the wanted components and reports the topics that have none.
pub fn map(interfaces: &Interfaces, options: &Options) -> Mapping {
    let mut mapping = Mapping::default();
    let is_named = |component: &&Component| options.subsystems.contains(&component.name);
    let all = interfaces.components.iter();
    let wanted = all.filter(|component| options.subsystems.is_empty() || is_named(component));
    for component in wanted.chain(interfaces.listed_only.iter().filter(is_named)) {
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
    mapping
}

/// Collects the schemas of one component.
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
