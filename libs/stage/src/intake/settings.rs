//! The consumer's librdkafka settings: what the promises stand on, and our defaults, which the operator's own override.

use rdkafka::ClientConfig;

use super::options::IntakeOptions;
use crate::memory::{AHEAD, FETCH_LIMITS, ahead_setting};

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
    if FETCH_LIMITS.iter().all(|key| config.get(key).is_none()) {
        // Batches are unpacked whole, all of an answer at once, and more than this makes nothing quicker.
        defaults.push(("fetch.max.bytes", "1048576"));
        // What a zstd batch may unpack to, where no memory is bounded.
        defaults.push(("receive.message.max.bytes", "268435456"));
    }
    let broker_assigns = config.get("group.protocol") == Some("consumer");
    if !broker_assigns {
        // With the protocol `consumer` the broker assigns, and librdkafka refuses to be told how.
        defaults.push(("partition.assignment.strategy", "cooperative-sticky"));
    }
    // With it, librdkafka would wait for what it knows of a topic that it is told to ignore; whoever takes the messages passes
    // them over.
    if let Some(except) = options.except.as_deref().filter(|_| !broker_assigns) {
        let operators = config.get("topic.blacklist").map(|list| format!("{list},"));
        let all = format!("{}{except}", operators.unwrap_or_default());
        config.set("topic.blacklist", all);
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
        // Where a new group starts is decided when partitions are assigned; an offset that is out of range is never a reason
        // to pass anything over.
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false");
    config
}

/// Whether a group that has read nothing starts at the end: by our own option, or by the setting that it stands for.
pub(super) fn starts_at_latest(options: &IntakeOptions) -> bool {
    let setting = options.config.get("auto.offset.reset");
    matches!(
        setting.unwrap_or(&options.auto_offset_reset),
        "latest" | "largest" | "end"
    )
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;

    use super::super::options::Topics;
    use super::*;

    /// Producers share the operator's settings: a larger `message.max.bytes` is meant for them.
    #[test]
    fn librdkafka_takes_our_settings_beside_the_operators() {
        for (key, value) in [
            ("client.id", "x"),
            ("message.max.bytes", "50000000"),
            ("fetch.max.bytes", "500000000"),
            ("receive.message.max.bytes", "100000000"),
        ] {
            let mut config = ClientConfig::new();
            config.set(key, value);
            let options = IntakeOptions::new(config, "g", Topics::Named(vec!["t".to_owned()]));
            let made = of_consumer(&options).create::<BaseConsumer>();
            assert!(made.is_ok(), "{key}: {:?}", made.err());
        }
    }
}
