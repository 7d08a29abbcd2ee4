//! Chooses the version of a subject: the newest from which a plan can be compiled, which is the same for every replica,
//! whenever it started.

use std::borrow::Cow;
use std::sync::Arc;

use sal::avro::FieldTypes;
use sal::plan::{Plan, PlanError};
use sal::time::TimeScale;
use stage::registry::{Registry, RegistryError, VersionedSchema};

/// A version that can be used.
pub(crate) struct Usable {
    pub(crate) version: u32,
    pub(crate) id: u32,
    pub(crate) text: Arc<str>,
    pub(crate) plan: Plan,
}

/// A version that cannot.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) version: u32,
    pub(crate) id: u32,
    pub(crate) error: PlanError,
}

/// The versions of a subject.
pub(crate) struct Versions {
    /// The newest version that can be used.
    pub(crate) usable: Option<Usable>,
    /// The newer versions that cannot, newest first.
    pub(crate) unusable: Vec<Unusable>,
}

/// Compiles a schema with the SAL types that interface files give its fields, unless they do not fit it.
pub(crate) fn compile(
    types: &FieldTypes,
    topic: &str,
    schema: &str,
    time_scale: TimeScale,
) -> Result<Plan, PlanError> {
    match types.add_to(topic, schema) {
        Cow::Borrowed(unchanged) => Plan::compile(unchanged, time_scale),
        Cow::Owned(typed) => Plan::compile(&typed, time_scale).or_else(|_| Plan::compile(schema, time_scale)),
    }
}

/// Searches a subject's versions, from `latest` backwards, for the first that `compile` takes.
pub(crate) async fn newest_usable(
    registry: &Registry,
    subject: &str,
    latest: VersionedSchema,
    compile: &(dyn Fn(&str) -> Result<Plan, PlanError> + Sync),
) -> Result<Versions, RegistryError> {
    let mut unusable = Vec::new();
    let mut older: Option<Vec<u32>> = None;
    let mut candidate = latest;
    loop {
        let VersionedSchema {
            version, id, schema, ..
        } = candidate;
        match compile(&schema) {
            Ok(plan) => {
                let usable = Usable {
                    version,
                    id,
                    text: schema.into(),
                    plan,
                };
                return Ok(Versions {
                    usable: Some(usable),
                    unusable,
                });
            }
            Err(error) => unusable.push(Unusable { version, id, error }),
        }
        let versions = match &mut older {
            Some(versions) => versions,
            None => {
                let mut versions = registry.versions(subject, false).await?;
                versions.retain(|older| *older < version);
                older.insert(versions)
            }
        };
        candidate = loop {
            let Some(next) = versions.pop() else {
                return Ok(Versions {
                    usable: None,
                    unusable,
                });
            };
            match registry.version(subject, Some(next)).await {
                // Deleted meanwhile.
                Err(RegistryError::Missing { .. }) => {}
                found => break found?,
            }
        };
    }
}
