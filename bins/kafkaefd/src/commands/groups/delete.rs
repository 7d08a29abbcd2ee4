//! `groups delete`: reports which offsets will be lost, asks for confirmation, and deletes.

use clap::Args;
use stage::config::KafkaArgs;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, plural, print_outcomes};
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::groups;

/// Delete groups and their committed offsets
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "A group with members is not deleted. Consumers that use its name later start where their auto.offset.reset \
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
        let args = self.clone();
        ask(&self.kafka, move |cluster| args.delete(cluster)).await
    }

    fn delete(&self, cluster: &Cluster) -> Result<Done, Failure> {
        let forgotten = groups::forgotten(cluster, &self.groups)?;
        self.consent.ask(&format!(
            "delete {} ({}) with the offsets in {} of {} at {}",
            plural(self.groups.len(), "group"),
            self.groups.join(", "),
            plural(forgotten.partitions, "partition"),
            plural(forgotten.topics, "topic"),
            self.kafka.shown()
        ))?;
        let outcomes = groups::delete(cluster, &self.groups)?;
        Ok(print_outcomes(&outcomes, self.answer)?)
    }
}
