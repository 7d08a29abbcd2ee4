//! The schema registry's subjects: their versions, what may follow them, and deletion. The questions are asynchronous by
//! themselves; dropping the future cancels one.

pub mod compatibility;

mod check;
mod delete;
mod level;
mod list;
mod show;
mod upload;

use stage::registry::{Registry, RegistryError};

use crate::failure::{Failure, nearest};

pub use check::{Compatible, check};
pub use delete::{Deleted, Deletion, delete, existing_versions};
pub use level::{CurrentLevel, Level, level, set_level};
pub use list::{SubjectLevel, SubjectSummary, Subjects, list};
pub use show::{SubjectSchema, show};
pub use upload::{Uploaded, upload};

/// The command that lists what [`known`] looks among.
const LIST: &str = "kafkaefd registry list";

/// What the registry answers about a subject; where it knows none of that name, the names that are nearest to it.
async fn known<T>(
    registry: &Registry,
    subject: &str,
    answer: impl Future<Output = Result<T, RegistryError>>,
) -> Result<T, Failure> {
    match answer.await {
        Err(RegistryError::Missing { what }) => Err(missing(registry, subject, &what).await?),
        answer => Ok(answer?),
    }
}

async fn missing(registry: &Registry, subject: &str, what: &str) -> Result<Failure, RegistryError> {
    let subjects = registry.subjects().await?;
    if !subjects.iter().any(|found| found == subject) {
        return Ok(Failure::Unknown {
            kind: "subject",
            name: subject.to_owned(),
            nearest: nearest(subject, subjects.iter().map(String::as_str)),
            list: LIST,
        });
    }
    let versions = registry.versions(subject, false).await?;
    Ok(no_such_version(subject, what, &versions))
}

fn no_such_version(subject: &str, what: &str, versions: &[u32]) -> Failure {
    let versions: Vec<String> = versions.iter().map(u32::to_string).collect();
    Failure::Refused {
        what: what.to_owned(),
        reason: "there is no such version".to_owned(),
        hint: format!("a version that {subject} has: {}", versions.join(", ")),
    }
}
