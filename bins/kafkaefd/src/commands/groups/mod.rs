//! `kafkaefd groups`: the consumer groups of the cluster, how far behind they are, and moving or removing their offsets.

mod delete;
mod describe;
mod list;
mod reset;

use clap::{Args, Subcommand};

use crate::exit::Done;
use operator::failure::Failure;

/// Consumer groups: list, lag, and moving or removing their offsets
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd groups list --broker localhost:9092")]
pub struct GroupsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    List(list::ListArgs),
    Describe(describe::DescribeArgs),
    Reset(reset::ResetArgs),
    Delete(delete::DeleteArgs),
}

impl GroupsCommand {
    /// Runs the command.
    pub async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::List(args) => args.run().await,
            Action::Describe(args) => args.run().await,
            Action::Reset(args) => args.run().await,
            Action::Delete(args) => args.run().await,
        }
    }
}

/// What is said of a group whose coordinator does not say whether it has members.
const UNTOLD: &str =
    "its clients speak the newer group protocol (KIP-848), whose members cannot be listed from here";
