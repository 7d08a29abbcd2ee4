//! `kafkaefd groups`: the consumer groups of the cluster, how far behind they are, and moving or removing their offsets.

mod delete;
mod describe;
mod list;
mod reset;
mod reset_plan;

use clap::{Args, Subcommand};

use crate::exit::Done;
use crate::terminal::plural;
use operator::cluster::Group;
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
            Action::List(args) => args.run(),
            Action::Describe(args) => args.run(),
            Action::Reset(args) => args.run(),
            Action::Delete(args) => args.run().await,
        }
    }
}

/// What is said of a group whose coordinator does not say whether it has members.
const UNTOLD: &str =
    "its clients speak the newer group protocol (KIP-848), whose members cannot be listed from here";

/// Refuses to change what a group that is at work has committed: its members would go on where they are, and commit that.
fn refuse_active(group: &Group, what: &str) -> Result<(), Failure> {
    if !group.is_active() {
        return Ok(());
    }
    Err(Failure::Refused {
        what: format!("{what} {}", group.name),
        reason: who_is_in(group),
        hint: format!(
            "stop these clients, wait until `kafkaefd groups describe {}` says empty, and come back",
            group.name
        ),
    })
}

/// The members of a group in one sentence, with what they have.
fn who_is_in(group: &Group) -> String {
    /// More are counted only: one line has to be read.
    const NAMED: usize = 5;
    let mut parts: Vec<String> = group
        .members
        .iter()
        .take(NAMED)
        .map(|member| {
            let mut held: Vec<String> = member
                .partitions
                .iter()
                .take(NAMED)
                .map(|(topic, number)| format!("{topic}[{number}]"))
                .collect();
            if member.partitions.len() > NAMED {
                held.push("…".to_owned());
            }
            let held = if held.is_empty() {
                "no partitions".to_owned()
            } else {
                held.join(" ")
            };
            format!("{} at {} ({held})", member.client, member.host)
        })
        .collect();
    if group.members.len() > NAMED {
        parts.push(format!("{} more", group.members.len() - NAMED));
    }
    if parts.is_empty() {
        return format!("it is {}", group.state.word());
    }
    format!(
        "{} in it: {}",
        plural(group.members.len(), "client"),
        parts.join(", ")
    )
}
