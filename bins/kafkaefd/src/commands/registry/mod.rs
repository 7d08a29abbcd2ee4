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
#[command(visible_aliases = ["schema", "subjects"])]
pub struct RegistryCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    #[command(visible_aliases = ["get", "describe"])]
    Show(show::ShowArgs),
    #[command(visible_aliases = ["check", "check-compatibility"])]
    Test(test::TestArgs),
    #[command(visible_aliases = ["create", "register"])]
    Upload(upload::UploadArgs),
    #[command(visible_alias = "rm")]
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
