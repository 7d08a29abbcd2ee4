//! `admin topics partition`: adds partitions to a topic. Kafka cannot remove partitions, and keys move to other ones.

use clap::Args;
use stage::config::KafkaArgs;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent};
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::topics;

/// Add partitions to a topic
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "New messages of a key may go to another partition than earlier ones, and order is kept only within a partition.\n\n\
                  Example: kafkaefd admin topics partition mytopic 6 --dry-run"
)]
pub(super) struct PartitionArgs {
    /// Name of the topic
    #[arg(value_name = "TOPIC")]
    name: String,
    /// New number of partitions
    #[arg(value_name = "COUNT")]
    count: usize,
    /// Let the brokers check the request without changing anything
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl PartitionArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let args = self.clone();
        ask(&self.kafka, move |cluster| args.widen(cluster)).await
    }

    fn widen(&self, cluster: &Cluster) -> Result<Done, Failure> {
        let widening = topics::plan_partitions(cluster, &self.name, self.count)?;
        let what = widening.summary();
        if !self.dry_run {
            self.consent.ask(&format!(
                "increase {what} at {}; this cannot be undone",
                self.kafka.shown()
            ))?;
        }
        let widened = topics::add_partitions(cluster, widening, self.dry_run)?;
        self.answer.print(&widened, || {
            if self.dry_run {
                format!("would increase {what}; nothing was changed")
            } else {
                format!("increased {what}")
            }
        })?;
        Ok(Done::All)
    }
}
