//! Reads a topic message by message, until a limit, its end, Ctrl-C or a closed pipe.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use stage::sanitize::{self, Printable};
use stage::service::Shutdown;
use stage::stdout;

use crate::terminal::{faint, note, plural};
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::messages::message::{Message, shown, shown_text};
use operator::messages::reader::{Met, Reader, Start, Stop};

/// How long waiting for a message may delay the reaction to Ctrl-C.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

#[derive(Args, Debug, Clone, Copy)]
pub(super) struct TailArgs {
    /// Stop after N messages
    #[arg(long, short = 'c', value_name = "N")]
    count: Option<u64>,
    /// Stop at the topic's current end
    #[arg(long = "exit-at-end", short = 'e')]
    exit_at_end: bool,
    /// Only new messages, not existing ones
    #[arg(long)]
    new: bool,
    /// Print each message as a JSON object on one line
    #[arg(long)]
    json: bool,
}

/// Reads all partitions of a topic without a consumer group, so that no committed offsets change.
pub(super) struct Tail<'a> {
    args: TailArgs,
    topic: &'a str,
    reader: Reader,
    shutdown: Shutdown,
    seen: u64,
    /// Whether stdout still has a reader.
    is_open: bool,
}

impl<'a> Tail<'a> {
    /// Starts reading. SIGINT, SIGTERM or SIGHUP ends it.
    pub(super) fn open(cluster: &Cluster, topic: &'a str, args: TailArgs) -> Result<Self, Failure> {
        let start = if args.new { Start::End } else { Start::Beginning };
        let stop = if args.exit_at_end {
            Stop::AtEnd
        } else {
            Stop::Never
        };
        let reader = Reader::open(cluster, cluster.topic(topic)?, None, start, stop)?;
        let shutdown = Shutdown::of_command(Duration::ZERO);
        Ok(Self {
            args,
            topic,
            reader,
            shutdown,
            seen: 0,
            is_open: true,
        })
    }

    /// Blocks until the next message; `None` when reading ends.
    pub(super) fn next(&mut self) -> Result<Option<Message>, Failure> {
        while self.is_open && !self.shutdown.is_set() && self.args.count.is_none_or(|count| self.seen < count)
        {
            match self.reader.next(POLL_TIMEOUT)? {
                Met::Message(message) => {
                    self.seen += 1;
                    return Ok(Some(*message));
                }
                Met::Nothing => {}
                Met::End => break,
            }
        }
        Ok(None)
    }

    /// Prints a message with its decoded value. A pipe that its reader closed ends the reading.
    pub(super) fn print(&mut self, message: &Message, value: Value) -> Result<(), Failure> {
        let line = if self.args.json {
            object(message, &value)
        } else {
            text(message, value)
        };
        let mut out = anstream::stdout();
        let printed = writeln!(out, "{line}").and_then(|()| out.flush());
        self.is_open = printed.is_ok();
        Ok(stdout::written(printed)?)
    }

    /// Prints the number of messages on stderr.
    pub(super) fn end(&self) {
        let messages = plural(self.seen, "message");
        note(&faint(format!("{messages} of {}", Printable(self.topic))));
    }
}

fn object(message: &Message, value: &Value) -> String {
    let object = json!({
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp_ms": message.timestamp,
        "key": message.key.as_deref().map(shown),
        "value": value,
    });
    sanitize::json(&object.to_string()).into_owned()
}

fn text(message: &Message, value: Value) -> String {
    let place = format!("{}[{}]@{}", message.topic, message.partition, message.offset);
    let key = message.key.as_deref().map(shown_text).unwrap_or_default();
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
