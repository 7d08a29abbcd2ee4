//! `admin topics create`: creates topics and leaves existing ones unchanged.

use clap::Args;
use stage::config::KafkaArgs;

use crate::commands::ask;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bars, print_outcomes};
use operator::failure::Failure;
use operator::topics::{self, NewTopics};

/// Create topics; existing topics are left unchanged
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Example: kafkaefd admin topics create mytopic -p 3 -r 1 --config retention.ms=86400000"
)]
pub(super) struct CreateArgs {
    /// Names of the topics
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Partitions of each topic
    #[arg(long, short, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
    /// Replicas of each partition [default: the brokers' setting]
    #[arg(long = "replication-factor", visible_alias = "replication", short, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    replication: Option<i32>,
    /// A setting of the topics; may be repeated
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = setting)]
    topic_settings: Vec<(String, String)>,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

fn setting(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .ok_or_else(|| "expected KEY=VALUE, for example retention.ms=86400000".to_owned())
}

impl CreateArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        let wanted = NewTopics {
            names: self.names.clone(),
            partitions: self.partitions,
            replication: self.replication,
            settings: self.topic_settings.clone(),
        };
        let outcomes = ask(&self.kafka, move |cluster| {
            topics::create(cluster, &wanted, &bars())
        })
        .await?;
        Ok(print_outcomes(&outcomes, self.answer)?)
    }
}
