//! `kafkaefd helloavro`: sends an Avro record to Kafka and reads it back, with its schema in the registry.

use clap::{Args, Subcommand};
use confluent_avro::frame::Frame;
use confluent_avro::schema::Schema;
use operator::failure::Failure;
use operator::messages::json_to_avro::RecordWriter;
use operator::messages::message::Message;
use serde_json::Value;
use stage::config::{KafkaArgs, RegistryArgs};
use stage::records::RecordDecoder;
use stage::registry::{Registry, RegistryError};
use stage::sanitize::Printable;

use super::record::{self, SCHEMA};
use super::round_trip::{RoundTrip, RoundTripArgs, check};
use super::send::send;
use super::tail::{Tail, TailArgs};
use super::topic::with_topic;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, note};

/// The defaults of --message and --topic.
const GREETING: &str = "Hello, Avro!";
const TOPIC: &str = "helloavro";

/// Check a broker together with a registry: send Avro records, read them back and compare; exits with code 1 unless all
/// are equal
#[derive(Args, Debug, Clone)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "The schema's subject is the topic's name with -value, as for telemetry. The schema is read back from the \
                  registry by the id that each record carries.\n\n\
                  Example: kafkaefd helloavro --broker localhost:9092 --schema-registry http://localhost:8081"
)]
pub struct HelloAvroCommand {
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
    #[command(flatten)]
    registry: RegistryArgs,
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
    #[arg(long, default_value = GREETING, value_name = "TEXT")]
    message: String,
    /// Topic to produce to; created if it does not exist
    #[arg(long, default_value = TOPIC, value_name = "NAME")]
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
    #[arg(long, default_value = TOPIC, value_name = "NAME")]
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
        match &self.action {
            None => self.round_trip().await,
            Some(Action::Produce(args)) => args.run().await,
            Some(Action::Consume(args)) => args.run().await,
        }
    }

    async fn round_trip(&self) -> Result<Done, Failure> {
        let writer = registered(&self.registry, &self.topic).await?;
        let records = records(&writer, &self.message, self.round_trip.count)?;
        let cluster = with_topic(&self.kafka, &self.topic).await?;
        let mut trip = RoundTrip::begin(&cluster, &self.topic, records, self.round_trip)?;
        let mut decoder = RecordDecoder::new(Registry::new(&self.registry)?);
        // What was sent, by the schema that it was written with here.
        let schema = Schema::parse(SCHEMA).map_err(|error| Failure::Usage(stage::chain(&error)))?;
        let (mut equal, mut differences) = (0, Vec::new());
        while let Some((message, sent)) = trip.next()? {
            let expected = Frame::read(Some(&sent))
                .map_err(|error| error.to_string())
                .and_then(|frame| schema.to_json(frame.avro).map_err(|error| error.to_string()));
            let differs = match (value(&mut decoder, &message).await?, expected) {
                (Ok(found), Ok(expected)) if found == expected => None,
                (Ok(found), _) => Some(format!("another record came back: {found}")),
                (Err(reason), _) => Some(reason),
            };
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
        let writer = registered(&self.registry, &self.topic).await?;
        let cluster = with_topic(&self.kafka, &self.topic).await?;
        let records = records(&writer, &self.message, self.count)?;
        send(&cluster, &self.topic, "hello", records.into_iter(), self.answer)?;
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

/// Registers the schema for the topic.
async fn registered(args: &RegistryArgs, topic: &str) -> Result<RecordWriter, Failure> {
    let registry = Registry::new(args)?;
    let subject = format!("{topic}-value");
    let id = registry.register(&subject, SCHEMA).await?;
    note(&format!(
        "schema id {id} for subject {subject} at {}",
        registry.url()
    ));
    RecordWriter::new(id, SCHEMA).map_err(Failure::Usage)
}

/// Greetings with the numbers from 1.
fn records(writer: &RecordWriter, greeting: &str, count: u64) -> Result<Vec<Vec<u8>>, Failure> {
    (1..=count)
        .map(|number| {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            record::write(writer, greeting, number, stage::unix_millis())
        })
        .collect::<Result<_, _>>()
        .map_err(Failure::Usage)
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
