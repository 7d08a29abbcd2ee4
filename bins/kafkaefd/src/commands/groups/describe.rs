//! `groups describe`: where a group is in each partition, who reads it there, and who has nothing to do.

use clap::Args;
use serde::Serialize;
use stage::config::KafkaArgs;

use super::UNTOLD;
use super::list::shown;
use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, count, faint, plural, strong, warn};
use operator::cluster::{Group, GroupState, Member, Position};
use operator::failure::Failure;

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

#[derive(Serialize)]
struct Answer {
    group: String,
    state: GroupState,
    protocol_type: String,
    assignor: String,
    lag: i64,
    partitions: Vec<PartitionRow>,
    /// Null where it cannot be told.
    members: Option<Vec<MemberRow>>,
}

#[derive(Serialize)]
struct PartitionRow {
    topic: String,
    partition: i32,
    committed: Option<i64>,
    oldest: i64,
    newest: i64,
    lag: Option<i64>,
    /// Who reads it now.
    member: Option<String>,
    client: Option<String>,
    host: Option<String>,
}

#[derive(Serialize)]
struct MemberRow {
    id: String,
    client: String,
    host: String,
    topics: Vec<String>,
    partitions: usize,
}

impl DescribeArgs {
    pub(super) fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
        let group = cluster.group(&self.group)?;
        let positions = cluster.positions(std::slice::from_ref(&group), || ())?;
        let answer = Answer::new(&group, positions.into_iter().flatten().collect());
        self.answer.print(&answer, || people(&answer))?;
        Ok(Done::All)
    }
}

impl Answer {
    fn new(group: &Group, positions: Vec<Position>) -> Self {
        let told = group.state != GroupState::Untold;
        Self {
            group: group.name.clone(),
            state: group.state,
            protocol_type: group.protocol_type.clone(),
            assignor: group.assignor.clone(),
            lag: positions.iter().filter_map(Position::lag).sum(),
            partitions: positions
                .into_iter()
                .map(|position| PartitionRow::new(group, position))
                .collect(),
            members: told.then(|| group.members.iter().map(MemberRow::new).collect()),
        }
    }
}

impl PartitionRow {
    fn new(group: &Group, position: Position) -> Self {
        let reader = group.members.iter().find(|member| {
            let mut held = member.partitions.iter();
            held.any(|(topic, number)| *topic == position.topic && *number == position.partition)
        });
        Self {
            lag: position.lag(),
            committed: position.committed,
            oldest: position.oldest,
            newest: position.newest,
            member: reader.map(|member| member.id.clone()),
            client: reader.map(|member| member.client.clone()),
            host: reader.map(|member| member.host.clone()),
            partition: position.partition,
            topic: position.topic,
        }
    }
}

impl MemberRow {
    fn new(member: &Member) -> Self {
        Self {
            id: member.id.clone(),
            client: member.client.clone(),
            host: member.host.clone(),
            topics: member.topics.clone(),
            partitions: member.partitions.len(),
        }
    }
}

fn people(answer: &Answer) -> String {
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
        lines.push(faint(UNTOLD));
    }
    lines.push(String::new());
    if answer.partitions.is_empty() {
        lines.push("nothing is committed and no partition is assigned".to_owned());
    } else {
        lines.push(partitions(&answer.partitions).to_string());
    }
    let idle: Vec<&MemberRow> = answer
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

fn partitions(rows: &[PartitionRow]) -> Table {
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

fn members(rows: &[&MemberRow]) -> Table {
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
