//! `kafkaefd helloavro`: sends an Avro record to Kafka and reads it back, with its schema in the registry.

use clap::{Args, Subcommand};
use confluent_avro::frame::Frame;
use operator::failure::Failure;
use operator::messages::json_to_avro::RecordWriter;
use operator::messages::message::Message;
use serde_json::Value;
use stage::config::{KafkaArgs, RegistryArgs};
use stage::records::RecordDecoder;
use stage::registry::{Registry, RegistryError};
use stage::sanitize::Printable;

use super::record::{self, SCHEMA};
use super::send::send;
use super::tail::{Tail, TailArgs};
use super::topic::with_topic;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, note};

/// Check a broker together with a registry: send Avro records and read them back
#[derive(Args, Debug, Clone)]
pub struct HelloAvroCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    Produce(ProduceArgs),
    Consume(ConsumeArgs),
}

/// Register a small schema, produce records with it, and print their partitions and offsets
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "The schema's subject is the topic's name with -value, as for telemetry.\n\n\
                  Example: kafkaefd helloavro produce --count 3 --schema-registry http://localhost:8081"
)]
struct ProduceArgs {
    /// Number of records
    #[arg(long, short = 'c', default_value_t = 1, value_name = "N")]
    count: u64,
    /// Text of the greeting
    #[arg(long, default_value = "Hello, Avro!", value_name = "TEXT")]
    message: String,
    /// Topic to produce to; created if it does not exist
    #[arg(long, default_value = "helloavro", value_name = "NAME")]
    topic: String,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Print existing and new records as JSON until Ctrl-C
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd helloavro consume -e --schema-registry http://localhost:8081")]
struct ConsumeArgs {
    /// Topic to read; created if it does not exist
    #[arg(long, default_value = "helloavro", value_name = "NAME")]
    topic: String,
    #[command(flatten)]
    tail: TailArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl HelloAvroCommand {
    pub(crate) async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::Produce(args) => args.run().await,
            Action::Consume(args) => args.run().await,
        }
    }
}

impl ProduceArgs {
    async fn run(&self) -> Result<Done, Failure> {
        let registry = Registry::new(&self.registry)?;
        let subject = format!("{}-value", self.topic);
        let id = registry.register(&subject, SCHEMA).await?;
        note(&format!(
            "schema id {id} for subject {subject} at {}",
            registry.url()
        ));
        let cluster = with_topic(&self.kafka, &self.topic).await?;
        let writer = RecordWriter::new(id, SCHEMA).map_err(Failure::Usage)?;
        let records: Result<Vec<_>, _> = (1..=self.count)
            .map(|number| {
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                record::write(&writer, &self.message, number, stage::unix_micros() / 1_000)
            })
            .collect();
        let records = records.map_err(Failure::Usage)?;
        send(&cluster, &self.topic, "hello", records.into_iter(), self.answer).await?;
        Ok(Done::All)
    }
}

impl ConsumeArgs {
    async fn run(&self) -> Result<Done, Failure> {
        let mut decoder = RecordDecoder::new(Registry::new(&self.registry)?);
        let cluster = with_topic(&self.kafka, &self.topic).await?;
        let mut tail = Tail::open(&cluster, &self.topic, self.tail)?;
        let mut done = Done::All;
        while let Some(message) = tail.next()? {
            match value(&mut decoder, &message).await? {
                Ok(value) => tail.print(&message, value)?,
                Err(reason) => {
                    done = Done::Partly;
                    let place = format!("{}[{}]@{}", self.topic, message.partition, message.offset);
                    note(&Printable(format!("{place} was skipped: {reason}")));
                }
            }
        }
        tail.end();
        Ok(done)
    }
}

/// The message's record as JSON, or why it cannot be decoded.
async fn value(
    decoder: &mut RecordDecoder,
    message: &Message,
) -> Result<Result<Value, String>, RegistryError> {
    match Frame::read(message.value.as_deref()) {
        Ok(frame) => {
            let record = decoder.decode(&frame).await?;
            Ok(record.map_err(|problem| problem.to_string()))
        }
        Err(error) => Ok(Err(error.to_string())),
    }
}
