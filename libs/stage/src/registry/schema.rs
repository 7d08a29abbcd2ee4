//! A schema as the registry holds it: its text, its language, and the schemas to which it refers.

use std::sync::Arc;

use schema_registry_converter::schema_registry_common::{RegisteredReference, SchemaType};
use serde::{Deserialize, Serialize};

use super::is_same_schema;

/// A schema with all that is needed to read records with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredSchema {
    /// The id that Confluent's framing puts before each record.
    pub id: u32,
    /// The language of its text.
    pub kind: SchemaKind,
    /// The schema's text; JSON if it is Avro.
    pub raw: Arc<str>,
    /// The schemas to which it refers, directly and through others, each after those to which it refers itself.
    pub referenced: Arc<[Referenced]>,
}

/// The languages of schemas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Option<String>")]
pub enum SchemaKind {
    /// Avro, which a registry need not name.
    #[default]
    Avro,
    /// Protobuf.
    Protobuf,
    /// JSON Schema.
    JsonSchema,
    /// Another, as the registry names it.
    Other(String),
}

/// A schema names another one: the version of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct SchemaReference {
    /// The name by which it is used; in Avro, that of its type.
    pub name: String,
    /// The subject.
    pub subject: String,
    /// The version of it.
    pub version: u32,
}

/// A schema to which another refers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referenced {
    /// Where it is.
    pub reference: SchemaReference,
    /// Its text.
    pub raw: Arc<str>,
}

/// A schema in another language than Avro.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema id {id} is {kind}")]
pub struct NotAvro {
    /// Its id.
    pub id: u32,
    /// What it is instead.
    pub kind: SchemaKind,
}

impl RegisteredSchema {
    /// Whether both mean the same: some registries change white space and the order of keys.
    pub fn is_same(&self, other: &Self) -> bool {
        let referenced = || self.referenced.iter().zip(other.referenced.iter());
        self.kind == other.kind
            && self.referenced.len() == other.referenced.len()
            && is_same_schema(&self.raw, &other.raw)
            && referenced().all(|(one, other)| is_same_schema(&one.raw, &other.raw))
    }

    /// An error unless it is Avro.
    pub fn check_is_avro(&self) -> Result<(), NotAvro> {
        match &self.kind {
            SchemaKind::Avro => Ok(()),
            kind => Err(NotAvro {
                id: self.id,
                kind: kind.clone(),
            }),
        }
    }
}

impl AsRef<str> for Referenced {
    fn as_ref(&self) -> &str {
        &self.raw
    }
}

impl std::fmt::Display for SchemaKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Avro => f.write_str("Avro"),
            Self::Protobuf => f.write_str("Protobuf"),
            Self::JsonSchema => f.write_str("JSON Schema"),
            Self::Other(name) => write!(f, "{}", crate::Printable(name)),
        }
    }
}

impl From<Option<String>> for SchemaKind {
    fn from(name: Option<String>) -> Self {
        match name.as_deref() {
            None | Some("AVRO") => Self::Avro,
            Some("PROTOBUF") => Self::Protobuf,
            Some("JSON") => Self::JsonSchema,
            Some(other) => Self::Other(other.to_owned()),
        }
    }
}

impl From<SchemaType> for SchemaKind {
    fn from(kind: SchemaType) -> Self {
        match kind {
            SchemaType::Avro => Self::Avro,
            SchemaType::Protobuf => Self::Protobuf,
            SchemaType::Json => Self::JsonSchema,
            SchemaType::Other(name) => Self::Other(name),
            // The crate may name further ones.
            other => Self::Other(format!("{other:?}")),
        }
    }
}

impl From<RegisteredReference> for SchemaReference {
    fn from(reference: RegisteredReference) -> Self {
        Self {
            name: reference.name,
            subject: reference.subject,
            version: reference.version,
        }
    }
}
