//! `admin topics partition`: more partitions for a topic. Kafka knows no way back, and keys move.

use clap::Args;
use rdkafka::admin::NewPartitions;
use serde::Serialize;
use stage::config::KafkaArgs;

use crate::commands::reach;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent};
use operator::cluster::Cluster;
use operator::failure::{Failure, words};

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

#[derive(Serialize)]
struct Widened<'a> {
    topic: &'a str,
    before: usize,
    after: usize,
    dry_run: bool,
}

impl PartitionArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let cluster = reach(&self.kafka)?;
        let before = cluster.topic(&self.name)?.partitions.len();
        if self.count <= before {
            return Err(Failure::Refused {
                what: format!("giving {} {} partitions", self.name, self.count),
                reason: format!("it has {before}, and Kafka takes none away"),
                hint: format!("a count above {before}, or a new topic"),
            });
        }
        let what = format!("from {before} to {} partitions for {}", self.count, self.name);
        if !self.dry_run {
            self.consent.ask(&format!("go {what}; there is no way back"))?;
        }
        let answers = cluster
            .admin()?
            .create_partitions(
                &[NewPartitions::new(&self.name, self.count)],
                &Cluster::admin_options().validate_only(self.dry_run),
            )
            .await
            .map_err(Failure::kafka(format!("going {what}")))?;
        if let Some(Err((_, code))) = answers.into_iter().next() {
            return Err(Failure::Refused {
                what: format!("going {what}"),
                reason: words(code),
                hint: "`kafkaefd admin brokers` shows whether all brokers are there".to_owned(),
            });
        }
        let widened = Widened {
            topic: &self.name,
            before,
            after: self.count,
            dry_run: self.dry_run,
        };
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
