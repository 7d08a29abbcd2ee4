//! Makes a schema a subject's latest version, unless it is that already.

use serde::Serialize;
use stage::registry::{PublishRules, Published, Registry, RegistryError};

use crate::failure::Failure;

/// A subject's latest version after an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uploaded {
    /// The subject's name.
    pub subject: String,
    /// `new` or `unchanged`.
    pub result: &'static str,
    /// The version.
    pub version: u32,
    /// The id that Confluent's framing puts before each record.
    pub id: u32,
}

/// Registers a schema; what is registered already stays as it is.
pub async fn upload(
    registry: &Registry,
    subject: &str,
    schema: &str,
    rules: PublishRules,
) -> Result<Uploaded, Failure> {
    let published = registry.publish(subject, schema, rules).await;
    let result = match published.map_err(|error| refused(subject, error))? {
        Published::New | Published::Changed => "new",
        Published::Unchanged => "unchanged",
    };
    // The answer to the upload has only the id; the schema is the latest version now.
    let found = registry.version(subject, None).await?;
    Ok(Uploaded {
        subject: subject.to_owned(),
        result,
        version: found.version,
        id: found.id,
    })
}

fn refused(subject: &str, error: RegistryError) -> Failure {
    match error {
        RegistryError::Refused { reason, .. } => Failure::Refused {
            what: format!("the schema for subject {subject}"),
            reason,
            hint:
                "`kafkaefd registry test` compares schemas, `kafkaefd registry compat` shows by which level"
                    .to_owned(),
        },
        error => error.into(),
    }
}
