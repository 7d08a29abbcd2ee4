//! `saltransform check`: the same transformation on files, without Kafka. What it accepts, `run` accepts: with the schemas
//! of the same registry, or with those of a directory that `init` registers.
//!
//! ```text
//!  files ─▶ messages ─▶ checker (plans of the directory's or the registry's schemas) ─▶ one JSON object per message
//! ```

mod checker;
mod messages;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use sal::avro::Options;
use schema_dir::{SchemaDir, SchemaDirError};
use serde_json::json;
use stage::config::{EXIT_UNAVAILABLE, EXIT_USAGE};
use stage::registry::{Registry, RegistryError, RegistrySetupError};
use stage::sanitize;

use crate::config::CheckArgs;
use checker::{Checker, Schemas};
use messages::{messages, read};

/// The check cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The flags contradict each other.
    #[error("{0}")]
    Usage(&'static str),
    /// The schemas cannot be read.
    #[error(transparent)]
    SchemaDir(#[from] SchemaDirError),
    /// The registry's client cannot be made.
    #[error(transparent)]
    RegistrySetup(#[from] RegistrySetupError),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A file of messages cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

/// Checks every message of every file; exit code 1 if any failed, 64 if nothing could be checked, 69 if the registry does
/// not answer.
pub async fn main(args: &CheckArgs) -> ExitCode {
    match check(args, &mut io::stdout()).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            stage::stderr_line!("saltransform check: {}", stage::chain(&error));
            match error {
                CheckError::Output(_) => ExitCode::FAILURE,
                CheckError::Registry(_) => EXIT_UNAVAILABLE.into(),
                CheckError::Usage(_)
                | CheckError::SchemaDir(_)
                | CheckError::RegistrySetup(_)
                | CheckError::File { .. } => EXIT_USAGE.into(),
            }
        }
    }
}

/// Writes one JSON object per message to `out`. Returns how many failed.
///
/// `{"topic","record"}`, or `{"error","stage","byte","field"}` where byte and field are null if there is none.
/// Records are as [`confluent_avro::json`] shows them.
pub async fn check(args: &CheckArgs, out: &mut impl Write) -> Result<usize, CheckError> {
    let mut checker = checker(args)?;
    let mut failed = 0;
    for path in &args.files {
        let content = read(path).map_err(|source| CheckError::File {
            path: path.clone(),
            source,
        })?;
        for text in messages(&content) {
            let line = match checker.check(text).await? {
                Ok((topic, record)) => json!({"topic": topic, "record": record}),
                Err(refusal) => {
                    failed += 1;
                    refusal.json()
                }
            };
            let line = line.to_string();
            match writeln!(out, "{}", sanitize::json(&line)) {
                // A reader that closed the pipe needs no more.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(failed),
                written => written.map_err(CheckError::Output)?,
            }
        }
    }
    Ok(failed)
}

fn checker(args: &CheckArgs) -> Result<Checker, CheckError> {
    let options = Options {
        dialect: args.naming.dialect,
        subname: args.naming.subname.clone(),
        wire_extras: args.wire_extras,
        subsystems: Vec::new(),
    };
    let dir = args.interfaces.dir.as_ref();
    let dir = dir.map(|dir| SchemaDir::read(dir)).transpose()?;
    let types = dir
        .as_ref()
        .map(|dir| dir.field_types(&options))
        .unwrap_or_default();
    let schemas = match dir {
        Some(dir) if !args.from_registry => {
            let found = dir.schemas(&options);
            for error in &found.errors {
                stage::stderr_line!("saltransform check: {}", stage::chain(error));
            }
            let schemas = found.schemas.into_iter();
            Schemas::Dir(
                schemas
                    .map(|schema| (schema.topic.as_str().to_owned(), schema.text))
                    .collect(),
            )
        }
        _ if args.wire_extras => {
            return Err(CheckError::Usage(
                "--wire-extras is for schemas made of --interfaces; those of a registry have wire extras or have none",
            ));
        }
        _ => Schemas::Registry(Box::new(Registry::new(&args.registry)?)),
    };
    Ok(Checker::new(schemas, types, args))
}
