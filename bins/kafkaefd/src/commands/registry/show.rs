//! `registry show`: the schema of a subject's version.

use clap::Args;
use serde_json::Value;
use stage::config::RegistryArgs;
use stage::registry::SchemaReference;
use stage::sanitize;

use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, faint, note};
use operator::failure::Failure;
use operator::subjects;

/// Show a subject's schema; and on stderr its version and the schemas to which it refers
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd registry show lsst.sal.Test_scalars-value --version 1")]
pub(super) struct ShowArgs {
    /// Name of the subject
    subject: String,
    /// Show this version instead of the latest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl ShowArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let registry = super::client(&self.registry)?;
        let answer = subjects::show(&registry, &self.subject, self.version).await?;
        self.answer.print(&answer, || pretty(&answer.schema))?;
        if !self.answer.json {
            note(&faint(format!(
                "version {} with id {}",
                answer.version, answer.id
            )));
            if !answer.references.is_empty() {
                note(&references(&answer.references));
            }
        }
        Ok(Done::All)
    }
}

fn references(references: &[SchemaReference]) -> Table {
    let mut table = Table::new(["REFERS TO", "SUBJECT", "VERSION"]);
    for SchemaReference {
        name,
        subject,
        version,
    } in references
    {
        table.row([Cell::text(name), Cell::text(subject), Cell::count(*version)]);
    }
    table
}

fn pretty(schema: &Value) -> String {
    // Serializing a JSON value cannot fail.
    let text = serde_json::to_string_pretty(schema).unwrap_or_else(|_| schema.to_string());
    sanitize::json(&text).into_owned()
}
