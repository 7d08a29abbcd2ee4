//! Bursts of messages into a topic at an interval, as observatories have them: ten thousand alerts each time that the
//! shutter closes. They come from files or from another topic, whose end is followed by its beginning.

mod source;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::messages::sender::{Lost, Outgoing, Sender};
use source::{Files, FromTopic, Source};

pub use source::Framing;

/// How soon a pause ends once it is to.
const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// Where the messages come from.
#[derive(Debug, Clone)]
pub enum Input {
    /// Files, one after the other.
    Files(Vec<PathBuf>, Framing),
    /// A topic, whose messages keep their keys and headers, from its oldest to its newest.
    Topic(String),
}

/// What to send.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where to.
    pub topic: String,
    /// What.
    pub input: Input,
    /// From the start of a chunk to the start of the next; a chunk that takes longer is followed at once.
    pub every: Duration,
    /// Messages of a chunk.
    pub chunk: u64,
    /// After how many messages it ends; without it, only when it is stopped.
    pub count: Option<u64>,
}

/// What an injection is doing.
#[derive(Debug)]
pub enum Step<'s> {
    /// It sends a chunk of this many messages.
    Sending(u64),
    /// Each message of the chunk has arrived or is lost.
    Sent {
        /// How long that took.
        took: Duration,
        /// The messages that did not arrive, by number.
        lost: &'s [Lost],
    },
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Where to.
    pub topic: String,
    /// In how many chunks.
    pub chunks: usize,
    /// Messages that have arrived.
    pub delivered: u64,
    /// Messages that have not.
    pub lost: usize,
    /// How often the input was begun.
    pub rounds: usize,
    /// Messages that went without their headers, as the names of those are not UTF-8.
    pub without_headers: usize,
}

/// Whether the files of an input can be read: to be asked before anything else.
pub fn check(input: &Input) -> Result<(), Failure> {
    match input {
        Input::Files(paths, framing) => Files::new(paths.clone(), *framing).map(drop),
        Input::Topic(_) => Ok(()),
    }
}

/// Sends chunks until as many messages are sent as the plan says, or until `is_stopped` is true: the chunk that is under way
/// is finished then. It is not finished if the answer is no longer wanted. Blocks.
pub fn run(
    cluster: &Cluster,
    plan: &Plan,
    is_stopped: &dyn Fn() -> bool,
    report: &dyn Fn(Step<'_>),
) -> Result<Report, Failure> {
    cluster.topic(&plan.topic)?;
    let source: Box<dyn Source + '_> = match &plan.input {
        Input::Topic(from) if *from == plan.topic => {
            return Err(Failure::Usage(format!(
                "{from} is the topic to send to: it would double in each round"
            )));
        }
        Input::Topic(from) => Box::new(FromTopic::new(cluster, cluster.topic(from)?)?),
        Input::Files(paths, framing) => Box::new(Files::new(paths.clone(), *framing)?),
    };
    let mut config = cluster.producer_config();
    config.set("linger.ms", "5").set("compression.type", "lz4");
    let mut injection = Injection {
        cluster,
        source,
        sender: Sender::new(config)?,
        sent: 0,
        report: Report {
            topic: plan.topic.clone(),
            chunks: 0,
            delivered: 0,
            lost: 0,
            rounds: 1,
            without_headers: 0,
        },
    };
    loop {
        let left = plan.count.map_or(plan.chunk, |count| count - injection.sent);
        let size = left.min(plan.chunk);
        let start = Instant::now();
        report(Step::Sending(size));
        injection.chunk(size)?;
        let lost = injection.sender.take_lost();
        injection.report.chunks += 1;
        injection.report.lost += lost.len();
        report(Step::Sent {
            took: start.elapsed(),
            lost: &lost,
        });
        if plan.count.is_some_and(|count| injection.sent >= count) {
            break;
        }
        while start.elapsed() < plan.every && !is_stopped() {
            cluster.check_wanted()?;
            std::thread::sleep(STOP_INTERVAL.min(plan.every.saturating_sub(start.elapsed())));
        }
        if is_stopped() {
            break;
        }
    }
    injection.report.delivered = injection.sender.delivered();
    Ok(injection.report)
}

/// An injection under way.
struct Injection<'c> {
    cluster: &'c Cluster,
    source: Box<dyn Source + 'c>,
    sender: Sender,
    sent: u64,
    report: Report,
}

impl Injection<'_> {
    /// Sends `size` messages and waits until each has arrived or is lost.
    fn chunk(&mut self, size: u64) -> Result<(), Failure> {
        let end = self.sent + size;
        let mut has_begun = false;
        while self.sent < end {
            self.cluster.check_wanted()?;
            let Some(message) = self.source.next()? else {
                if has_begun {
                    return Err(Failure::Usage("the input contains no messages".to_owned()));
                }
                self.source.restart()?;
                self.report.rounds += 1;
                has_begun = true;
                continue;
            };
            has_begun = false;
            self.sent += 1;
            self.report.without_headers += usize::from(message.headers.is_none());
            let outgoing = Outgoing {
                topic: &self.report.topic,
                partition: None,
                key: message.key.as_deref(),
                value: message.value.as_deref(),
                headers: message.headers.as_deref().unwrap_or_default(),
            };
            self.sender.send(&outgoing, self.sent);
        }
        self.sender.settle();
        Ok(())
    }
}
