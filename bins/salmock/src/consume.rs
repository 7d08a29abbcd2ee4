//! `salmock consume`: prints a topic's messages as JSON on standard output, one per line, for people and for
//! `jq`.
//!
//! It reads without joining a group, so it disturbs nobody and commits nothing. A line is
//! `{"topic","partition","offset","timestamp_ms","key","headers","header_list"}` (as far as present) and one
//! of `record` (Avro), `text` (SAL text and any other UTF-8) and `hex` (everything else), with `error` if a
//! record cannot be decoded.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use confluent_avro::frame::{Frame, FrameError};
use rdkafka::Message;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Map, Value};
use stage::config::{KafkaConfigError, ServiceArgs};
use stage::headers::OwnHeaders;
use stage::kafka::{self, OneShotContext, ReachError, Silence};
use stage::readable::{add_headers, add_key, hex, readable};
use stage::records::RecordDecoder;
use stage::registry::{Registry, RegistryError, RegistrySetupError};
use stage::sanitize;
use stage::service::{Shutdown, failed, init_logging, invalid};

use crate::config::{ConsumeArgs, From};

const METADATA_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an idle reader checks its client.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// librdkafka requires a group name even if no group is joined.
const CONSUMER: [(&str, &str); 4] = [
    ("client.id", "salmock"),
    ("group.id", "salmock-consume"),
    ("enable.auto.commit", "false"),
    ("auto.offset.reset", "earliest"),
];

/// Consuming cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// The Kafka settings.
    #[error("cannot use the kafka settings")]
    Settings(#[from] KafkaConfigError),
    /// The settings of the schema registry.
    #[error("cannot use the schema registry's settings")]
    RegistrySettings(#[from] RegistrySetupError),
    /// Kafka does not answer or returns an error.
    #[error("cannot read from kafka")]
    Kafka(#[from] KafkaError),
    /// No broker can be reached or accepts us.
    #[error("cannot reach kafka")]
    Unreachable(#[from] ReachError),
    /// No such topic.
    #[error("there is no topic {0}")]
    NoTopic(String),
    /// The schema registry does not answer: the record could not be printed.
    #[error("cannot decode a record")]
    Registry(#[from] RegistryError),
    /// Standard output cannot be written to.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

/// `salmock consume` as a process.
pub async fn main(args: &ConsumeArgs) -> ExitCode {
    let service = ServiceArgs {
        log_level: args.log_level.clone(),
        ..ServiceArgs::default()
    };
    let _logging = match init_logging(&service) {
        Ok(logging) => logging,
        Err(error) => return invalid("salmock", &error),
    };
    let shutdown = Shutdown::of_command(service.drain_timeout);
    match consume(args, &mut io::stdout(), &shutdown).await {
        Err(error @ (ConsumeError::Settings(_) | ConsumeError::RegistrySettings(_))) => {
            invalid("salmock", &error)
        }
        Err(error) => failed("stopped by an error", &error),
        Ok(_) => ExitCode::SUCCESS,
    }
}

/// Prints until the count is reached or `shutdown` is requested; returns the number of printed messages.
///
/// # Errors
/// When Kafka or the registry does not answer, or the topic does not exist.
pub async fn consume(
    args: &ConsumeArgs,
    out: &mut impl Write,
    shutdown: &Shutdown,
) -> Result<u64, ConsumeError> {
    let registry = Registry::new(&args.registry)?;
    let config = args.kafka.client_config(&CONSUMER)?;
    let reached = config.clone();
    let metadata = tokio::task::spawn_blocking(move || kafka::reach(&reached, METADATA_TIMEOUT))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    let consumer: StreamConsumer<OneShotContext> = config.create_with_context(OneShotContext::default())?;
    let start = match args.from {
        From::Earliest => Offset::Beginning,
        From::Latest => Offset::End,
    };
    let mut partitions = TopicPartitionList::new();
    let topic = metadata
        .topics()
        .iter()
        .filter(|topic| topic.name() == args.topic);
    for partition in topic.flat_map(|topic| topic.partitions()) {
        partitions.add_partition_offset(&args.topic, partition.id(), start)?;
    }
    if partitions.count() == 0 {
        return Err(ConsumeError::NoTopic(args.topic.clone()));
    }
    consumer.assign(&partitions)?;
    let mut decoder = RecordDecoder::new(registry);
    let mut silence = Silence::new();
    let mut printed = 0;
    while args.count.is_none_or(|count| printed < count) {
        let received = tokio::select! {
            received = tokio::time::timeout(LOOK_INTERVAL, consumer.recv()) => received,
            () = shutdown.wait() => break,
        };
        let Ok(message) = received else {
            tokio::task::block_in_place(|| silence.look(consumer.client(), &config));
            continue;
        };
        let message = message?;
        silence.end();
        let line = line(&message, &mut decoder).await?;
        let written = writeln!(out, "{}", sanitize::json(&line.to_string())).and_then(|()| out.flush());
        match written {
            // A closed pipe means that the reader has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            written => written?,
        }
        printed += 1;
    }
    Ok(printed)
}

async fn line(message: &BorrowedMessage<'_>, decoder: &mut RecordDecoder) -> Result<Value, ConsumeError> {
    let mut line = Map::new();
    line.insert("topic".into(), message.topic().into());
    line.insert("partition".into(), message.partition().into());
    line.insert("offset".into(), message.offset().into());
    if let Some(time) = message.timestamp().to_millis() {
        line.insert("timestamp_ms".into(), time.into());
    }
    if let Some(key) = message.key() {
        add_key(&mut line, key);
    }
    match OwnHeaders::of(message) {
        OwnHeaders::Readable(headers) => {
            let headers = headers.into_iter().map(|header| (header.key, header.value));
            add_headers(&mut line, headers);
        }
        OwnHeaders::Unreadable(_) => {
            line.insert("headers".into(), "unreadable: a name is not UTF-8".into());
        }
    }
    let payload = message.payload().unwrap_or_default();
    match Frame::read(message.payload()) {
        Err(FrameError::Tombstone) => {
            line.insert("record".into(), Value::Null);
        }
        Ok(frame) => match decoder.decode(&frame).await? {
            Ok(record) => {
                line.insert("record".into(), record);
            }
            Err(error) => {
                line.insert("error".into(), error.to_string().into());
                line.insert("hex".into(), hex(payload).into());
            }
        },
        Err(_) => {
            let (form, value) = readable(payload);
            line.insert(form.into(), value);
        }
    }
    Ok(Value::Object(line))
}
