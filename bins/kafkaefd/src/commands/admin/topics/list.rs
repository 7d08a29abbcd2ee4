//! `admin topics list`: the cluster's topics, as a table or as a line of names for a shell.

use clap::Args;
use regex::Regex;
use stage::config::KafkaArgs;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, bad, note, out, plural};
use operator::failure::Failure;
use operator::topics::{self, TopicFilter, TopicSummary};

/// List topics
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n\n  kafkaefd admin topics list --filter '^lsst\\.sal\\.Test_'\n  \
                  kafkaefd admin topics delete $(kafkaefd admin topics list --inline --filter '^tmp')"
)]
pub(super) struct ListArgs {
    /// Include internal topics of Kafka, Kafka Connect and the registry, whose names begin with _
    #[arg(long)]
    all: bool,
    /// Only topics whose names match this regular expression anywhere
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
    /// Print only the names, on one line
    #[arg(long, conflicts_with = "json")]
    inline: bool,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl ListArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let filter = TopicFilter {
            internal: self.all,
            name: self.filter.clone(),
        };
        let rows = ask(&self.kafka, move |cluster| Ok(topics::list(cluster, &filter))).await?;
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

fn table(rows: &[TopicSummary]) -> Table {
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
