//! `registry delete`: says what will be gone, asks, and deletes: softly, or for ever.

use clap::Args;
use serde::Serialize;
use stage::config::RegistryArgs;
use stage::registry::{Registry, RegistryError};
use stage::sanitize::Printable;

use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, bad, plural};
use operator::failure::Failure;

/// Delete a subject, or some of its versions
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "A soft deletion hides versions: nobody can write with them any more, and records that have their ids \
                  can still be read. With --permanent those records cannot be read any more.\n\n\
                  Example: kafkaefd registry delete lsst.sal.Test_scalars-value --version 3"
)]
pub(super) struct DeleteArgs {
    /// Name of the subject
    subject: String,
    /// Delete this version only; as often as needed
    #[arg(long = "version", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    versions: Vec<u32>,
    /// Also take away the ids, for ever, from what is softly deleted already, too
    #[arg(long)]
    permanent: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Serialize)]
struct Answer<'a> {
    subject: &'a str,
    versions: Vec<u32>,
    permanent: bool,
}

impl DeleteArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let registry = super::client(&self.registry)?;
        let asked = registry.versions(&self.subject, self.permanent);
        let there = super::known(&registry, &self.subject, asked).await?;
        if let Some(missing) = self.versions.iter().find(|version| !there.contains(version)) {
            let what = format!("deleting version {missing} of {}", self.subject);
            return Err(super::no_such_version(&self.subject, &what, &there));
        }
        self.consent.ask(&self.question(&there))?;
        let mut versions = if self.versions.is_empty() {
            self.subject(&registry, &there).await?
        } else {
            for version in &self.versions {
                self.version(&registry, *version).await?;
            }
            self.versions.clone()
        };
        versions.sort_unstable();
        versions.dedup();
        let answer = Answer {
            subject: &self.subject,
            versions,
            permanent: self.permanent,
        };
        self.answer.print(&answer, || self.shown(&answer))?;
        Ok(Done::All)
    }

    fn question(&self, there: &[u32]) -> String {
        let what = if self.versions.is_empty() {
            format!("subject {} with {}", self.subject, plural(there.len(), "version"))
        } else {
            let versions: Vec<String> = self.versions.iter().map(u32::to_string).collect();
            format!("version {} of subject {}", versions.join(", "), self.subject)
        };
        let how = if self.permanent {
            "for ever, so that no record written with them can be read"
        } else {
            "softly"
        };
        format!("delete {what} at {}, {how}", self.registry.schema_registry)
    }

    /// Registries take nothing away for ever that is not softly deleted, and nothing softly that is.
    async fn subject(&self, registry: &Registry, there: &[u32]) -> Result<Vec<u32>, Failure> {
        if !self.permanent {
            return Ok(registry.delete_subject(&self.subject, false).await?);
        }
        if !visible(registry, &self.subject).await?.is_empty() {
            registry.delete_subject(&self.subject, false).await?;
        }
        registry.delete_subject(&self.subject, true).await?;
        Ok(there.to_vec())
    }

    async fn version(&self, registry: &Registry, version: u32) -> Result<(), Failure> {
        if !self.permanent || visible(registry, &self.subject).await?.contains(&version) {
            registry.delete_version(&self.subject, version, false).await?;
        }
        if self.permanent {
            registry.delete_version(&self.subject, version, true).await?;
        }
        Ok(())
    }

    fn shown(&self, answer: &Answer<'_>) -> String {
        let versions: Vec<String> = answer.versions.iter().map(u32::to_string).collect();
        let how = if self.permanent {
            bad("for ever")
        } else {
            "softly: records that have their ids can still be read, --permanent ends that".to_owned()
        };
        format!(
            "deleted version {} of {} {how}",
            versions.join(", "),
            Printable(answer.subject)
        )
    }
}

/// The versions that are not softly deleted; of a subject that is, none.
async fn visible(registry: &Registry, subject: &str) -> Result<Vec<u32>, RegistryError> {
    match registry.versions(subject, false).await {
        Err(RegistryError::Missing { .. }) => Ok(Vec::new()),
        versions => versions,
    }
}
