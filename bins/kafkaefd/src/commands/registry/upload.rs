//! `registry upload`: makes a schema a subject's latest version, unless it already is.

use std::path::PathBuf;

use clap::Args;
use stage::config::RegistryArgs;
use stage::registry::PublishRules;
use stage::sanitize::Printable;

use super::schema_file;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, faint, good};
use operator::failure::Failure;
use operator::subjects;

/// Register a schema; one that is already the latest version creates no new version
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd registry upload lsst.sal.Test_scalars-value Test_scalars.json")]
pub(super) struct UploadArgs {
    /// Name of the subject; created if it does not exist
    subject: String,
    /// File that contains the Avro schema; - for stdin
    file: PathBuf,
    /// Allow a schema without wire extras to replace a latest one that has them
    #[arg(long)]
    drop_wire_extras: bool,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl UploadArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let schema = schema_file::read(&self.file)?;
        let registry = super::client(&self.registry)?;
        let rules = PublishRules {
            objection: (!self.drop_wire_extras).then_some(sal::avro::lost_wire_extras),
            make_latest: false,
        };
        let answer = subjects::upload(&registry, &self.subject, &schema, rules).await?;
        self.answer.print(&answer, || {
            let result = match answer.result {
                "new" => good("new"),
                other => faint(other),
            };
            format!(
                "{}: {result}, version {} with id {}",
                Printable(&answer.subject),
                answer.version,
                answer.id
            )
        })?;
        Ok(Done::All)
    }
}
