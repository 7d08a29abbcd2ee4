//! `admin topics offsets`: the oldest and newest offset of each partition, and the count between them.

use clap::Args;
use stage::config::KafkaArgs;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, count, strong};
use operator::failure::Failure;
use operator::topics::{self, TopicOffsets};

/// Show the oldest offset, newest offset and count of each partition, and the total count
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "The counts are of offsets: compacted and transactional topics hold fewer messages.\n\n\
                  Example: kafkaefd admin topics offsets lsst.sal.Test_scalars"
)]
pub(super) struct OffsetsArgs {
    /// Name of the topic
    #[arg(value_name = "TOPIC")]
    name: String,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl OffsetsArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let name = self.name.clone();
        let answer = ask(&self.kafka, move |cluster| topics::offsets(cluster, &name)).await?;
        self.answer.print(&answer, || table(&answer))?;
        Ok(Done::All)
    }
}

fn table(answer: &TopicOffsets) -> Table {
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
