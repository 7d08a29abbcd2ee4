//! An observatory's load: as many messages through as many topics, to see whether a cluster sustains them.
//!
//! ```text
//!  sender 0 ─▶ its topics ─▶ receiver 0        (each a thread with a client of its own)
//!  sender 1 ─▶ its topics ─▶ receiver 1
//! ```
//! Every message carries its number and the time at which it was due (`stamp`), so that lost messages are counted, and late
//! ones are noticed even where the producers themselves fall behind.

mod measure;
mod receiver;
mod report;
mod sender;
mod stamp;

use std::time::Duration;

use rdkafka::admin::{AdminClient, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use stage::create_topics::{Created, Shape, create};
use stage::unix_micros;

use crate::cluster::{Cluster, REQUEST_TIMEOUT};
use crate::failure::Failure;
use crate::progress::Progress;

pub use report::{Latency, Report};
/// The smallest message, in bytes.
pub use stamp::STAMP as MIN_MESSAGE_SIZE;

/// How many topics one request creates or deletes.
const TOPICS_AT_ONCE: usize = 500;

/// What to send.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many topics; they are shared out among the producers.
    pub topics: u32,
    /// Messages per second in each topic.
    pub rate: f64,
    /// The size of a message in bytes, at least [`MIN_MESSAGE_SIZE`].
    pub size: u32,
    /// How many producers, each with a consumer of its own.
    pub producers: u32,
    /// How long to send.
    pub duration: Duration,
    /// What the topics' names begin with; the number of the run and of the topic follow.
    pub prefix: String,
    /// Partitions of each topic.
    pub partitions: i32,
    /// Replicas of each partition; -1 is the brokers' default.
    pub replication: i32,
    /// Whether the topics stay at the end.
    pub keep: bool,
}

/// What a load is doing.
#[derive(Debug, Clone, Copy)]
pub enum Step<'s> {
    /// It creates so many topics.
    Creating(usize),
    /// It sends the first message to each topic.
    Connecting,
    /// It sends; counted is what was received.
    Sending(Progress),
    /// It deletes so many topics.
    Deleting(usize),
    /// It leaves the topics there whose names begin so.
    Keeping(&'s str),
}

/// What came of a load.
#[derive(Debug)]
pub struct Outcome {
    /// What was measured.
    pub report: Report,
    /// What the topics' names begin with.
    pub topics: String,
    /// How many topics could not be deleted.
    pub left: usize,
}

/// Creates the topics, sends, and deletes the topics even after a failure. It ends early, with its report, once
/// `is_stopped` is true or the answer is no longer wanted.
pub fn run(
    cluster: &Cluster,
    plan: &Plan,
    is_stopped: &(dyn Fn() -> bool + Sync),
    report: &dyn Fn(Step<'_>),
) -> Result<Outcome, Failure> {
    let run = unix_micros().unsigned_abs();
    let topics = format!("{}.{run:x}", plan.prefix);
    let names: Vec<String> = (0..plan.topics)
        .map(|number| format!("{topics}.{number:05}"))
        .collect();
    let is_stopped = || is_stopped() || cluster.check_wanted().is_err();
    report(Step::Creating(names.len()));
    let measured = create_topics(cluster, plan, &names)
        .and_then(|()| measure::measure(cluster, plan, &names, run, &is_stopped, report));
    let left = if plan.keep {
        report(Step::Keeping(&topics));
        0
    } else {
        report(Step::Deleting(names.len()));
        delete_topics(cluster, &names)?
    };
    Ok(Outcome {
        report: measured?,
        topics,
        left,
    })
}

fn create_topics(cluster: &Cluster, plan: &Plan, names: &[String]) -> Result<(), Failure> {
    let shape = Shape {
        partitions: plan.partitions,
        replication: plan.replication,
    };
    for some in names.chunks(TOPICS_AT_ONCE) {
        cluster.check_wanted()?;
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        let created = Cluster::wait(create(&cluster.config(), &some, shape, &[], REQUEST_TIMEOUT))
            .map_err(Failure::kafka("making topics"))?;
        let refused = created.into_iter().find_map(|created| match created {
            Created::Refused(code) => Some(code),
            Created::New | Created::Existing => None,
        });
        if let Some(code) = refused {
            return Err(Failure::Refused {
                what: "making topics".to_owned(),
                reason: code.to_string(),
                hint: "another --prefix or --replication, or a user that may make topics".to_owned(),
            });
        }
    }
    Ok(())
}

/// Deletes the topics of this run, wanted or not; returns how many are left.
fn delete_topics(cluster: &Cluster, names: &[String]) -> Result<usize, Failure> {
    let admin: AdminClient<DefaultClientContext> = cluster
        .config()
        .create()
        .map_err(Failure::kafka("making an admin client"))?;
    let mut left = 0;
    for some in names.chunks(TOPICS_AT_ONCE) {
        let names: Vec<&str> = some.iter().map(String::as_str).collect();
        let options = Cluster::admin_options();
        left += match Cluster::wait(admin.delete_topics(&names, &options)) {
            Ok(answers) => {
                // A topic that was never created is not left.
                let is_gone = |answer: &&TopicResult| {
                    matches!(
                        answer,
                        Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition))
                    )
                };
                names.len().saturating_sub(answers.iter().filter(is_gone).count())
            }
            Err(_) => names.len(),
        };
    }
    Ok(left)
}
