//! One round trip: greetings are sent, read back from where they went, and compared. It ends with a verdict.
//!
//! ```text
//! reader at the end ─▶ deliver ─▶ read until all of them came, or the time is over ─▶ compare ─▶ verdict, exit code
//! ```

use std::collections::HashMap;
use std::time::{Duration, Instant};

use clap::Args;
use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::messages::message::Message;
use operator::messages::reader::{Met, Reader, Start, Stop};
use operator::messages::sender::Position;
use serde::Serialize;
use stage::config::seconds;
use stage::sanitize::Printable;

use super::send::deliver;
use crate::exit::Done;
use crate::terminal::{AnswerArgs, bad, count, good, note, span};

/// How long waiting for a message may delay the end.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// The key of each greeting.
const KEY: &str = "hello";

/// The flags of a round trip.
#[derive(Args, Debug, Clone, Copy)]
pub(super) struct RoundTripArgs {
    /// Number of messages
    #[arg(long, short = 'c', default_value = "1", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) count: u64,
    /// How long the messages may take to come back, in seconds
    #[arg(long, default_value = "10", value_name = "S", value_parser = seconds)]
    timeout: Duration,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// What came of a round trip.
#[derive(Debug, Serialize)]
struct Verdict<'a> {
    topic: &'a str,
    sent: usize,
    read: usize,
    /// Of those that were read.
    equal: usize,
    /// From the first message that was sent to the last that came back.
    milliseconds: f64,
    verdict: &'static str,
}

/// Messages that are to come back.
pub(super) struct RoundTrip<'a> {
    topic: &'a str,
    args: RoundTripArgs,
    reader: Reader,
    start: Instant,
    /// What was sent, by where it went.
    sent: HashMap<Position, Vec<u8>>,
    count: usize,
}

impl<'a> RoundTrip<'a> {
    /// Sends the values.
    pub(super) fn begin(
        cluster: &Cluster,
        topic: &'a str,
        values: Vec<Vec<u8>>,
        args: RoundTripArgs,
    ) -> Result<Self, Failure> {
        let reader = Reader::open(cluster, cluster.topic(topic)?, None, Start::End, Stop::Never)?;
        let start = Instant::now();
        let places = deliver(cluster, topic, KEY, values.iter().cloned(), |_| Ok(()))?;
        Ok(Self {
            topic,
            args,
            reader,
            start,
            count: places.len(),
            sent: places.into_iter().zip(values).collect(),
        })
    }

    /// The next message that was sent here, with what it should be; none after the last one, or when the time is over.
    pub(super) fn next(&mut self) -> Result<Option<(Message, Vec<u8>)>, Failure> {
        while !self.sent.is_empty() && self.start.elapsed() < self.args.timeout {
            let Met::Message(message) = self.reader.next(POLL_TIMEOUT)? else {
                continue;
            };
            let place = Position {
                partition: message.partition,
                offset: message.offset,
            };
            if let Some(value) = self.sent.remove(&place) {
                return Ok(Some((*message, value)));
            }
        }
        Ok(None)
    }

    /// Prints the verdict on as many equal messages, and why others are not.
    pub(super) fn end(self, equal: usize, differences: &[String]) -> Result<Done, Failure> {
        let elapsed = self.start.elapsed();
        let read = self.count - self.sent.len();
        let is_whole = read == self.count && equal == self.count;
        let verdict = Verdict {
            topic: self.topic,
            sent: self.count,
            read,
            equal,
            milliseconds: elapsed.as_secs_f64() * 1e3,
            verdict: if is_whole { "equal" } else { "failed" },
        };
        self.args.answer.print(&verdict, || verdict.shown(elapsed))?;
        if !self.args.answer.json {
            for difference in differences {
                note(&format!("  {}", Printable(difference)));
            }
        }
        Ok(if is_whole { Done::All } else { Done::Partly })
    }
}

/// Whether a message has the greeting's key and, in the words of `differs`, its value.
pub(super) fn check(message: &Message, differs: Option<String>) -> Result<(), String> {
    let place = format!("{}[{}]@{}", message.topic, message.partition, message.offset);
    match differs {
        _ if message.key.as_deref() != Some(KEY.as_bytes()) => Err(format!("{place}: another key came back")),
        Some(difference) => Err(format!("{place}: {difference}")),
        None => Ok(()),
    }
}

impl Verdict<'_> {
    fn shown(&self, elapsed: Duration) -> String {
        let verdict = match (self.sent - self.read, self.read - self.equal) {
            (0, 0) => good("equal"),
            (0, different) => bad(format!("{} different", count(different))),
            (missing, _) => bad(format!("{} did not come back", count(missing))),
        };
        format!(
            "{}: sent {}, read back {}, {verdict}, {}",
            Printable(self.topic),
            count(self.sent),
            count(self.read),
            span(elapsed.as_secs_f64())
        )
    }
}
