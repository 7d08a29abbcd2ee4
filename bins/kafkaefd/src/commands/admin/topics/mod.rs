//! `kafkaefd admin topics`: lists, creates, deletes and configures topics, adds partitions, and shows offsets.

mod config;
mod create;
mod delete;
mod list;
mod offsets;
mod partition;

use clap::{Args, Subcommand};

use crate::exit::Done;
use operator::failure::Failure;

/// List, create, delete and configure topics
#[derive(Args, Debug, Clone)]
pub(super) struct TopicsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    List(list::ListArgs),
    Create(create::CreateArgs),
    Delete(delete::DeleteArgs),
    Partition(partition::PartitionArgs),
    Config(config::ConfigArgs),
    Offsets(offsets::OffsetsArgs),
}

impl TopicsCommand {
    pub(super) async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::List(args) => args.run().await,
            Action::Create(args) => args.run().await,
            Action::Delete(args) => args.run().await,
            Action::Partition(args) => args.run().await,
            Action::Config(args) => args.run().await,
            Action::Offsets(args) => args.run().await,
        }
    }
}
