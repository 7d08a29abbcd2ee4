//! `kafkaefd registry`: subjects of the schema registry, their versions and what may follow them.

mod compat;
mod delete;
mod list;
mod schema_file;
mod show;
mod test;
mod upload;

use clap::{Args, Subcommand};
use stage::config::RegistryArgs;
use stage::registry::{Registry, RegistryError};

use crate::exit::Done;
use operator::failure::{Failure, nearest};

/// The command that lists what [`known`] looks among.
const LIST: &str = "kafkaefd registry list";

/// Subjects, versions and compatibility levels of the schema registry
#[derive(Args, Debug, Clone)]
pub struct RegistryCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Test(test::TestArgs),
    Upload(upload::UploadArgs),
    Delete(delete::DeleteArgs),
    Compat(compat::CompatArgs),
}

impl RegistryCommand {
    /// Runs the command.
    pub async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::List(args) => args.run().await,
            Action::Show(args) => args.run().await,
            Action::Test(args) => args.run().await,
            Action::Upload(args) => args.run().await,
            Action::Delete(args) => args.run().await,
            Action::Compat(args) => args.run().await,
        }
    }
}

fn client(args: &RegistryArgs) -> Result<Registry, Failure> {
    Ok(Registry::new(args)?)
}

/// What the registry says of a subject; where it knows none of that name, the names that are nearest to it.
async fn known<T>(
    registry: &Registry,
    subject: &str,
    answer: impl Future<Output = Result<T, RegistryError>>,
) -> Result<T, Failure> {
    match answer.await {
        Err(RegistryError::Missing { what }) => Err(missing(registry, subject, what).await?),
        answer => Ok(answer?),
    }
}

async fn missing(registry: &Registry, subject: &str, what: String) -> Result<Failure, RegistryError> {
    let subjects = registry.subjects().await?;
    if !subjects.iter().any(|found| found == subject) {
        return Ok(Failure::Unknown {
            kind: "subject",
            name: subject.to_owned(),
            nearest: nearest(subject, subjects.iter().map(String::as_str)),
            list: LIST,
        });
    }
    let versions = registry.versions(subject, false).await?;
    Ok(no_such_version(subject, &what, &versions))
}

fn no_such_version(subject: &str, what: &str, versions: &[u32]) -> Failure {
    let versions: Vec<String> = versions.iter().map(u32::to_string).collect();
    Failure::Refused {
        what: what.to_owned(),
        reason: "there is no such version".to_owned(),
        hint: format!("a version that {subject} has: {}", versions.join(", ")),
    }
}
