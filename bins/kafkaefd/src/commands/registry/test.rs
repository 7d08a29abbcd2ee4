//! `registry test`: may a schema follow the one that is there?

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use stage::config::RegistryArgs;
use stage::sanitize::Printable;

use super::schema_file;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bad, good};
use operator::compatibility::objections;
use operator::failure::Failure;

/// Ask whether a schema may become a subject's next version; exit code 1 if not
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd registry test lsst.sal.Test_scalars-value Test_scalars.json")]
pub(super) struct TestArgs {
    /// Name of the subject
    subject: String,
    /// File that holds the Avro schema; - for stdin
    file: PathBuf,
    /// Compare with this version instead of the newest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Serialize)]
struct Answer<'a> {
    subject: &'a str,
    /// The version that it was compared with.
    version: u32,
    compatible: bool,
    /// By which it was judged.
    level: String,
    /// In the registry's words; in ours, where it gives none.
    reasons: Vec<String>,
}

impl TestArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let schema = schema_file::read(&self.file)?;
        let registry = super::client(&self.registry)?;
        // Registries say yes to any schema for a subject that they do not have, which is a name mistyped.
        let asked = registry.version(&self.subject, self.version);
        let there = super::known(&registry, &self.subject, asked).await?;
        let judged = registry.judge(&self.subject, Some(there.version), &schema);
        let judgement = judged.await?;
        let level = super::compat::effective(&registry, &self.subject).await?;
        let reasons = match judgement.reasons {
            // Some registries keep them to themselves.
            none if none.is_empty() && !judgement.compatible => objections(&level, &there.schema, &schema),
            reasons => reasons,
        };
        let answer = Answer {
            subject: &self.subject,
            version: there.version,
            compatible: judgement.compatible,
            level,
            reasons,
        };
        self.answer.print(&answer, || shown(&answer))?;
        Ok(if answer.compatible {
            Done::All
        } else {
            Done::Partly
        })
    }
}

fn shown(answer: &Answer<'_>) -> String {
    let beside = format!(
        "version {} of {} (level {})",
        answer.version, answer.subject, answer.level
    );
    if answer.compatible {
        return format!("{} with {}", good("compatible"), Printable(beside));
    }
    let mut text = format!("{} with {}", bad("incompatible"), Printable(beside));
    for reason in &answer.reasons {
        text.push_str(&format!("\n  {}", Printable(reason)));
    }
    if answer.reasons.is_empty() {
        text.push_str("\n  this registry gives no reasons");
    }
    text
}
