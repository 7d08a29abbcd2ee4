//! What comes from a topic, message by message, until somebody has seen enough.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use pipeline::kafka::Visitor;
use pipeline::printable::{self, Printable};
use pipeline::service::wait_for_signal;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::screen::{faint, note, plural};

/// How long a look for a message may hide a Ctrl-C.
const LOOK: Duration = Duration::from_millis(100);

/// From where, and for how long.
#[derive(Args, Debug, Clone, Copy)]
pub(super) struct TailArgs {
    /// End after so many messages
    #[arg(long, short = 'c', value_name = "N")]
    count: Option<u64>,
    /// End where the topic ends now
    #[arg(long = "exit-at-end", short = 'e')]
    exit_at_end: bool,
    /// Only what comes from now on, not what is there already
    #[arg(long)]
    new: bool,
    /// Print each message as one JSON object a line
    #[arg(long)]
    json: bool,
}

/// The messages of all partitions of a topic, from no group: nobody's offsets move.
pub(super) struct Tail<'a> {
    args: TailArgs,
    topic: &'a str,
    consumer: BaseConsumer<Visitor>,
    /// Partitions whose end was not seen yet.
    not_at_end: BTreeSet<i32>,
    seen: u64,
    stop: Arc<AtomicBool>,
}

impl<'a> Tail<'a> {
    /// Begins to read; a signal ends it.
    pub(super) fn open(cluster: &Cluster, topic: &'a str, args: TailArgs) -> Result<Self, Failure> {
        let doing = || Failure::kafka(format!("reading {topic}"));
        let consumer = cluster.consumer(&[("enable.partition.eof", "true")])?;
        let start = if args.new { Offset::End } else { Offset::Beginning };
        let mut partitions = TopicPartitionList::new();
        let mut not_at_end = BTreeSet::new();
        for number in cluster.topic(topic)?.numbers() {
            partitions
                .add_partition_offset(topic, number, start)
                .map_err(doing())?;
            not_at_end.insert(number);
        }
        consumer.assign(&partitions).map_err(doing())?;
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        tokio::spawn(async move {
            wait_for_signal().await;
            asked.store(true, Ordering::Relaxed);
        });
        Ok(Self {
            args,
            topic,
            consumer,
            not_at_end,
            seen: 0,
            stop,
        })
    }

    /// The next message; none when it is enough. Blocks.
    pub(super) fn next(&mut self) -> Result<Option<OwnedMessage>, Failure> {
        while !self.is_enough() {
            match self.consumer.poll(LOOK) {
                None => {}
                Some(Ok(message)) => {
                    self.seen += 1;
                    return Ok(Some(message.detach()));
                }
                Some(Err(KafkaError::PartitionEOF(number))) => {
                    self.not_at_end.remove(&number);
                }
                Some(Err(error)) if passes(&error) => {}
                Some(Err(error)) => return Err(Failure::kafka(format!("reading {}", self.topic))(error)),
            }
        }
        Ok(None)
    }

    fn is_enough(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
            || self.args.count.is_some_and(|count| self.seen >= count)
            || (self.args.exit_at_end && self.not_at_end.is_empty())
    }

    /// Prints a message whose value reads as `value`; whoever closed the pipe has seen enough.
    pub(super) fn print(&self, message: &OwnedMessage, value: Value) {
        let line = if self.args.json {
            object(message, &value)
        } else {
            text(message, value)
        };
        let mut stdout = anstream::stdout();
        if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Says how many messages there were.
    pub(super) fn end(&self) {
        let messages = plural(usize::try_from(self.seen).unwrap_or(usize::MAX), "message");
        note(&faint(format!("{messages} of {}", Printable(self.topic))));
    }
}

fn object(message: &OwnedMessage, value: &Value) -> String {
    let object = json!({
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp_ms": message.timestamp().to_millis(),
        "key": message.key().map(String::from_utf8_lossy),
        "value": value,
    });
    printable::json(&object.to_string()).into_owned()
}

fn text(message: &OwnedMessage, value: Value) -> String {
    let place = format!(
        "{}[{}]@{}",
        message.topic(),
        message.partition(),
        message.offset()
    );
    let key = message.key().map(String::from_utf8_lossy).unwrap_or_default();
    let value = match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    format!(
        "{} {} {}",
        faint(Printable(place)),
        Printable(key),
        Printable(value)
    )
}

/// librdkafka goes on by itself.
fn passes(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(Code::AllBrokersDown | Code::BrokerTransportFailure | Code::OperationTimedOut | Code::Resolve)
    )
}
