//! What an intake reads and how.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rdkafka::ClientConfig;

use super::expression;
use super::time_range::TimeRange;

/// The topics of an intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topics {
    /// These.
    Named(Vec<String>),
    /// All whose name matches this regular expression, as they come into being.
    Matching(String),
}

impl Topics {
    /// The form that librdkafka subscribes to: an expression starts with `^`, and is one for the whole name.
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

    /// The question whether a topic is among them. An expression that only librdkafka understands matches none.
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
    /// The client's configuration: brokers, security, the operator's own settings. The intake sets what its promises
    /// stand on (no automatic commit) over it.
    pub config: ClientConfig,
    /// The consumer group.
    pub group: String,
    /// What to read.
    pub topics: Topics,
    /// Expressions, separated by commas, of the topics that an expression does not take in.
    pub except: Option<String>,
    /// `earliest` or `latest`, for a group without a committed offset.
    pub auto_offset_reset: String,
    /// Read each partition from its start, whatever was committed.
    pub rewind_to_start: bool,
    /// Read only this stretch of time, then end.
    pub range: Option<TimeRange>,
    /// How many workers work in parallel.
    pub workers: usize,
    /// The memory, in bytes, that messages in flight may take before the intake stops taking more.
    pub max_bytes: usize,
    /// The process's resident memory, in bytes, above which an eighth of `max_bytes` is the limit.
    pub max_resident: Option<usize>,
    /// Go on behind a batch that cannot be decoded, instead of standing still in front of it.
    pub skip_undecodable_batches: bool,
    /// How often finished prefixes are committed, or transactions ended.
    pub commit_interval: Duration,
    /// How long a client may get no answer from a cluster that answers others, before it is stuck.
    pub stuck_timeout: Duration,
    /// How often the ids of the topics are asked for, to notice those that were deleted and made anew.
    pub topic_ids_interval: Duration,
    /// Whether the process has read anything: its next clients begin no topic at the end, even if Kafka has deleted the group's
    /// offsets with the topics.
    pub has_read: Arc<AtomicBool>,
    /// How often a worker is ticked; see [`Worker::rest`](super::Worker::rest).
    pub tick_interval: Duration,
}

impl IntakeOptions {
    /// The usual: one worker a core, 64 MiB in flight, a commit a second, ticks of 5 ms.
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
            topic_ids_interval: Duration::from_secs(10),
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
