//! `kafkaefd admin brokers`: who is in the cluster, what each leads, and which is the controller.

use clap::Args;
use serde::Serialize;
use stage::config::KafkaArgs;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Cell, Table, bad, good};
use operator::failure::Failure;

/// List the cluster's brokers, and which of them is the controller
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd admin brokers --broker localhost:9092")]
pub(super) struct BrokersArgs {
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Serialize)]
struct Row {
    id: i32,
    host: String,
    port: i32,
    controller: bool,
    /// Partitions that it leads.
    leads: usize,
    /// Partitions of which it has a copy.
    replicas: usize,
    /// Copies that are not complete now.
    behind: usize,
}

impl BrokersArgs {
    pub(super) fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
        let controller = cluster.controller()?;
        let rows: Vec<Row> = cluster
            .brokers
            .iter()
            .map(|broker| {
                let partitions = || cluster.topics.iter().flat_map(|topic| &topic.partitions);
                let mine = || partitions().filter(|partition| partition.replicas.contains(&broker.id));
                Row {
                    id: broker.id,
                    host: broker.host.clone(),
                    port: broker.port,
                    controller: controller == Some(broker.id),
                    leads: partitions()
                        .filter(|partition| partition.leader == broker.id)
                        .count(),
                    replicas: mine().count(),
                    behind: mine()
                        .filter(|partition| !partition.in_sync.contains(&broker.id))
                        .count(),
                }
            })
            .collect();
        self.answer.print(&rows, || table(&rows))?;
        Ok(Done::All)
    }
}

fn table(rows: &[Row]) -> Table {
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
