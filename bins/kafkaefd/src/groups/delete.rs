//! `groups delete`: says which offsets will be forgotten, asks, and deletes.

use std::collections::BTreeSet;

use clap::Args;
use pipeline::config::KafkaArgs;
use serde::Serialize;

use super::refuse_active;
use crate::cluster::Cluster;
use crate::failure::{Done, Failure};
use crate::screen::{AnswerArgs, Cell, Consent, Table, bad, good, plural};

/// Delete groups and the offsets that they have committed
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "A group with members is not deleted. Whoever comes back under its name begins where its auto.offset.reset \
                  says.\n\n\
                  Example: kafkaefd groups delete mygroup --yes"
)]
pub(super) struct DeleteArgs {
    /// Names of the groups
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

#[derive(Serialize)]
struct Row {
    group: String,
    deleted: bool,
    reason: Option<String>,
}

impl DeleteArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let cluster = Cluster::reach(&self.kafka)?;
        let mut partitions = 0;
        let mut topics = BTreeSet::new();
        for name in &self.groups {
            refuse_active(&cluster.group(name)?, "deleting")?;
            let committed = cluster.committed(name)?;
            partitions += committed.len();
            topics.extend(committed.into_keys().map(|(topic, _)| topic));
        }
        self.consent.ask(&format!(
            "delete {} ({}) with the offsets in {} of {} at {}",
            plural(self.groups.len(), "group"),
            self.groups.join(", "),
            plural(partitions, "partition"),
            plural(topics.len(), "topic"),
            self.kafka.broker
        ))?;
        let names: Vec<&str> = self.groups.iter().map(String::as_str).collect();
        let answers = cluster
            .admin()?
            .delete_groups(&names, &Cluster::admin_options())
            .await
            .map_err(Failure::kafka("deleting groups"))?;
        let rows: Vec<Row> = answers
            .into_iter()
            .map(|answer| match answer {
                Ok(group) => Row {
                    group,
                    deleted: true,
                    reason: None,
                },
                Err((group, code)) => Row {
                    group,
                    deleted: false,
                    reason: Some(code.to_string()),
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
    let mut table = Table::new(["GROUP", "RESULT"]);
    for row in rows {
        let result = match &row.reason {
            None => good("deleted"),
            Some(reason) => bad(format!("refused: {reason}")),
        };
        table.row([Cell::text(&row.group), Cell::styled(result)]);
    }
    table
}
