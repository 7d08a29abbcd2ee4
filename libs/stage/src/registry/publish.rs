//! Makes a schema the latest version of its subject, and checks that it is.
//!
//! A registry that finds a schema among a subject's older versions returns that version's id and changes nothing: the
//! registration succeeds, and clients keep using the version that is the latest. Therefore the latest version is read
//! before and after. The caller can object to a change ([`PublishRules::objection`]).

use super::{Registry, RegistryError, insist, is_same_schema};

/// What became of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The subject is new.
    New,
    /// The subject has a new version.
    Changed,
    /// The subject's latest version was this schema already.
    Unchanged,
}

/// An objection to replacing the latest schema (first text) with a new one (second text). It completes the sentence "the
/// latest schema of subject S …"; `None` allows the change.
pub type Objection = fn(&str, &str) -> Option<String>;

/// What may be done to a subject beyond adding a version to it.
#[derive(Debug, Clone, Copy, Default)]
pub struct PublishRules {
    /// Refuses changes that the registry itself would accept.
    pub objection: Option<Objection>,
    /// If the schema is an older version, delete the newer ones softly, so that it becomes the latest again. Records that
    /// were written with those can still be read.
    pub make_latest: bool,
}

impl Registry {
    /// What [`Registry::publish`] would do; changes nothing.
    pub async fn look_ahead(
        &self,
        subject: &str,
        schema: &str,
        rules: PublishRules,
    ) -> Result<Published, RegistryError> {
        let latest = match insist(|| self.version(subject, None)).await {
            Ok(latest) => latest,
            Err(RegistryError::Missing { .. }) => return Ok(Published::New),
            Err(error) => return Err(error),
        };
        if is_same_schema(&latest.schema, schema) {
            return Ok(Published::Unchanged);
        }
        let newer = self.newer_than(subject, schema).await?;
        if newer.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Published::Unchanged);
        }
        if let Some(objection) = rules.objection.and_then(|object| object(&latest.schema, schema)) {
            return Err(RegistryError::Objection {
                subject: subject.to_owned(),
                objection,
            });
        }
        match newer {
            Some(newer) if !rules.make_latest => Err(not_latest(subject, newer)),
            _ => Ok(Published::Changed),
        }
    }

    /// Registers a schema and checks that it is the subject's latest version then.
    pub async fn publish(
        &self,
        subject: &str,
        schema: &str,
        rules: PublishRules,
    ) -> Result<Published, RegistryError> {
        let published = self.look_ahead(subject, schema, rules).await?;
        if published == Published::Unchanged {
            return Ok(published);
        }
        for version in self
            .newer_than(subject, schema)
            .await?
            .into_iter()
            .flatten()
            .rev()
        {
            insist(|| self.delete_version(subject, version, false)).await?;
        }
        let id = self.register(subject, schema).await?;
        let latest = insist(|| self.version(subject, None)).await?;
        // Registries that keep schemas in a form of their own tell by the id that it is the same.
        if is_same_schema(&latest.schema, schema) || latest.id == id {
            return Ok(published);
        }
        let newer = self.newer_than(subject, schema).await?;
        let newer = newer.filter(|newer| !newer.is_empty());
        Err(not_latest(subject, newer.unwrap_or_else(|| vec![latest.version])))
    }

    /// The versions that stand in front of this schema, ascending: none of them where it is the latest; `None` where it is no
    /// version of the subject.
    async fn newer_than(&self, subject: &str, schema: &str) -> Result<Option<Vec<u32>>, RegistryError> {
        let mut newer = Vec::new();
        let versions = match insist(|| self.versions(subject, false)).await {
            Err(RegistryError::Missing { .. }) => return Ok(None),
            versions => versions?,
        };
        for version in versions.iter().rev() {
            let held = insist(|| self.version(subject, Some(*version))).await?;
            if is_same_schema(&held.schema, schema) {
                newer.reverse();
                return Ok(Some(newer));
            }
            newer.push(*version);
        }
        // A registry may keep one text for all subjects that have the same schema: then it alone can tell.
        let found = insist(|| self.find(subject, schema)).await?;
        Ok(found
            .filter(|found| versions.contains(&found.version))
            .map(|found| {
                versions
                    .into_iter()
                    .filter(|version| *version > found.version)
                    .collect()
            }))
    }
}

fn not_latest(subject: &str, newer: Vec<u32>) -> RegistryError {
    RegistryError::NotLatest {
        subject: subject.to_owned(),
        newer,
    }
}
