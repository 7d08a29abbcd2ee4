//! `admin topics delete`: says how much will be gone, asks, and deletes.

use clap::Args;
use pipeline::config::KafkaArgs;
use serde::Serialize;

use crate::cluster::Cluster;
use crate::failure::{Done, Failure, words};
use crate::screen::{AnswerArgs, Cell, Consent, Table, bad, count, good, plural};

/// Delete topics and all that is in them
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd admin topics delete mytopic --yes")]
pub(super) struct DeleteArgs {
    /// Names of the topics
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Serialize)]
struct Row {
    topic: String,
    deleted: bool,
    reason: Option<String>,
}

impl DeleteArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let cluster = Cluster::reach(&self.kafka)?;
        let mut messages = 0;
        for name in &self.names {
            let offsets = cluster.offsets(cluster.topic(name)?)?;
            messages += offsets.iter().map(|partition| partition.count()).sum::<i64>();
        }
        self.consent.ask(&format!(
            "delete {} ({}) with {} messages at {}",
            plural(self.names.len(), "topic"),
            self.names.join(", "),
            count(messages),
            self.kafka.broker
        ))?;
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let answers = cluster
            .admin()?
            .delete_topics(&names, &Cluster::admin_options())
            .await
            .map_err(Failure::kafka("deleting topics"))?;
        let rows: Vec<Row> = answers
            .into_iter()
            .map(|answer| match answer {
                Ok(topic) => Row {
                    topic,
                    deleted: true,
                    reason: None,
                },
                Err((topic, code)) => Row {
                    topic,
                    deleted: false,
                    reason: Some(words(code)),
                },
            })
            .collect();
        self.answer.print(&rows, || table(&rows));
        Ok(if rows.iter().all(|row| row.deleted) {
            Done::All
        } else {
            Done::Partly
        })
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(["TOPIC", "RESULT"]);
    for row in rows {
        let result = match &row.reason {
            None => good("deleted"),
            Some(reason) => bad(format!("refused: {reason}")),
        };
        table.row([Cell::text(&row.topic), Cell::styled(result)]);
    }
    table
}
