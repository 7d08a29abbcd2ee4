//! `admin topics describe`: a topic's partitions, with their brokers and offsets, and its settings.

use std::fmt::Write;

use clap::Args;
use stage::config::KafkaArgs;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, bad, plural, strong};
use operator::failure::Failure;
use operator::topics::{self, PartitionDescription, TopicDescription};

/// Show a topic's partitions, the brokers that have them, their offsets, and the topic's own settings
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd admin topics describe lsst.sal.Test_scalars")]
pub(super) struct DescribeArgs {
    /// Name of the topic
    #[arg(value_name = "TOPIC")]
    name: String,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl DescribeArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let name = self.name.clone();
        let answer = ask(&self.kafka, move |cluster| topics::describe(cluster, &name)).await?;
        self.answer.print(&answer, || shown(&answer))?;
        Ok(Done::All)
    }
}

fn shown(answer: &TopicDescription) -> String {
    let mut text = format!(
        "{}: {}, {} of each, {}\n\n{}",
        strong(stage::Printable(&answer.topic)),
        plural(answer.partitions.len(), "partition"),
        plural(answer.replication, "replica"),
        plural(answer.total.unsigned_abs(), "message"),
        table(&answer.partitions)
    );
    if !answer.settings.is_empty() {
        text.push('\n');
    }
    for setting in &answer.settings {
        let value = setting.value.as_deref().unwrap_or("(hidden)");
        let pair = format!("{}={value}", setting.key);
        let _ = write!(text, "\n{}", stage::Printable(pair));
    }
    text
}

fn table(rows: &[PartitionDescription]) -> Table {
    let mut table = Table::new(["PARTITION", "LEADER", "REPLICAS", "IN SYNC", "OLDEST", "NEWEST"]);
    let offset = |offset: Option<i64>| offset.map_or_else(|| Cell::right("?"), Cell::count);
    for row in rows {
        let in_sync = brokers(&row.in_sync);
        table.row([
            Cell::right(row.partition),
            match row.leader {
                Some(leader) => Cell::right(leader),
                None => Cell::right(bad("none")),
            },
            Cell::text(brokers(&row.replicas)),
            if row.in_sync.len() < row.replicas.len() {
                Cell::styled(bad(in_sync))
            } else {
                Cell::text(in_sync)
            },
            offset(row.oldest),
            offset(row.newest),
        ]);
    }
    table
}

fn brokers(ids: &[i32]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.join(",")
}
