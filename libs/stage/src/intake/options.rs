//! What an intake reads and how.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rdkafka::ClientConfig;

use super::expression;
use super::time_range::TimeRange;
use crate::metrics::Subsystems;

/// The topics of an intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topics {
    /// Topics by name.
    Named(Vec<String>),
    /// All topics whose name matches this regular expression, also those created later.
    Matching(String),
}

impl Topics {
    /// The subscription for librdkafka: an expression starts with `^` and matches the whole name.
    pub(super) fn subscription(&self) -> Vec<String> {
        match self {
            Self::Named(names) => names.clone(),
            Self::Matching(regex) => vec![expression::whole_name(regex).unwrap_or_else(|| {
                if regex.starts_with('^') {
                    regex.clone()
                } else {
                    format!("^.*({regex})")
                }
            })],
        }
    }

    /// Whether a topic is among them.
    pub fn has(&self, topic: &str) -> bool {
        self.test()(topic)
    }

    /// A predicate for topics. An expression that only librdkafka understands matches none.
    pub(super) fn test(&self) -> Box<dyn Fn(&str) -> bool + '_> {
        match self {
            Self::Named(names) => Box::new(|topic| names.iter().any(|name| name == topic)),
            Self::Matching(regex) => {
                let regex = regex::Regex::new(regex);
                Box::new(move |topic| regex.as_ref().is_ok_and(|regex| regex.is_match(topic)))
            }
        }
    }
}

/// How an intake reads.
#[derive(Debug, Clone)]
pub struct IntakeOptions {
    /// The client's configuration: brokers, security, the operator's own settings. The intake overrides what its
    /// guarantees depend on (no automatic commit).
    pub config: ClientConfig,
    /// The consumer group.
    pub group: String,
    /// What to read.
    pub topics: Topics,
    /// Expressions, separated by commas, of the topics that an expression excludes.
    pub except: Option<String>,
    /// `earliest` or `latest`, for a group without a committed offset.
    pub auto_offset_reset: String,
    /// Read each partition from its start, whatever is committed.
    pub rewind_to_start: bool,
    /// Read only this time range, then end.
    pub range: Option<TimeRange>,
    /// How many workers work in parallel.
    pub workers: usize,
    /// The memory, in bytes, of messages in flight above which the intake stops consuming.
    pub max_bytes: usize,
    /// The process's resident memory, in bytes, above which an eighth of `max_bytes` is the limit.
    pub max_resident: Option<usize>,
    /// Continue after a batch that cannot be decoded instead of blocking the partition.
    pub skip_undecodable_batches: bool,
    /// How often finished prefixes are committed or transactions end.
    pub commit_interval: Duration,
    /// How long a client may get no answer from a cluster that answers other clients before it counts as stuck.
    pub stuck_timeout: Duration,
    /// How long a client that gets answers may make no progress; without one, it follows from `stuck_timeout`.
    pub answered_timeout: Option<Duration>,
    /// How often topic ids are requested, to notice recreated topics.
    pub topic_ids_interval: Duration,
    /// How often the ends of partitions that are not fetched are requested.
    pub ends_interval: Duration,
    /// Shows the age of unfinished messages, and the newest finished ones.
    pub subsystems: Subsystems,
    /// Whether the process has read anything. Its next clients then start no topic at the end, even if Kafka has
    /// deleted the group's offsets with the topics.
    pub has_read: Arc<AtomicBool>,
    /// How often a worker is ticked; see [`Worker::rest`](super::Worker::rest).
    pub tick_interval: Duration,
}

impl IntakeOptions {
    /// The defaults: one worker per core, 64 MiB in flight, a commit per second, ticks of 5 ms.
    pub fn new(config: ClientConfig, group: impl Into<String>, topics: Topics) -> Self {
        Self {
            config,
            group: group.into(),
            topics,
            except: None,
            auto_offset_reset: "earliest".to_owned(),
            rewind_to_start: false,
            range: None,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            max_bytes: 64 << 20,
            max_resident: None,
            skip_undecodable_batches: false,
            commit_interval: Duration::from_secs(1),
            stuck_timeout: Duration::from_secs(60),
            answered_timeout: None,
            topic_ids_interval: Duration::from_secs(10),
            ends_interval: Duration::from_secs(5),
            subsystems: Subsystems::default(),
            has_read: Arc::default(),
            tick_interval: Duration::from_millis(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_matches_anywhere_unless_it_is_anchored() {
        assert_eq!(
            Topics::Matching("^lsst\\.sal\\.".into()).subscription(),
            ["^(lsst\\.sal\\..*)$"]
        );
        assert_eq!(
            Topics::Matching("MTMount".into()).subscription(),
            ["^(.*MTMount.*)$"]
        );
        // Only librdkafka understands it.
        assert_eq!(Topics::Matching(r"^(a)\1".into()).subscription(), [r"^(a)\1"]);
    }
}
