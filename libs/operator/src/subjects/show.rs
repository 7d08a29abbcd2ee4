//! The schema of a version.

use serde::Serialize;
use serde_json::Value;
use stage::registry::{Registry, SchemaReference};

use super::known;
use crate::failure::Failure;

/// A version of a subject.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SubjectSchema {
    /// The subject's name.
    pub subject: String,
    /// The id that Confluent's framing puts before each record.
    pub id: u32,
    /// The version, from 1.
    pub version: u32,
    /// The schema; its text, if it is not JSON.
    pub schema: Value,
    /// Those to which it refers.
    pub references: Vec<SchemaReference>,
}

/// A version of a subject, the newest without a number.
pub async fn show(
    registry: &Registry,
    subject: &str,
    version: Option<u32>,
) -> Result<SubjectSchema, Failure> {
    let found = known(registry, subject, registry.version(subject, version)).await?;
    Ok(SubjectSchema {
        // Schemas of other kinds than Avro are not always JSON.
        schema: serde_json::from_str(&found.schema).unwrap_or(Value::String(found.schema)),
        subject: found.subject,
        id: found.id,
        version: found.version,
        references: found.references,
    })
}
