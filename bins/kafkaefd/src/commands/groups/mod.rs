//! `kafkaefd groups`: shows the cluster's consumer groups and their lag, and moves or deletes their offsets.

mod delete;
mod describe;
mod list;
mod reset;

use clap::{Args, Subcommand};

use crate::exit::Done;
use operator::failure::Failure;

/// List and inspect consumer groups, and move or delete their offsets
#[derive(Args, Debug, Clone)]
#[command(
    visible_aliases = ["group", "consumer-groups"],
    after_help = "Example: kafkaefd groups list --broker localhost:9092"
)]
pub struct GroupsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    Describe(describe::DescribeArgs),
    #[command(visible_alias = "seek")]
    Reset(reset::ResetArgs),
    #[command(visible_alias = "rm")]
    Delete(delete::DeleteArgs),
}

impl GroupsCommand {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::List(args) => args.run().await,
            Action::Describe(args) => args.run().await,
            Action::Reset(args) => args.run().await,
            Action::Delete(args) => args.run().await,
        }
    }
}

/// Explains the state of a group whose coordinator does not answer the request for its members.
const MEMBERS_UNKNOWN: &str =
    "the group uses the newer group protocol (KIP-848), whose members this command cannot list";
