//! What a group did not get to read: counted, logged, and said by `/ready` for a while.
//!
//! `/ready` stays 200: the stage works, and a 503 would hold up a rollout and mend nothing. Its body says what is gone for as
//! long as an operator who was called may take to look; what is to call him is the metric.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::kafka::Reporter;
use crate::lock;

/// How long `/ready` speaks of it.
const REMARK_DURATION: Duration = Duration::from_secs(3_600);

/// Messages that are gone, by topic since the process started.
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

    /// A topic is read: what it loses is counted from 0.
    pub(super) fn watch(&self, topic: &str) {
        let metrics = self.reporter.metrics();
        metrics.lost_to_retention.with_label_values(&[topic]);
        metrics.recreated.with_label_values(&[topic]);
    }

    /// The brokers have deleted so many offsets of a partition before they were read.
    pub(super) fn lost(&self, topic: &str, partition: i32, offsets: i64) {
        let Some(offsets) = u64::try_from(offsets).ok().filter(|offsets| *offsets > 0) else {
            return;
        };
        self.reporter
            .metrics()
            .lost_to_retention
            .with_label_values(&[topic])
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
            "retention deleted messages before they were read; reading goes on with the first that is left"
        );
        self.say(
            &format!("retention {topic}"),
            format!("{so_far} messages of {topic} were deleted by retention before they were read"),
        );
    }

    /// The topic was deleted and made anew.
    pub(super) fn recreated(&self, topic: &str, partition: i32) {
        tracing::warn!(
            topic,
            partition,
            "topic was deleted and made anew: read from its beginning; what was not read of the old one is gone"
        );
        self.begins_again(topic, "was deleted and made anew");
    }

    /// The log ends before the group's offset.
    pub(super) fn behind_the_end(&self, topic: &str, partition: i32, committed: i64) {
        tracing::warn!(
            topic,
            partition,
            committed,
            "partition ends before the group's offset: its topic was made anew, or brokers lost messages; read from its beginning"
        );
        self.begins_again(topic, "ended before the group's offset");
    }

    fn begins_again(&self, topic: &str, why: &str) {
        let recreated = &self.reporter.metrics().recreated;
        recreated.with_label_values(&[topic]).inc();
        self.say(
            &format!("recreated {topic}"),
            format!("{topic} {why}; it is read from its beginning"),
        );
    }

    fn say(&self, key: &str, text: String) {
        self.reporter.dependency().remark(key, text, REMARK_DURATION);
    }
}
