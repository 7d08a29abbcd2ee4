//! `groups describe`: a group's position and consumer in each partition, and its members without partitions.

use clap::Args;
use stage::config::KafkaArgs;

use super::MEMBERS_UNKNOWN;
use super::list::shown;
use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, count, faint, plural, strong, warn};
use operator::failure::Failure;
use operator::groups::{self, GroupDescription, MemberSummary, PartitionPosition};

/// Show a group's offsets and lag in each partition, and its members
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd groups describe saltransform")]
pub(super) struct DescribeArgs {
    /// Name of the group
    group: String,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl DescribeArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let group = self.group.clone();
        let answer = ask(&self.kafka, move |cluster| groups::describe(cluster, &group)).await?;
        self.answer.print(&answer, || text(&answer))?;
        Ok(Done::All)
    }
}

fn text(answer: &GroupDescription) -> String {
    let mut parts = vec![shown(answer.state)];
    if let Some(members) = &answer.members {
        parts.push(plural(members.len(), "member"));
    }
    if !answer.assignor.is_empty() {
        parts.push(format!("assignor {}", stage::Printable(&answer.assignor)));
    }
    parts.push(format!("lag {}", count(answer.lag)));
    let mut lines = vec![format!(
        "{}  {}",
        strong(stage::Printable(&answer.group)),
        parts.join(", ")
    )];
    if answer.members.is_none() {
        lines.push(faint(MEMBERS_UNKNOWN));
    }
    lines.push(String::new());
    if answer.partitions.is_empty() {
        lines.push("no offsets are committed and no partitions are assigned".to_owned());
    } else {
        lines.push(partitions(&answer.partitions).to_string());
    }
    let idle: Vec<&MemberSummary> = answer
        .members
        .iter()
        .flatten()
        .filter(|member| member.partitions == 0)
        .collect();
    if !idle.is_empty() {
        lines.push(String::new());
        lines.push(warn(format!(
            "{} without partitions",
            plural(idle.len(), "member")
        )));
        lines.push(members(&idle).to_string());
    }
    lines.join("\n")
}

fn partitions(rows: &[PartitionPosition]) -> Table {
    let mut table = Table::new([
        "TOPIC",
        "PARTITION",
        "COMMITTED",
        "END",
        "LAG",
        "CLIENT",
        "HOST",
        "MEMBER",
    ]);
    let number = |number: Option<i64>| match number {
        Some(number) => Cell::count(number),
        None => Cell::right("-"),
    };
    for row in rows {
        table.row([
            Cell::text(&row.topic),
            Cell::right(row.partition),
            number(row.committed),
            Cell::count(row.newest),
            number(row.lag),
            Cell::text(row.client.as_deref().unwrap_or("-")),
            Cell::text(row.host.as_deref().unwrap_or("-")),
            Cell::text(row.member.as_deref().unwrap_or("-")),
        ]);
    }
    table
}

fn members(rows: &[&MemberSummary]) -> Table {
    let mut table = Table::new(["CLIENT", "HOST", "SUBSCRIBED TO", "MEMBER"]);
    for row in rows {
        table.row([
            Cell::text(&row.client),
            Cell::text(&row.host),
            Cell::text(row.topics.join(" ")),
            Cell::text(&row.id),
        ]);
    }
    table
}
