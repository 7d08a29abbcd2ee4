//! Messages that were deleted before the group read them: counted, logged, and shown by `/ready` for a while.
//!
//! `/ready` stays 200: the stage works, and a 503 would block a rollout without helping. Its body reports the loss long
//! enough for an operator to look; alerts are based on the metric.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::kafka::Reporter;
use crate::lock;
use crate::text::plural;

/// How long `/ready` shows a loss.
const REMARK_DURATION: Duration = Duration::from_secs(3_600);

/// Lost messages since the process started, by topic.
pub(super) struct Losses {
    reporter: Reporter,
    lost: Mutex<HashMap<String, u64>>,
}

impl Losses {
    pub(super) fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            lost: Mutex::default(),
        }
    }

    /// A topic is assigned: its losses are counted from 0.
    pub(super) fn watch(&self, topic: &str) {
        let metrics = self.reporter.metrics();
        metrics.lost_to_retention.of(topic);
        metrics.recreated.of(topic);
    }

    /// The brokers have deleted this many offsets of a partition before they were read.
    pub(super) fn lost(&self, topic: &str, partition: i32, offsets: i64) {
        let Some(offsets) = u64::try_from(offsets).ok().filter(|offsets| *offsets > 0) else {
            return;
        };
        self.reporter
            .metrics()
            .lost_to_retention
            .of(topic)
            .inc_by(offsets);
        let so_far = {
            let mut lost = lock(&self.lost);
            let so_far = lost.entry(topic.to_owned()).or_default();
            *so_far += offsets;
            *so_far
        };
        tracing::error!(
            topic,
            partition,
            lost = offsets,
            "retention deleted messages before they were read; reading continues with the first that is left"
        );
        self.say(
            &format!("retention {topic}"),
            format!(
                "retention deleted {} of {topic} before they were read",
                plural(so_far, "message")
            ),
        );
    }

    /// The topic was deleted and recreated.
    pub(super) fn recreated(&self, topic: &str, partition: i32) {
        tracing::warn!(
            topic,
            partition,
            "topic was deleted and recreated: read from its beginning; unread messages of the old one are lost"
        );
        self.begins_again(topic, "was deleted and recreated");
    }

    /// The log ends before the group's offset.
    pub(super) fn behind_the_end(&self, topic: &str, partition: i32, committed: i64) {
        tracing::warn!(
            topic,
            partition,
            committed,
            "partition ends before the group's offset: its topic was recreated, or brokers lost messages; read from its beginning"
        );
        self.begins_again(topic, "ended before the group's offset");
    }

    fn begins_again(&self, topic: &str, why: &str) {
        self.reporter.metrics().recreated.of(topic).inc();
        self.say(
            &format!("recreated {topic}"),
            format!("{topic} {why}; it is read from its beginning"),
        );
    }

    fn say(&self, key: &str, text: String) {
        self.reporter.dependency().remark(key, text, REMARK_DURATION);
    }
}
