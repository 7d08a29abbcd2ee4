//! `kafkaefd salschema`: converts SAL interface files to Avro schemas, and compares releases.
//!
//! ```text
//! args ─▶ source (directory or github) ─▶ read ─▶ write | upload | print ─▶ summary ─▶ errors, on stderr
//!                                         read ─▶ diff
//! ```

mod args;
mod diff;
mod github;
mod read;
mod source;
mod summary;
mod upload;
mod write;

pub use args::{ConvertArgs, SalschemaCommand};
pub use diff::DiffArgs;
pub use github::GithubArgs;

use args::{Action, Target};
use read::Converted;
use source::Source;
use stage::sanitize::{self, Printable};
use summary::Summary;

use crate::exit::Done;
use crate::terminal::{note, out};
use operator::failure::Failure;

impl SalschemaCommand {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::Convert(args) => convert(&args).await,
            Action::Diff(args) => args.run().await,
        }
    }
}

async fn source(args: &ConvertArgs) -> Result<Source, Failure> {
    if args.github.xml_repo.is_some() {
        let reference = [args.xml_repo_ref.as_deref()];
        if let Some(source) = Source::of_repository(&args.github, &reference).await?.pop() {
            note(&Printable(&source.name));
            return Ok(source);
        }
    }
    match &args.interfaces.dir {
        Some(dir) => Source::of_dir(dir, "--interfaces"),
        None => Err(Failure::Usage(
            "--interfaces DIR or --xml-repo ORG/REPO is required to find the interface files".to_owned(),
        )),
    }
}

async fn convert(args: &ConvertArgs) -> Result<Done, Failure> {
    let source = source(args).await?;
    let converted = read::read(&source, &args.options());
    converted.check_subsystems(&source)?;
    let mut summary = Summary::of(args.dialect, &converted);
    if args.github.xml_repo.is_some() {
        summary.read_from(&source.name);
    }
    match args.target() {
        Target::Summary => {}
        Target::Print if args.json => summary.print_schemas(&converted.schemas),
        Target::Print => print(&converted)?,
        Target::Write(dir) => match write::write(dir, &converted.schemas) {
            Ok(()) => summary.wrote(dir),
            Err(error) => return Err(Failure::Usage(stage::chain(&error))),
        },
        Target::Upload(registry) => match upload::upload(registry, &converted.schemas, args.rules()).await {
            Ok(uploaded) => summary.uploaded(&registry.schema_registry.to_string(), uploaded),
            Err(upload::UploadError::Setup(error)) => return Err(error.into()),
            Err(upload::UploadError::Registry(error)) => {
                note(&"the upload stopped; uploaded schemas remain, and another run continues");
                return Err(error.into());
            }
            Err(error) => return Ok(failed(&error)),
        },
    }
    // With --print, stdout contains only schemas.
    if args.json {
        out(&sanitize::json(&summary.json().to_string()))?;
    } else if matches!(args.target(), Target::Print) {
        stage::stderr_line!("{summary}");
    } else {
        out(&summary)?;
    }
    if let Some(said) = converted.left_aside(&args.options()).filter(|_| !args.json) {
        note(&Printable(said));
    }
    for error in &converted.errors {
        stage::stderr_line!("{}", Printable(error));
    }
    for reason in summary.refused() {
        stage::stderr_line!("{}", Printable(reason));
    }
    Ok(if converted.errors.is_empty() && summary.refused().is_empty() {
        Done::All
    } else {
        Done::Partly
    })
}

fn print(converted: &Converted) -> Result<(), Failure> {
    for schema in &converted.schemas {
        out(&sanitize::json(&schema.text()))?;
    }
    Ok(())
}

fn failed(error: &dyn std::error::Error) -> Done {
    stage::stderr_line!("kafkaefd: {}", stage::chain(error));
    Done::Partly
}
