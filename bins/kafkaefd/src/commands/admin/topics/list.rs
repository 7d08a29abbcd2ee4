//! `admin topics list`: the cluster's topics, as a table or as names for a shell.

use clap::Args;
use regex::Regex;
use serde::Serialize;
use stage::config::KafkaArgs;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, bad, note, out, plural};
use operator::cluster::Topic;
use operator::failure::Failure;

/// List topics
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n\n  kafkaefd admin topics list --filter '^lsst\\.sal\\.Test_'\n  \
                  kafkaefd admin topics delete $(kafkaefd admin topics list --inline --filter '^tmp')"
)]
pub(super) struct ListArgs {
    /// Also topics that Kafka, Connect and the registry made for themselves (their names begin with _)
    #[arg(long)]
    all: bool,
    /// Only topics whose name matches the regular expression, anywhere in it
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
    /// Only the names, on one line
    #[arg(long, conflicts_with = "json")]
    inline: bool,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Serialize)]
struct Row {
    topic: String,
    partitions: usize,
    replication: usize,
    /// Partitions with a copy that is behind.
    behind: usize,
    /// Partitions that nobody leads.
    leaderless: usize,
}

impl ListArgs {
    pub(super) fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
        let rows: Vec<Row> = cluster
            .topics
            .iter()
            .filter(|topic| self.all || !topic.is_internal())
            .filter(|topic| {
                self.filter
                    .as_ref()
                    .is_none_or(|filter| filter.is_match(&topic.name))
            })
            .map(Row::of)
            .collect();
        if self.inline {
            let names: Vec<&str> = rows.iter().map(|row| row.topic.as_str()).collect();
            out(&names.join(" "))?;
            return Ok(Done::All);
        }
        self.answer.print(&rows, || table(&rows))?;
        if !self.answer.json {
            note(&plural(rows.len(), "topic"));
        }
        Ok(Done::All)
    }
}

impl Row {
    fn of(topic: &Topic) -> Self {
        let partitions = topic.partitions.iter();
        Self {
            topic: topic.name.clone(),
            partitions: topic.partitions.len(),
            replication: topic.replication(),
            behind: partitions
                .clone()
                .filter(|partition| partition.in_sync.len() < partition.replicas.len())
                .count(),
            leaderless: partitions.filter(|partition| partition.leader < 0).count(),
        }
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(["TOPIC", "PARTITIONS", "REPLICATION", "STATE"]);
    for row in rows {
        let state = match (row.leaderless, row.behind) {
            (0, 0) => "ok".to_owned(),
            (0, behind) => bad(format!("{} behind", plural(behind, "partition"))),
            (leaderless, _) => bad(format!("{} without a leader", plural(leaderless, "partition"))),
        };
        table.row([
            Cell::text(&row.topic),
            Cell::count(row.partitions as i128),
            Cell::count(row.replication as i128),
            Cell::styled(state),
        ]);
    }
    table
}
