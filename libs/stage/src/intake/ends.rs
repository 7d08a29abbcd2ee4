//! Asks the brokers for the ends of partitions whose statistics may stand still.
//!
//! librdkafka (2.12) learns the end of a partition from the answers to its fetches. While partitions are paused, because
//! downstream does not keep up or a batch cannot be decoded, or are not fetched at all (`stalls.rs`), its statistics repeat
//! the last one, and the lag would stand still while it grows.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::assigned::Known;
use super::blocked::Key;
use super::context::IntakeContext;
use super::{initial_offsets, lag};

/// Asks at intervals until `over` is closed, while partitions are paused.
pub(super) fn watch(consumer: &BaseConsumer<IntakeContext>, interval: Duration, over: &Receiver<()>) {
    let context = consumer.context();
    while over.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        let list = context.assigned.list();
        if context.blocked.holds_any() && list.count() > 0 {
            ask(consumer, &list, |_, _, _| {});
        }
    }
}

/// Asks for the ends of these partitions (`kafka/parts.rs`: few requests), shows their lag, and calls `note` with each end
/// that is known.
pub(super) fn ask(
    consumer: &BaseConsumer<IntakeContext>,
    list: &TopicPartitionList,
    note: impl Fn(&Key, &mut Known, i64),
) {
    let context = consumer.context();
    match initial_offsets::offsets(consumer, list, Offset::End) {
        Err(error) => tracing::debug!(error = %crate::chain(&error), "ends of partitions unknown"),
        Ok(ends) => {
            for (key, end) in ends {
                context.assigned.update(&key.0, key.1, |known| {
                    known.end = Some(end);
                    lag::show(context, &key.0, key.1, known);
                    note(&key, known, end);
                });
            }
        }
    }
}
