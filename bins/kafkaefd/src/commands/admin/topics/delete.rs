//! `admin topics delete`: says how much will be gone, asks, and deletes.

use clap::Args;
use stage::config::KafkaArgs;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, Outcome, count, plural};
use operator::cluster::Cluster;
use operator::failure::Failure;

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

impl DeleteArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
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
        let outcomes = Outcome::of_deletion("topic", answers);
        Ok(Outcome::print(&outcomes, self.answer)?)
    }
}
