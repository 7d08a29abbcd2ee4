//! `kafkaefd admin topics`, or `kafkaefd topics`: lists, creates, deletes and configures topics, adds partitions, and shows offsets.

mod config;
mod create;
mod delete;
mod describe;
mod list;
mod offsets;
mod partition;

use clap::{Args, Subcommand};

use crate::exit::Done;
use operator::failure::Failure;

/// List, describe, create, delete and configure topics
#[derive(Args, Debug, Clone)]
#[command(visible_alias = "topic")]
pub struct TopicsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    Describe(describe::DescribeArgs),
    Create(create::CreateArgs),
    #[command(visible_alias = "rm")]
    Delete(delete::DeleteArgs),
    #[command(visible_alias = "add-partitions")]
    Partition(partition::PartitionArgs),
    Config(config::ConfigArgs),
    Offsets(offsets::OffsetsArgs),
}

impl TopicsCommand {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::List(args) => args.run().await,
            Action::Describe(args) => args.run().await,
            Action::Create(args) => args.run().await,
            Action::Delete(args) => args.run().await,
            Action::Partition(args) => args.run().await,
            Action::Config(args) => args.run().await,
            Action::Offsets(args) => args.run().await,
        }
    }
}
