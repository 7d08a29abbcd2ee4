//! `kafkaefd admin brokers`: the brokers of the cluster, the partitions that each leads, and the controller.

use clap::Args;
use stage::config::KafkaArgs;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, bad, good};
use operator::brokers::{self, BrokerSummary};
use operator::failure::Failure;

/// List the cluster's brokers, and which of them is the controller
#[derive(Args, Debug, Clone)]
#[command(
    visible_alias = "nodes",
    after_help = "Example: kafkaefd admin brokers --broker localhost:9092"
)]
pub struct BrokersArgs {
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl BrokersArgs {
    pub(crate) async fn run(&self) -> Result<Done, Failure> {
        let rows = ask(&self.kafka, brokers::list).await?;
        self.answer.print(&rows, || table(&rows))?;
        Ok(Done::All)
    }
}

fn table(rows: &[BrokerSummary]) -> Table {
    let mut table = Table::new(["ID", "ADDRESS", "LEADS", "REPLICAS", "BEHIND", "CONTROLLER"]);
    for row in rows {
        let behind = if row.behind == 0 {
            Cell::count(0)
        } else {
            Cell::right(bad(row.behind))
        };
        table.row([
            Cell::right(row.id),
            Cell::text(format!("{}:{}", row.host, row.port)),
            Cell::count(row.leads as i128),
            Cell::count(row.replicas as i128),
            behind,
            Cell::styled(if row.controller {
                good("yes")
            } else {
                String::new()
            }),
        ]);
    }
    table
}
