//! Deletes subjects or versions: softly, or for ever.

use serde::Serialize;
use stage::registry::{Registry, RegistryError};

use super::{known, no_such_version};
use crate::failure::Failure;

/// What is to be deleted.
#[derive(Debug, Clone)]
pub struct Deletion {
    /// The subject's name.
    pub subject: String,
    /// Only these versions; without any, the subject.
    pub versions: Vec<u32>,
    /// Also take away the ids, for ever, what was deleted softly before included: records with them can no longer be read.
    pub permanent: bool,
}

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// The subject's name.
    pub subject: String,
    /// Its versions that are gone, ascending.
    pub versions: Vec<u32>,
    /// Whether their ids are gone, too.
    pub permanent: bool,
}

/// The versions that the subject has, ascending. Fails if one that is to be deleted is not among them.
pub async fn existing_versions(registry: &Registry, deletion: &Deletion) -> Result<Vec<u32>, Failure> {
    let subject = &deletion.subject;
    let existing = known(registry, subject, registry.versions(subject, deletion.permanent)).await?;
    if let Some(missing) = deletion
        .versions
        .iter()
        .find(|version| !existing.contains(version))
    {
        let what = format!("deleting version {missing} of {subject}");
        return Err(no_such_version(subject, &what, &existing));
    }
    Ok(existing)
}

/// Deletes from a subject that has the `existing` versions.
pub async fn delete(
    registry: &Registry,
    deletion: &Deletion,
    existing: Vec<u32>,
) -> Result<Deleted, Failure> {
    let mut versions = if deletion.versions.is_empty() {
        delete_subject(registry, deletion, existing).await?
    } else {
        for version in &deletion.versions {
            delete_version(registry, deletion, *version).await?;
        }
        deletion.versions.clone()
    };
    versions.sort_unstable();
    versions.dedup();
    Ok(Deleted {
        subject: deletion.subject.clone(),
        versions,
        permanent: deletion.permanent,
    })
}

/// Registries take nothing away for ever that is not softly deleted, and nothing softly that is.
async fn delete_subject(
    registry: &Registry,
    deletion: &Deletion,
    existing: Vec<u32>,
) -> Result<Vec<u32>, Failure> {
    let subject = &deletion.subject;
    if !deletion.permanent {
        return Ok(registry.delete_subject(subject, false).await?);
    }
    if !visible(registry, subject).await?.is_empty() {
        registry.delete_subject(subject, false).await?;
    }
    registry.delete_subject(subject, true).await?;
    Ok(existing)
}

async fn delete_version(registry: &Registry, deletion: &Deletion, version: u32) -> Result<(), Failure> {
    let subject = &deletion.subject;
    if !deletion.permanent || visible(registry, subject).await?.contains(&version) {
        registry.delete_version(subject, version, false).await?;
    }
    if deletion.permanent {
        registry.delete_version(subject, version, true).await?;
    }
    Ok(())
}

/// The versions that are not softly deleted; of a subject that is, none.
async fn visible(registry: &Registry, subject: &str) -> Result<Vec<u32>, RegistryError> {
    match registry.versions(subject, false).await {
        Err(RegistryError::Missing { .. }) => Ok(Vec::new()),
        versions => versions,
    }
}
