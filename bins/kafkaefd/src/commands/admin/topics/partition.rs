//! `admin topics partition`: more partitions for a topic. Kafka knows no way back, and keys move.

use clap::Args;
use stage::config::KafkaArgs;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent};
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::topics;

/// Give a topic more partitions
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Messages of one key go to another partition from then on: their order is kept within each only.\n\n\
                  Example: kafkaefd admin topics partition mytopic 6 --dry-run"
)]
pub(super) struct PartitionArgs {
    /// Name of the topic
    name: String,
    /// How many partitions it is to have
    #[arg(value_name = "COUNT")]
    count: usize,
    /// Let the brokers check it, and change nothing
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
            self.consent.ask(&format!("go {what}; there is no way back"))?;
        }
        let widened = topics::add_partitions(cluster, widening, self.dry_run)?;
        self.answer.print(&widened, || {
            if self.dry_run {
                format!("would go {what}; nothing was changed")
            } else {
                format!("went {what}")
            }
        })?;
        Ok(Done::All)
    }
}
