//! `kafkaefd salschema`: SAL's interface files to Avro schemas.
//!
//! ```text
//! args ─▶ read (XML directory ─▶ schemas) ─▶ write | upload | print ─▶ summary ─▶ what was left out, on stderr
//! ```

mod args;
mod read;
mod summary;
mod upload;
mod write;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

pub use args::{ConvertArgs, SalschemaCommand};

use args::{Action, Target};
use pipeline::config::EXIT_USAGE;
use pipeline::printable::{self, Printable};
use read::Converted;
use summary::Summary;

impl SalschemaCommand {
    /// Runs the command. Exit code 0: all was read and delivered; 1: something was left out or could not be
    /// delivered; 64: the flags or the directory they name cannot be used.
    pub async fn run(self) -> ExitCode {
        match self.action {
            Action::Convert(args) => convert(&args).await,
        }
    }
}

async fn convert(args: &ConvertArgs) -> ExitCode {
    let converted = match read::read(args) {
        Ok(converted) => converted,
        Err(error) => return wrong(&error),
    };
    let mut summary = Summary::of(args.dialect, &converted);
    match args.target() {
        Target::Summary => {}
        Target::Print if args.json => summary.print_schemas(&converted.schemas),
        Target::Print => print(&converted),
        Target::Write(dir) => match write::write(dir, &converted.schemas) {
            Ok(()) => summary.wrote(dir),
            Err(error) => return failed(&error),
        },
        Target::Upload(registry) => match upload::upload(registry, &converted.schemas).await {
            Ok(uploaded) => summary.uploaded(&registry.schema_registry, uploaded),
            Err(upload::UploadError::Setup(error)) => return wrong(&error),
            Err(error) => return failed(&error),
        },
    }
    // Schemas on stdout keep it to themselves.
    if args.json {
        out(&printable::json(&summary.json().to_string()));
    } else if matches!(args.target(), Target::Print) {
        eprintln!("{summary}");
    } else {
        out(&summary);
    }
    for error in &converted.errors {
        eprintln!("{}", Printable(error));
    }
    for reason in summary.refused() {
        eprintln!("{}", Printable(reason));
    }
    if converted.errors.is_empty() && summary.refused().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print(converted: &Converted) {
    for schema in &converted.schemas {
        out(&printable::json(&schema.text()));
    }
}

/// A line on stdout; whoever closed it early (`| head`) has seen enough.
fn out(line: &dyn Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn wrong(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("kafkaefd: {}", pipeline::chain(error));
    EXIT_USAGE.into()
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("kafkaefd: {}", pipeline::chain(error));
    ExitCode::FAILURE
}
