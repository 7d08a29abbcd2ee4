//! `kafkaefd dead-letters`: what the stages could not carry, and its way back.
//!
//! ```text
//!  <group>.dead-letter ─▶ choice ─▶ letter ─┬▶ list, show
//!                                           └▶ plan ─▶ replay ─▶ the original topic
//!                                                          └───▶ <group>.dead-letter.replayed (marks)     in one transaction
//! ```

mod dead_letter;
mod lineage;
mod list;
mod original;
mod plan;
mod replay;
mod replay_log;
mod replay_transaction;
mod selection;
mod show;

use clap::{Args, Subcommand};

use crate::exit::Done;
use operator::failure::Failure;

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
            Action::List(args) => args.run(),
            Action::Show(args) => args.run().await,
            Action::Replay(args) => args.run().await,
        }
    }
}
