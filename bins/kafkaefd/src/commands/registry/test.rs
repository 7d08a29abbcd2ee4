//! `registry test`: checks whether a schema is compatible with an existing version.

use std::path::PathBuf;

use clap::Args;
use stage::config::RegistryArgs;
use stage::sanitize::Printable;

use super::schema_file;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bad, good};
use operator::failure::Failure;
use operator::subjects::{self, Compatible};

/// Check whether a schema may become a subject's next version; exits with code 1 if not
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd registry test lsst.sal.Test_scalars-value Test_scalars.json")]
pub(super) struct TestArgs {
    /// Name of the subject
    subject: String,
    /// File that contains the Avro schema; - for stdin
    file: PathBuf,
    /// Compare with this version instead of the latest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl TestArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let schema = schema_file::read(&self.file)?;
        let registry = super::client(&self.registry)?;
        let answer = subjects::check(&registry, &self.subject, self.version, &schema).await?;
        self.answer.print(&answer, || shown(&answer))?;
        Ok(if answer.compatible {
            Done::All
        } else {
            Done::Partly
        })
    }
}

fn shown(answer: &Compatible) -> String {
    let version = format!(
        "version {} of {} (level {})",
        answer.version, answer.subject, answer.level
    );
    if answer.compatible {
        return format!("{} with {}", good("compatible"), Printable(version));
    }
    let mut text = format!("{} with {}", bad("incompatible"), Printable(version));
    for reason in &answer.reasons {
        text.push_str(&format!("\n  {}", Printable(reason)));
    }
    if answer.reasons.is_empty() {
        text.push_str("\n  the registry gives no reasons");
    }
    text
}
