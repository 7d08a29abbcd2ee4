//! `kafkaefd salschema diff`: shows what a new release of the interface files changes before it is registered.

mod compare;
mod report;

use std::path::Path;

use clap::{Args, ValueEnum};
use sal::avro::Options;
use sal::name::Dialect;
use stage::sanitize::Printable;

use super::github::GithubArgs;
use super::read::read;
use super::source::Source;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, note};
use operator::failure::Failure;
use operator::subjects::compatibility::Resolution;
use report::Report;

/// Compare two releases of SAL's interface files: which topics and fields are added, removed or changed, and whether a
/// registry accepts each change
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "BACKWARD: the new schema can read data written with the old one; FORWARD: the old schema can read data \
                  written with the new one.\n\nExamples:\n\n  kafkaefd salschema diff ts_xml-22 ts_xml-23 --subsystem MTM1M3TS\n  \
                  kafkaefd salschema diff v22.0.0 v23.0.0 --xml-repo lsst-ts/ts_xml --fail-on-incompatible"
)]
pub struct DiffArgs {
    /// XML directory of the old release; with --xml-repo its branch, tag or commit
    old: String,

    /// XML directory of the new release; with --xml-repo its branch, tag or commit
    new: String,

    /// Dialect of the schemas to compare
    #[arg(long, env = "DIALECT", default_value_t, value_name = "efd|ts_xml")]
    dialect: Dialect,

    /// Names of subsystems to compare [default: all]
    #[arg(long, short, env = "SUBSYSTEM", value_name = "S", num_args = 1.., value_delimiter = ',')]
    subsystem: Vec<String>,

    /// Exit with code 1 if a change is incompatible at this level; without a value at BACKWARD, the default of
    /// registries
    #[arg(
        long,
        value_name = "LEVEL",
        value_enum,
        ignore_case = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "BACKWARD"
    )]
    fail_on_incompatible: Option<Level>,

    #[command(flatten)]
    answer: AnswerArgs,

    #[command(flatten)]
    github: GithubArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum Level {
    Backward,
    Forward,
    Full,
}

impl Level {
    fn allows(self, found: Resolution) -> bool {
        match self {
            Self::Backward => found.backward,
            Self::Forward => found.forward,
            Self::Full => found.backward && found.forward,
        }
    }
}

impl DiffArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let (old, new) = self.sources().await?;
        let options = Options {
            dialect: self.dialect,
            subsystems: self.subsystem.clone(),
            ..Options::default()
        };
        let (before, after) = (read(&old, &options), read(&new, &options));
        before.check_subsystems_with(&after)?;
        let errors = [(&old, &before), (&new, &after)];
        let errors = errors.into_iter().flat_map(|(source, converted)| {
            converted
                .errors
                .iter()
                .map(|error| format!("{}: {error}", source.name))
        });
        let report = Report {
            dialect: self.dialect.to_string(),
            topics: compare::compare(&before.schemas, &after.schemas),
            errors: errors.collect(),
            old: old.name,
            new: new.name,
        };
        self.answer.print(&report, || report.shown())?;
        for error in &report.errors {
            note(&Printable(error));
        }
        let mut done = if report.errors.is_empty() {
            Done::All
        } else {
            Done::Partly
        };
        if let Some(level) = self.fail_on_incompatible {
            let incompatible = report.incompatible(|found| level.allows(found));
            for topic in &incompatible {
                note(&format!("{}: not compatible", Printable(topic)));
            }
            if !incompatible.is_empty() {
                done = Done::Partly;
            }
        }
        Ok(done)
    }

    async fn sources(&self) -> Result<(Source, Source), Failure> {
        if self.github.xml_repo.is_none() {
            let dir = |dir: &String| Source::of_dir(Path::new(dir), dir);
            return Ok((dir(&self.old)?, dir(&self.new)?));
        }
        let references = [Some(self.old.as_str()), Some(self.new.as_str())];
        let mut sources = Source::of_repository(&self.github, &references)
            .await?
            .into_iter();
        match (sources.next(), sources.next()) {
            (Some(old), Some(new)) => Ok((old, new)),
            _ => Err(Failure::Usage("expected two releases to compare".to_owned())),
        }
    }
}
