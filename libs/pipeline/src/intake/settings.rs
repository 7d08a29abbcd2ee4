//! The consumer's librdkafka settings: what the promises stand on, and our defaults, which the operator's own override.

use rdkafka::ClientConfig;

use super::options::IntakeOptions;
use crate::memory::{AHEAD, ahead_setting};

/// The configuration of an intake's consumer.
pub(super) fn of_consumer(options: &IntakeOptions) -> ClientConfig {
    let mut config = options.config.clone();
    let ahead = ahead_setting(AHEAD);
    let mut defaults = vec![
        // With a range, they also say when it is read.
        (
            "statistics.interval.ms",
            if options.range.is_some() { "500" } else { "5000" },
        ),
        // New topics are seen within seconds: those of a regular expression, and those that init makes later.
        ("topic.metadata.refresh.interval.ms", "10000"),
        ("auto.offset.reset", &options.auto_offset_reset),
        ("fetch.wait.max.ms", "100"),
        ("queued.max.messages.kbytes", &ahead),
        // When all of that waits for us, librdkafka asks for more only after this long. Its own second is longer than we need
        // for them: we stood still until it was over.
        ("fetch.queue.backoff.ms", "20"),
        // An answer that has not come by then does not come: a commit to a coordinator that was killed a moment
        // before held up what was sent behind it for librdkafka's own 60 s, and the group went on without us.
        ("socket.timeout.ms", "15000"),
        // A flipped bit must not become a value.
        ("check.crcs", "true"),
    ];
    if config.get("group.protocol") != Some("consumer") {
        // With the protocol `consumer` the broker assigns, and librdkafka refuses to be told how.
        defaults.push(("partition.assignment.strategy", "cooperative-sticky"));
    }
    // Ours unless the operator says otherwise with -X.
    for (key, value) in defaults {
        if config.get(key).is_none() {
            config.set(key, value);
        }
    }
    // What the promises stand on cannot be set from outside: only finished prefixes are committed, by us.
    config.set("group.id", &options.group);
    config
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false");
    config
}
