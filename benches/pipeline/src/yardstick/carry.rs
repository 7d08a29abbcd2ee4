//! saltransform's yardstick: one librdkafka thread with saltransform's settings that consumes each message of
//! a topic and produces one of saltransform's own records for it: the same bytes in, the same bytes out,
//! nothing in between, or each byte read once.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use stage::config::KafkaArgs;
use stage::kafka::SAFE_PRODUCER;

use crate::failure::{Doing, Failure, Outcome};

/// The number of messages between two polls for delivery reports: saltransform's batch size.
const BATCH: usize = 512;

/// The source and the destination.
#[derive(Debug, Args)]
pub(crate) struct CarryArgs {
    #[arg(long, env = "BROKER")]
    broker: String,
    /// Topic whose messages are consumed
    #[arg(long)]
    input: String,
    /// Topic that receives a record for each of them
    #[arg(long)]
    output: String,
    /// Topic with the records to send in turn
    #[arg(long)]
    frames: String,
    /// Number of these records
    #[arg(long)]
    count: usize,
    #[arg(long)]
    group: String,
    /// Read each byte of each message once, as whoever transforms it has to
    #[arg(long)]
    reads: bool,
}

/// Runs until it is killed.
pub(crate) fn carry(args: &CarryArgs) -> Outcome<()> {
    let frames = read_frames(args)?;
    let consumer: BaseConsumer = consumer_config(args)?.create().doing("make a consumer")?;
    let producer: BaseProducer = producer_config(args)?.create().doing("make a producer")?;
    consumer.subscribe(&[&args.input]).doing("subscribe")?;
    let mut committed = Instant::now();
    let mut frames = frames.iter().cycle();
    let mut taken = 0_usize;
    loop {
        match consumer.poll(Duration::from_millis(50)) {
            Some(message) => {
                let message = message.doing("take a message")?;
                if args.reads {
                    let bytes = message.payload().unwrap_or_default();
                    black_box(bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
                }
                taken += 1;
                send(&producer, &args.output, frames.next().map_or(&[], Vec::as_slice))?;
                if taken.is_multiple_of(BATCH) {
                    producer.poll(Duration::ZERO);
                }
            }
            None => {
                producer.poll(Duration::ZERO);
            }
        }
        if committed.elapsed() >= Duration::from_secs(1) {
            // If nothing was consumed yet, there is nothing to commit.
            if taken > 0 {
                consumer
                    .commit_consumer_state(CommitMode::Async)
                    .doing("commit offsets")?;
            }
            committed = Instant::now();
        }
    }
}

fn send(producer: &BaseProducer, topic: &str, frame: &[u8]) -> Outcome<()> {
    let mut record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).payload(frame);
    while let Err((error, back)) = producer.send(record) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
            return Err(error).doing("send");
        }
        producer.poll(Duration::from_millis(10));
        record = back;
    }
    Ok(())
}

/// The settings of `saltransform`'s consumer that affect the path of a message.
fn consumer_config(args: &CarryArgs) -> Outcome<ClientConfig> {
    let settings = [
        ("client.id", "bare-loop"),
        ("group.id", args.group.as_str()),
        ("check.crcs", "true"),
        ("auto.offset.reset", "earliest"),
        ("fetch.wait.max.ms", "250"),
        ("fetch.queue.backoff.ms", "10"),
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("enable.auto.commit", "false"),
    ];
    KafkaArgs::at(&args.broker)
        .client_config(&settings)
        .doing("configure the consumer")
}

/// The settings of `saltransform`'s producer.
fn producer_config(args: &CarryArgs) -> Outcome<ClientConfig> {
    let settings = [
        SAFE_PRODUCER[0],
        SAFE_PRODUCER[1],
        ("client.id", "bare-loop"),
        ("acks", "all"),
        ("compression.type", "lz4"),
        ("linger.ms", "5"),
        ("queue.buffering.max.kbytes", "32768"),
        ("message.timeout.ms", "0"),
    ];
    KafkaArgs::at(&args.broker)
        .client_config(&settings)
        .doing("configure the producer")
}

fn read_frames(args: &CarryArgs) -> Outcome<Vec<Vec<u8>>> {
    let config = KafkaArgs::at(&args.broker).client_config(&[("group.id", "bare-loop-frames")]);
    let reader: BaseConsumer = config
        .doing("configure a reader")?
        .create()
        .doing("make a reader")?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&args.frames, 0, Offset::Beginning)
        .doing("assign")?;
    reader.assign(&list).doing("assign")?;
    let mut frames = Vec::new();
    while frames.len() < args.count {
        let message = reader
            .poll(Duration::from_secs(20))
            .ok_or_else(|| Failure::Unexpected(format!("{} holds too few records", args.frames)))?;
        let message = message.doing("read a record")?;
        frames.push(message.payload().unwrap_or_default().to_vec());
    }
    Ok(frames)
}
