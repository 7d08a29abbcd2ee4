//! Asks the brokers for the ends of partitions that are not fetched.
//!
//! librdkafka (2.12) learns the end of a partition from the answers to its fetches. While partitions are paused, because
//! downstream does not keep up or a batch cannot be decoded, its statistics repeat the last one, and the lag would stand
//! still while it grows.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::context::IntakeContext;
use super::{initial_offsets, lag};

/// Asks at intervals until `over` is closed. One request to each broker covers all partitions.
pub(super) fn watch(consumer: &BaseConsumer<IntakeContext>, interval: Duration, over: &Receiver<()>) {
    let context = consumer.context();
    while over.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        let list = context.assigned.list();
        if !context.blocked.holds_any() || list.count() == 0 {
            continue;
        }
        let ends = match initial_offsets::offsets(consumer, &list, Offset::End) {
            Ok(ends) => ends,
            Err(error) => {
                tracing::debug!(error = %crate::chain(&error), "ends of paused partitions unknown");
                continue;
            }
        };
        context.assigned.each(|topic, number, known| {
            if let Some(end) = ends.get(&(topic.to_owned(), number)) {
                known.end = Some(*end);
                lag::show(context, topic, number, known);
            }
        });
    }
}
