//! Asks the brokers for the ends of partitions whose statistics may stand still.
//!
//! librdkafka (2.12) learns the end of a partition from the answers to its fetches. While partitions are paused, because
//! downstream does not keep up or a batch cannot be decoded, or are not fetched at all (`stalls.rs`), its statistics repeat
//! the last one, and the lag would stand still while it grows.

use std::collections::HashMap;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::blocked::Key;
use super::context::IntakeContext;
use super::{initial_offsets, lag};

/// Asks at intervals until `over` is closed, while partitions are paused.
pub(super) fn watch(consumer: &BaseConsumer<IntakeContext>, interval: Duration, over: &Receiver<()>) {
    let context = consumer.context();
    while over.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        let list = context.assigned.list();
        if context.blocked.holds_any() && list.count() > 0 {
            ask(consumer, &list);
        }
    }
}

/// Asks for the ends of these partitions, with one request to each broker, and shows their lag. Without an answer there are
/// none.
pub(super) fn ask(consumer: &BaseConsumer<IntakeContext>, list: &TopicPartitionList) -> HashMap<Key, i64> {
    let context = consumer.context();
    let ends = initial_offsets::offsets(consumer, list, Offset::End).unwrap_or_else(|error| {
        tracing::debug!(error = %crate::chain(&error), "ends of partitions unknown");
        HashMap::new()
    });
    for ((topic, number), end) in &ends {
        context.assigned.update(topic, *number, |known| {
            known.end = Some(*end);
            lag::show(context, topic, *number, known);
        });
    }
    ends
}
