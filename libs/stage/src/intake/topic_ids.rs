//! Notices that a topic was deleted and made anew while it is read.
//!
//! To librdkafka (2.12) it is the same topic: it goes on at its offset, or at the beginning if the new topic is not as long
//! as that, and it may never learn the new leaders ([`GivenUp::Stale`](crate::kafka::GivenUp)). The brokers tell the topics apart
//! by their ids, which are asked for at intervals on a thread of its own, as the question blocks. Then the clients are made
//! anew, and the next ones begin at the new topic's beginning.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::context::IntakeContext;
use crate::kafka::native::{self, TopicId};

/// How long the question may take.
const WAIT: Duration = Duration::from_secs(5);

/// Asks at intervals until `over` is closed.
pub(super) fn watch(
    consumer: &BaseConsumer<IntakeContext>,
    interval: Duration,
    found: &Sender<HashMap<String, TopicId>>,
    over: &Receiver<()>,
) {
    while over.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        match native::topic_ids(consumer.client(), consumer.context().assigned.topics(), WAIT) {
            // Full: the poll thread has not come to look at the last ones.
            Ok(ids) if !ids.is_empty() => drop(found.try_send(ids)),
            Ok(_) => {}
            Err(error) => tracing::debug!(error = %crate::chain(&error), "ids of topics unknown"),
        }
    }
}

/// Has the clients made anew if a topic is another one than before. On the poll thread.
pub(super) fn compare(context: &IntakeContext, ids: &HashMap<String, TopicId>) {
    let mut recreated = BTreeSet::new();
    context
        .assigned
        .each(|topic, number, known| match (&known.topic_id, ids.get(topic)) {
            (None, Some(id)) => known.topic_id = Some(id.clone()),
            (Some(before), Some(id)) if before != id => drop(recreated.insert((topic.to_owned(), number))),
            _ => {}
        });
    if recreated.is_empty() || context.vitals.is_stale.swap(true, Ordering::Relaxed) {
        return;
    }
    for (topic, number) in recreated {
        context.losses.recreated(&topic, number);
    }
}
