//! `groups list`: every group in a line, with the messages that it has yet to read.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use stage::config::KafkaArgs;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, bar, faint, good, warn};
use operator::cluster::{Group, GroupState, Position};
use operator::failure::Failure;

/// List the groups: state, members, topics and total lag
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "A group that is \"untold\" speaks the newer group protocol (KIP-848): its members cannot be listed from \
                  here, its offsets can.\n\n\
                  Example: kafkaefd groups list --json"
)]
pub(super) struct ListArgs {
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Serialize)]
struct Row {
    group: String,
    state: GroupState,
    protocol_type: String,
    /// Null where it cannot be told.
    members: Option<usize>,
    topics: BTreeSet<String>,
    lag: i64,
}

impl ListArgs {
    pub(super) fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
        let groups = cluster.groups()?;
        let progress = bar(groups.len() as u64, "groups");
        let positions = cluster.positions(&groups, || progress.inc(1));
        progress.finish_and_clear();
        let rows: Vec<Row> = groups
            .into_iter()
            .zip(positions?)
            .map(|(group, positions)| Row::new(group, &positions))
            .collect();
        self.answer.print(&rows, || {
            if rows.is_empty() {
                "there are no groups".to_owned()
            } else {
                table(&rows).to_string()
            }
        })?;
        Ok(Done::All)
    }
}

impl Row {
    fn new(group: Group, positions: &[Position]) -> Self {
        Self {
            state: group.state,
            protocol_type: group.protocol_type,
            members: (group.state != GroupState::Untold).then_some(group.members.len()),
            topics: positions.iter().map(|position| position.topic.clone()).collect(),
            lag: positions.iter().filter_map(Position::lag).sum(),
            group: group.name,
        }
    }
}

/// A state in its colour.
pub(super) fn shown(state: GroupState) -> String {
    match state {
        GroupState::Stable => good(state.word()),
        GroupState::Rebalancing => warn(state.word()),
        GroupState::Empty | GroupState::Untold => faint(state.word()),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(["GROUP", "STATE", "TYPE", "MEMBERS", "TOPICS", "LAG"]);
    for row in rows {
        table.row([
            Cell::text(&row.group),
            Cell::styled(shown(row.state)),
            Cell::text(&row.protocol_type),
            match row.members {
                Some(members) => Cell::count(members as i128),
                None => Cell::right("?"),
            },
            Cell::count(row.topics.len() as i128),
            Cell::count(row.lag),
        ]);
    }
    table
}
