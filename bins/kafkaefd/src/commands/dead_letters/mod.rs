//! `kafkaefd dead-letters`: lists and shows what [`operator::dead_letters`] finds, and replays it once somebody agrees.

mod list;
mod replay;
mod selection;
mod show;

use clap::{Args, Subcommand};
use operator::failure::Failure;

use crate::exit::Done;

/// What the stages could not carry: count it, look at it, put it back
#[derive(Args, Debug, Clone)]
pub struct DeadLettersCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    List(list::ListArgs),
    Show(Box<show::ShowArgs>),
    Replay(replay::ReplayArgs),
}

impl DeadLettersCommand {
    /// Runs the command.
    pub async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::List(args) => args.run().await,
            Action::Show(args) => args.run().await,
            Action::Replay(args) => args.run().await,
        }
    }
}
