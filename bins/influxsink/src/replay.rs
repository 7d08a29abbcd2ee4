//! What `--from` and `--to` need besides the sink itself: a check of the topics before anything is read, a summary at
//! the end, and the removal of the group.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use prometheus::IntCounterVec;
use prometheus::core::Collector;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;
use stage::Printable;
use stage::intake::{TimeRange, Topics};
use stage::kafka::{ReachError, reach};
use stage::nearest::nearest;
use stage::service::{Dependency, Shutdown};
use stage::text::plural;
use tokio::runtime::Handle;

use crate::config::OutputConfig;
use crate::metrics::SinkMetrics;

/// How long unavailable brokers are waited for.
const BROKER_TIMEOUT: Duration = Duration::from_secs(60);
/// The time for one attempt to reach a broker.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The time for the removal of the group.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(15);

/// A replay cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No broker can be used.
    #[error("no broker lists the topics")]
    Kafka(#[from] ReachError),
    /// Named topics do not exist, or this user may not see them.
    #[error("there is no topic {}{}", names.join(", "), did_you_mean(nearest))]
    NoTopic {
        /// The topics.
        names: Vec<String>,
        /// Similar names.
        nearest: Vec<String>,
    },
    /// No topic's name matches.
    #[error("no topic matches {regex}{}", did_you_mean(nearest))]
    NoMatch {
        /// The expression.
        regex: String,
        /// What may have been meant.
        nearest: Vec<String>,
    },
}

fn did_you_mean(nearest: &[String]) -> String {
    match nearest {
        [] => "; `kafkaefd admin topics list` lists all".to_owned(),
        names => format!("; did you mean {}?", names.join(", ")),
    }
}

/// A replay whose topics exist.
pub(crate) struct Replay {
    range: TimeRange,
    group: String,
    is_passing: bool,
    topics: usize,
    partitions: usize,
}

/// The summary of a replay.
#[derive(Debug)]
struct Summary {
    window: String,
    is_read: bool,
    topics: usize,
    partitions: usize,
    records: u64,
    points: u64,
    dead_letters: u64,
    skipped: u64,
    group: String,
}

impl Replay {
    /// Checks the topics; waits for unavailable brokers. None if the service ends meanwhile.
    pub(crate) fn of(
        config: &OutputConfig,
        range: TimeRange,
        client: &ClientConfig,
        kafka: &Dependency,
        shutdown: &Shutdown,
    ) -> Result<Option<Self>, ReplayError> {
        let begun = Instant::now();
        let metadata = loop {
            match reach(client, POLL_INTERVAL) {
                Ok(metadata) => break metadata,
                Err(error) if begun.elapsed() > BROKER_TIMEOUT => return Err(error.into()),
                Err(_) if shutdown.is_set() => return Ok(None),
                Err(error) => kafka.down(stage::chain(&error)),
            }
        };
        let read = topics(&config.topics, &metadata, |topic| config.letters.has(topic))?;
        Ok(Some(Self {
            range,
            group: config.group.clone(),
            is_passing: config.is_passing,
            topics: read.len(),
            partitions: read.iter().map(|(_, partitions)| partitions).sum(),
        }))
    }

    /// Removes the group, unless it can be resumed, and reports the summary in the log and on stdout.
    pub(crate) fn end(
        self,
        is_read: bool,
        client: &ClientConfig,
        metrics: &SinkMetrics,
        runtime: &Handle,
    ) -> io::Result<()> {
        let group = if self.is_passing {
            match runtime.block_on(remove(client, &self.group)) {
                Ok(()) => format!("{}, removed", self.group),
                Err(why) => {
                    tracing::warn!(group = self.group, why, "group of the replay cannot be removed");
                    format!(
                        "{} stays ({why}): `kafkaefd groups delete {}` removes it",
                        self.group, self.group
                    )
                }
            }
        } else {
            format!(
                "{}, kept for others that share its name: `kafkaefd groups delete {}` removes it",
                self.group, self.group
            )
        };
        let summary = Summary {
            window: self.range.to_string(),
            is_read,
            topics: self.topics,
            partitions: self.partitions,
            records: metrics.consumed.get(),
            points: metrics.written.get(),
            dead_letters: sum(&metrics.dead_letters),
            skipped: sum(&metrics.skipped),
            group,
        };
        summary.log();
        let mut out = io::stdout().lock();
        writeln!(out, "{summary}")?;
        out.flush()
    }
}

impl Summary {
    fn log(&self) {
        tracing::info!(
            window = self.window,
            complete = self.is_read,
            topics = self.topics,
            partitions = self.partitions,
            records = self.records,
            points = self.points,
            dead_letters = self.dead_letters,
            skipped = self.skipped,
            group = self.group,
            "replay has ended"
        );
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = if self.is_read {
            self.window.clone()
        } else {
            format!("{}, not read to its end", self.window)
        };
        writeln!(f, "window        {window}")?;
        writeln!(
            f,
            "topics        {} ({})",
            self.topics,
            plural(self.partitions, "partition")
        )?;
        writeln!(f, "records       {}", self.records)?;
        writeln!(f, "points        {}", self.points)?;
        writeln!(f, "dead letters  {}", self.dead_letters)?;
        writeln!(f, "skipped       {}", self.skipped)?;
        write!(f, "group         {}", Printable(&self.group))?;
        if self.is_read && self.records == 0 {
            write!(
                f,
                "\nno record has a time in this window (Kafka's, not the record's own)"
            )?;
        }
        Ok(())
    }
}

/// The topics to read, with their partitions.
fn topics(
    asked: &Topics,
    metadata: &Metadata,
    is_passed_over: impl Fn(&str) -> bool,
) -> Result<Vec<(String, usize)>, ReplayError> {
    let there: Vec<(&str, usize)> = metadata
        .topics()
        .iter()
        .map(|topic| (topic.name(), topic.partitions().len()))
        .filter(|(_, partitions)| *partitions > 0)
        .collect();
    let near = |wrong: &str| {
        let names = there.iter().map(|(name, _)| *name);
        nearest(wrong, names.filter(|name| !name.starts_with("__")))
    };
    let read: Vec<(String, usize)> = there
        .iter()
        .filter(|(name, _)| asked.has(name) && !is_passed_over(name))
        .map(|(name, partitions)| ((*name).to_owned(), *partitions))
        .collect();
    match asked {
        Topics::Named(names) => {
            let is_missing = |name: &&String| !read.iter().any(|(found, _)| found == *name);
            let missing: Vec<String> = names.iter().filter(is_missing).cloned().collect();
            if let Some(first) = missing.first() {
                return Err(ReplayError::NoTopic {
                    nearest: near(first),
                    names: missing,
                });
            }
        }
        Topics::Matching(regex) if read.is_empty() => {
            let literal: String = regex.chars().filter(|c| !"^$\\()[]*+?|".contains(*c)).collect();
            return Err(ReplayError::NoMatch {
                regex: regex.clone(),
                nearest: near(&literal),
            });
        }
        Topics::Matching(_) => {}
    }
    Ok(read)
}

/// Removes a group. An error says why it stays.
async fn remove(client: &ClientConfig, group: &str) -> Result<(), String> {
    use RDKafkaErrorCode as Code;
    if stage::create_topics::logs_in_with_token(client) {
        return Err("groups cannot be removed with an OAUTHBEARER token".to_owned());
    }
    let admin: AdminClient<DefaultClientContext> = client.create().map_err(|error| stage::chain(&error))?;
    let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(5)));
    let begun = Instant::now();
    loop {
        let answer = admin.delete_groups(&[group], &options).await;
        let why = match answer.as_deref() {
            Ok([Ok(_)] | [Err((_, Code::GroupIdNotFound))]) => return Ok(()),
            Ok([Err((_, Code::NonEmptyGroup))]) => "others are members of it".to_owned(),
            Ok([Err((_, code @ (Code::GroupAuthorizationFailed | Code::ClusterAuthorizationFailed)))]) => {
                return Err(format!("this user lacks the right to delete it: {code}"));
            }
            Ok([Err((_, code))]) => code.to_string(),
            Ok(_) => "no answer".to_owned(),
            Err(error) => stage::chain(error),
        };
        if begun.elapsed() > REMOVE_TIMEOUT {
            return Err(why);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A counter with all its labels.
fn sum(counter: &IntCounterVec) -> u64 {
    let families = counter.collect();
    let metrics = families.iter().flat_map(|family| family.get_metric());
    metrics
        .map(|metric| metric.get_counter().get_value() as u64)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_what_was_done_and_what_was_not() {
        let summary = |is_read, records| {
            Summary {
                window: TimeRange {
                    from: Some(0),
                    to: 3_600_000,
                }
                .to_string(),
                is_read,
                topics: 2,
                partitions: 3,
                records,
                points: records,
                dead_letters: 0,
                skipped: 0,
                group: "influxsink.replay-1, removed".to_owned(),
            }
            .to_string()
        };
        assert_eq!(
            summary(true, 7),
            "window        1970-01-01T00:00:00Z to 1970-01-01T01:00:00Z\n\
             topics        2 (3 partitions)\n\
             records       7\n\
             points        7\n\
             dead letters  0\n\
             skipped       0\n\
             group         influxsink.replay-1, removed"
        );
        assert!(
            summary(true, 0).ends_with("no record has a time in this window (Kafka's, not the record's own)")
        );
        assert!(summary(false, 7).contains("not read to its end"));
    }

    #[test]
    fn a_name_that_is_not_there_says_what_may_have_been_meant() {
        let error = ReplayError::NoTopic {
            names: vec!["lsst.sal.Test_scalrs".to_owned()],
            nearest: vec!["lsst.sal.Test_scalars".to_owned()],
        };
        assert_eq!(
            error.to_string(),
            "there is no topic lsst.sal.Test_scalrs; did you mean lsst.sal.Test_scalars?"
        );
    }
}
