//! `kafkaefd registry`: subjects of the schema registry, their versions and their compatibility levels.

mod compat;
mod delete;
mod list;
mod schema_file;
mod show;
mod test;
mod upload;

use clap::{Args, Subcommand};
use stage::config::RegistryArgs;
use stage::registry::Registry;

use crate::exit::Done;
use operator::failure::Failure;

/// Manage subjects, versions and compatibility levels of the schema registry
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
    pub(crate) async fn run(self) -> Result<Done, Failure> {
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
