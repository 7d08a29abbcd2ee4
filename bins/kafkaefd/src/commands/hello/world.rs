//! `kafkaefd helloworld`: sends text to Kafka and reads it back, in one go or as two commands.

use clap::{Args, Subcommand};
use serde_json::Value;
use stage::config::KafkaArgs;

use super::round_trip::{RoundTrip, RoundTripArgs, check};
use super::send::send;
use super::tail::{Tail, TailArgs};
use super::topic::with_topic;
use crate::exit::Done;
use crate::terminal::AnswerArgs;
use operator::failure::Failure;
use operator::messages::message::shown;

/// The defaults of --message and --topic.
const GREETING: &str = "Hello, world!";
const TOPIC: &str = "mytopic";

/// Check a broker: send text messages, read them back and compare; exits with code 1 unless all are equal
#[derive(Args, Debug, Clone)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example: kafkaefd helloworld --broker localhost:9092"
)]
pub struct HelloWorldCommand {
    #[command(subcommand)]
    action: Option<Action>,
    /// Text of the greeting
    #[arg(long, default_value = GREETING, value_name = "TEXT")]
    message: String,
    /// Topic to use; created if it does not exist
    #[arg(long, default_value = TOPIC, value_name = "NAME")]
    topic: String,
    #[command(flatten)]
    round_trip: RoundTripArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
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
    #[arg(long, default_value = GREETING, value_name = "TEXT")]
    message: String,
    /// Topic to produce to; created if it does not exist
    #[arg(long, default_value = TOPIC, value_name = "NAME")]
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
    #[arg(long, default_value = TOPIC, value_name = "NAME")]
    topic: String,
    #[command(flatten)]
    tail: TailArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl HelloWorldCommand {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match &self.action {
            None => self.round_trip().await,
            Some(Action::Produce(args)) => args.run().await,
            Some(Action::Consume(args)) => args.run().await,
        }
    }

    async fn round_trip(&self) -> Result<Done, Failure> {
        let cluster = with_topic(&self.kafka, &self.topic).await?;
        let greetings = (1..=self.round_trip.count)
            .map(|number| format!("{} {number}", self.message).into_bytes())
            .collect();
        let mut trip = RoundTrip::begin(&cluster, &self.topic, greetings, self.round_trip)?;
        let (mut equal, mut differences) = (0, Vec::new());
        while let Some((message, sent)) = trip.next()? {
            let is_other = message.value.as_ref() != Some(&sent);
            let differs = is_other.then(|| "other bytes came back".to_owned());
            match check(&message, differs) {
                Ok(()) => equal += 1,
                Err(difference) => differences.push(difference),
            }
        }
        trip.end(equal, &differences)
    }
}

impl ProduceArgs {
    async fn run(&self) -> Result<Done, Failure> {
        let cluster = with_topic(&self.kafka, &self.topic).await?;
        let greetings = (0..self.count).map(|_| self.message.clone().into_bytes());
        send(&cluster, &self.topic, "hello", greetings, self.answer)?;
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
