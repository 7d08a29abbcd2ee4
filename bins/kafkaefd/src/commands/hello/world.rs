//! `kafkaefd helloworld`: sends text to Kafka and reads it back.

use clap::{Args, Subcommand};
use serde_json::Value;
use stage::config::KafkaArgs;

use super::send::send;
use super::tail::{Tail, TailArgs};
use super::topic::with_topic;
use crate::exit::Done;
use crate::terminal::AnswerArgs;
use operator::failure::Failure;
use operator::messages::message::shown;

/// Check a broker: send text messages and read them back
#[derive(Args, Debug, Clone)]
pub struct HelloWorldCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    Produce(ProduceArgs),
    Consume(ConsumeArgs),
}

/// Produce greetings and print their partitions and offsets
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd helloworld produce --count 3 --broker localhost:9092")]
struct ProduceArgs {
    /// Number of greetings
    #[arg(long, short = 'c', default_value_t = 1, value_name = "N")]
    count: u64,
    /// Text of the greeting
    #[arg(long, default_value = "Hello, world!", value_name = "TEXT")]
    message: String,
    /// Topic to produce to; created if it does not exist
    #[arg(long, default_value = "mytopic", value_name = "NAME")]
    topic: String,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// Print existing and new greetings until Ctrl-C
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd helloworld consume -e --broker localhost:9092")]
struct ConsumeArgs {
    /// Topic to read; created if it does not exist
    #[arg(long, default_value = "mytopic", value_name = "NAME")]
    topic: String,
    #[command(flatten)]
    tail: TailArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl HelloWorldCommand {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::Produce(args) => args.run().await,
            Action::Consume(args) => args.run().await,
        }
    }
}

impl ProduceArgs {
    async fn run(&self) -> Result<Done, Failure> {
        let cluster = with_topic(&self.kafka, &self.topic).await?;
        let greetings = (0..self.count).map(|_| self.message.clone().into_bytes());
        send(&cluster, &self.topic, "hello", greetings, self.answer).await?;
        Ok(Done::All)
    }
}

impl ConsumeArgs {
    async fn run(&self) -> Result<Done, Failure> {
        let cluster = with_topic(&self.kafka, &self.topic).await?;
        let mut tail = Tail::open(&cluster, &self.topic, self.tail)?;
        while let Some(message) = tail.next()? {
            let value = message.value.as_deref().map_or(Value::Null, shown);
            tail.print(&message, value)?;
        }
        tail.end();
        Ok(Done::All)
    }
}
