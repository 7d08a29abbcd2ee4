//! `registry delete`: reports what will be deleted, asks for confirmation, and deletes it softly or permanently.

use clap::Args;
use stage::config::RegistryArgs;
use stage::sanitize::Printable;

use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, bad, plural};
use operator::failure::Failure;
use operator::subjects::{self, Deleted, Deletion};

/// Delete a subject, or some of its versions
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "A soft deletion hides versions: they can no longer be used for writing, but records with their schema ids can \
                  still be read. After a permanent deletion such records can no longer be read.\n\n\
                  Example: kafkaefd registry delete lsst.sal.Test_scalars-value --version 3"
)]
pub(super) struct DeleteArgs {
    /// Name of the subject
    subject: String,
    /// Delete only this version; may be repeated
    #[arg(long = "version", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    versions: Vec<u32>,
    /// Delete permanently, including the schema ids and versions that were soft-deleted before
    #[arg(long)]
    permanent: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl DeleteArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let registry = super::client(&self.registry)?;
        let deletion = Deletion {
            subject: self.subject.clone(),
            versions: self.versions.clone(),
            permanent: self.permanent,
        };
        let existing = subjects::existing_versions(&registry, &deletion).await?;
        self.consent.ask(&self.question(&existing))?;
        let deleted = subjects::delete(&registry, &deletion, existing).await?;
        self.answer.print(&deleted, || self.shown(&deleted))?;
        Ok(Done::All)
    }

    fn question(&self, existing: &[u32]) -> String {
        let what = if self.versions.is_empty() {
            format!(
                "subject {} with {}",
                self.subject,
                plural(existing.len(), "version")
            )
        } else {
            let versions: Vec<String> = self.versions.iter().map(u32::to_string).collect();
            format!("version {} of subject {}", versions.join(", "), self.subject)
        };
        let how = if self.permanent {
            "permanently: records written with it can no longer be read"
        } else {
            "softly: records written with it can still be read"
        };
        format!("delete {what} at {}, {how}", self.registry.schema_registry)
    }

    fn shown(&self, deleted: &Deleted) -> String {
        let versions: Vec<String> = deleted.versions.iter().map(u32::to_string).collect();
        let how = if self.permanent {
            bad("permanently")
        } else {
            "softly; records with their schema ids can still be read (until --permanent)".to_owned()
        };
        format!(
            "deleted version {} of {} {how}",
            versions.join(", "),
            Printable(&deleted.subject)
        )
    }
}
