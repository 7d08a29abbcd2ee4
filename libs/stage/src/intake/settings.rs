//! The consumer's librdkafka settings: those that the guarantees depend on, and defaults that the operator can
//! override.

use rdkafka::ClientConfig;

use super::options::IntakeOptions;
use crate::memory::{AHEAD, limit_fetches};

/// The configuration of an intake's consumer.
pub(super) fn of_consumer(options: &IntakeOptions) -> ClientConfig {
    let mut config = options.config.clone();
    limit_fetches(&mut config, AHEAD);
    let mut defaults = vec![
        // With a range, they also show when it is read.
        (
            "statistics.interval.ms",
            if options.range.is_some() { "500" } else { "5000" },
        ),
        // New topics are noticed within seconds: those that match a regular expression, and those that init creates
        // later.
        ("topic.metadata.refresh.interval.ms", "10000"),
        // A fetch names all partitions, and the broker goes through them for each: the cost of an idle stage. A message
        // is answered with at once; what an idle broker is asked behind a fetch waits this long, such as the offsets of
        // partitions that are assigned.
        ("fetch.wait.max.ms", "250"),
        // An answer that is later than this does not arrive: a commit to a coordinator that had just been killed
        // blocked later requests for librdkafka's default of 60 s, and the group continued without this member.
        ("socket.timeout.ms", "15000"),
        // A flipped bit must not become a value.
        ("check.crcs", "true"),
    ];
    let broker_assigns = config.get("group.protocol") == Some("consumer");
    if !broker_assigns {
        // With the protocol `consumer` the broker assigns, and librdkafka rejects a local assignment strategy.
        defaults.push(("partition.assignment.strategy", "cooperative-sticky"));
    }
    // With it, librdkafka would wait for metadata of a topic that it has to ignore; such messages are skipped on
    // arrival instead.
    if let Some(except) = options.except.as_deref().filter(|_| !broker_assigns) {
        let operators = config.get("topic.blacklist").map(|list| format!("{list},"));
        let all = format!("{}{except}", operators.unwrap_or_default());
        config.set("topic.blacklist", all);
    }
    // Defaults, which -X overrides.
    for (key, value) in defaults {
        if config.get(key).is_none() {
            config.set(key, value);
        }
    }
    // What the guarantees depend on cannot be overridden: only finished prefixes are committed, by the intake itself.
    config.set("group.id", &options.group);
    config
        // The start of a new group is decided when partitions are assigned; an offset that is out of range never causes
        // messages to be skipped.
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false");
    config
}

/// Whether a group that has read nothing starts at the end: by the stage's option or librdkafka's equivalent.
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

    /// Producers share the operator's settings; a larger `message.max.bytes` is meant for them.
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
