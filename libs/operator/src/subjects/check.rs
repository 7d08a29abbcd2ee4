//! Whether a schema may become a subject's next version.

use serde::Serialize;
use stage::registry::Registry;

use super::compatibility::objections;
use super::{known, level};
use crate::failure::Failure;

/// Whether it may, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compatible {
    /// The subject's name.
    pub subject: String,
    /// The version that it was compared with.
    pub version: u32,
    /// Whether it may follow that version.
    pub compatible: bool,
    /// The level by which it was judged.
    pub level: String,
    /// Why not: in the registry's words, or in ours where the registry gives no reasons.
    pub reasons: Vec<String>,
}

/// Compares a schema with a version of the subject, the newest without a number.
pub async fn check(
    registry: &Registry,
    subject: &str,
    version: Option<u32>,
    schema: &str,
) -> Result<Compatible, Failure> {
    // Registries accept any schema for a subject that they do not have, which is usually a misspelt name.
    let there = known(registry, subject, registry.version(subject, version)).await?;
    let judgement = registry.judge(subject, Some(there.version), schema).await?;
    let level = level::effective(registry, subject).await?;
    let reasons = match judgement.reasons {
        // Some registries keep them to themselves.
        none if none.is_empty() && !judgement.compatible => objections(&level, &there.schema, schema),
        reasons => reasons,
    };
    Ok(Compatible {
        subject: subject.to_owned(),
        version: there.version,
        compatible: judgement.compatible,
        level,
        reasons,
    })
}
