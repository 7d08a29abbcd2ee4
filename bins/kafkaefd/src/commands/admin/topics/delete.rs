//! `admin topics delete`: reports how many messages will be deleted, asks for confirmation, and deletes.

use clap::Args;
use stage::config::KafkaArgs;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, plural, print_outcomes};
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::topics;

/// Delete topics and all their messages
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd admin topics delete mytopic --yes")]
pub(super) struct DeleteArgs {
    /// Names of the topics
    #[arg(required = true, value_name = "TOPIC")]
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
        let args = self.clone();
        ask(&self.kafka, move |cluster| args.delete(cluster)).await
    }

    fn delete(&self, cluster: &Cluster) -> Result<Done, Failure> {
        let messages = topics::message_count(cluster, &self.names)?;
        self.consent.ask(&format!(
            "delete {} ({}) with {} at {}",
            plural(self.names.len(), "topic"),
            self.names.join(", "),
            plural(messages, "message"),
            self.kafka.shown()
        ))?;
        let outcomes = topics::delete(cluster, &self.names)?;
        Ok(print_outcomes(&outcomes, self.answer)?)
    }
}
