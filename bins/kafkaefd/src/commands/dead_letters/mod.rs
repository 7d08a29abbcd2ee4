//! `kafkaefd dead-letters`: lists, shows and, once confirmed, replays what [`operator::dead_letters`] finds.

mod list;
mod replay;
mod selection;
mod show;

use clap::{Args, Subcommand};
use operator::failure::Failure;

use crate::exit::Done;

/// Count, inspect and replay messages that the stages could not process
#[derive(Args, Debug, Clone)]
#[command(visible_alias = "dlq")]
pub struct DeadLettersCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    #[command(visible_alias = "describe")]
    Show(Box<show::ShowArgs>),
    Replay(replay::ReplayArgs),
}

impl DeadLettersCommand {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::List(args) => args.run().await,
            Action::Show(args) => args.run().await,
            Action::Replay(args) => args.run().await,
        }
    }
}
