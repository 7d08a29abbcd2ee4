//! `admin topics offsets`: oldest and newest offset of each partition, and how many messages lie between.

use clap::Args;
use serde::Serialize;
use stage::config::KafkaArgs;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, count, strong};
use operator::cluster::PartitionOffsets;
use operator::failure::Failure;

/// Show oldest and newest offset and the count of each partition, and in total
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Counts are of offsets: compacted and transactional topics hold fewer messages.\n\n\
                  Example: kafkaefd admin topics offsets lsst.sal.Test_scalars"
)]
pub(super) struct OffsetsArgs {
    /// Name of the topic
    name: String,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Serialize)]
struct Answer<'a> {
    topic: &'a str,
    total: i64,
    partitions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    offsets: PartitionOffsets,
    count: i64,
}

impl OffsetsArgs {
    pub(super) fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
        let partitions: Vec<Row> = cluster
            .offsets(cluster.topic(&self.name)?)?
            .into_iter()
            .map(|offsets| Row {
                count: offsets.count(),
                offsets,
            })
            .collect();
        let answer = Answer {
            topic: &self.name,
            total: partitions.iter().map(|row| row.count).sum(),
            partitions,
        };
        self.answer.print(&answer, || table(&answer))?;
        Ok(Done::All)
    }
}

fn table(answer: &Answer<'_>) -> Table {
    let mut table = Table::new(["PARTITION", "OLDEST", "NEWEST", "COUNT"]);
    for row in &answer.partitions {
        table.row([
            Cell::right(row.offsets.partition),
            Cell::count(row.offsets.oldest),
            Cell::count(row.offsets.newest),
            Cell::count(row.count),
        ]);
    }
    table.row([
        Cell::styled(strong("total")),
        Cell::text(""),
        Cell::text(""),
        Cell::right(strong(count(answer.total))),
    ]);
    table
}
