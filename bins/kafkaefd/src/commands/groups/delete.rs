//! `groups delete`: says which offsets will be forgotten, asks, and deletes.

use std::collections::BTreeSet;

use clap::Args;
use stage::config::KafkaArgs;

use super::refuse_active;
use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, Outcome, plural};
use operator::cluster::Cluster;
use operator::failure::Failure;

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

impl DeleteArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
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
        let outcomes = Outcome::of_deletion("group", answers);
        Ok(Outcome::print(&outcomes, self.answer)?)
    }
}
