//! All subjects, and if asked for what each has.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt, TryStreamExt, stream};
use regex::Regex;
use serde::Serialize;
use stage::registry::{Registry, RegistryError};

use crate::failure::Failure;

/// How many subjects are asked about at a time: enough to hide the way to the registry, few enough for any registry.
const AT_ONCE: usize = 8;

/// Which subjects are meant, and what is wanted of each.
#[derive(Debug, Clone, Default)]
pub struct Subjects {
    /// Only those whose names it matches, anywhere in the name.
    pub name: Option<Regex>,
    /// Also the versions of each.
    pub versions: bool,
    /// Also the compatibility level of each.
    pub compatibility: bool,
}

/// A subject in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubjectSummary {
    /// Its name.
    pub subject: String,
    /// Its versions, ascending, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<Vec<u32>>,
    /// Its level, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatibility: Option<SubjectLevel>,
}

/// The level by which a subject's next version is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubjectLevel {
    /// The level.
    pub level: String,
    /// Whether the subject has none of its own, so that the registry's counts.
    pub inherited: bool,
}

/// The subjects that are meant, by name. After each one `progress` is called with how many are done, and of how many.
pub async fn list(
    registry: &Registry,
    wanted: &Subjects,
    progress: impl Fn(u64, u64),
) -> Result<Vec<SubjectSummary>, Failure> {
    let mut subjects = registry.subjects().await?;
    subjects.retain(|subject| wanted.name.as_ref().is_none_or(|name| name.is_match(subject)));
    let global = if wanted.compatibility {
        registry.level(None).await?
    } else {
        None
    };
    let total = subjects.len() as u64;
    progress(0, total);
    let done = AtomicU64::new(0);
    let found: Result<Vec<SubjectSummary>, RegistryError> = stream::iter(subjects)
        .map(|subject| summary(registry, wanted, subject, global.as_deref()))
        .buffered(AT_ONCE)
        .inspect(|_| progress(done.fetch_add(1, Ordering::Relaxed) + 1, total))
        .try_collect()
        .await;
    Ok(found?)
}

async fn summary(
    registry: &Registry,
    wanted: &Subjects,
    subject: String,
    global: Option<&str>,
) -> Result<SubjectSummary, RegistryError> {
    let versions = match wanted.versions {
        true => Some(registry.versions(&subject, false).await?),
        false => None,
    };
    let compatibility = match global {
        Some(global) => {
            let own = registry.level(Some(&subject)).await?;
            Some(SubjectLevel {
                inherited: own.is_none(),
                level: own.unwrap_or_else(|| global.to_owned()),
            })
        }
        None => None,
    };
    Ok(SubjectSummary {
        subject,
        versions,
        compatibility,
    })
}
