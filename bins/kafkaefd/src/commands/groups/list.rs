//! `groups list`: one row for each group, with its total lag.

use clap::Args;
use stage::config::KafkaArgs;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, bar, faint, good, warn};
use operator::failure::Failure;
use operator::groups::{self, GroupState, GroupSummary};

/// List groups with their state, members, topics and total lag
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "The state \"untold\" means that the group uses the newer group protocol (KIP-848): this command cannot list \
                  its members, but it can list its offsets.\n\n\
                  Example: kafkaefd groups list --json"
)]
pub(super) struct ListArgs {
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl ListArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let bar = bar(0, "groups");
        let progress = bar.clone();
        let groups = ask(&self.kafka, move |cluster| {
            groups::list(cluster, |done, total| {
                progress.set_length(total);
                progress.set_position(done);
            })
        })
        .await;
        bar.finish_and_clear();
        let groups = groups?;
        self.answer.print(&groups, || {
            if groups.is_empty() {
                "there are no groups".to_owned()
            } else {
                table(&groups).to_string()
            }
        })?;
        Ok(Done::All)
    }
}

/// The state, coloured.
pub(super) fn shown(state: GroupState) -> String {
    match state {
        GroupState::Stable => good(state.word()),
        GroupState::Rebalancing => warn(state.word()),
        GroupState::Empty | GroupState::Untold => faint(state.word()),
    }
}

fn table(rows: &[GroupSummary]) -> Table {
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
