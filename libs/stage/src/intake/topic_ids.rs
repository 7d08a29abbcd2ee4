//! Notices that a topic was deleted and recreated while it is read.
//!
//! To librdkafka (2.12) it is the same topic: it continues at its offset, or at the beginning if the new topic is
//! shorter, and it may never learn the new leaders ([`GivenUp::Stale`](crate::kafka::GivenUp)). The brokers distinguish
//! the topics by their ids, which a separate thread requests at intervals, because the request blocks. The clients are
//! then recreated, and their successors read the new topic from its beginning.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::context::IntakeContext;
use crate::kafka::native::{self, TopicId};
use crate::lock;

/// The time for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Requests the ids at intervals until `over` is closed.
pub(super) fn watch(
    consumer: &BaseConsumer<IntakeContext>,
    interval: Duration,
    found: &Sender<HashMap<String, TopicId>>,
    over: &Receiver<()>,
) {
    while over.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        match native::topic_ids(
            consumer.client(),
            consumer.context().assigned.topics(),
            REQUEST_TIMEOUT,
        ) {
            // Full: the poll thread has not read the last ones yet.
            Ok(ids) if !ids.is_empty() => drop(found.try_send(ids)),
            Ok(_) => {}
            Err(error) => tracing::debug!(error = %crate::chain(&error), "ids of topics unknown"),
        }
    }
}

/// The topics as the client first saw them. librdkafka keeps their state even while their partitions are assigned to
/// other members.
#[derive(Debug, Default)]
pub(super) struct FirstIds(Mutex<HashMap<String, TopicId>>);

impl FirstIds {
    /// Notes ids. Returns a topic whose id has changed.
    fn note(&self, ids: &HashMap<String, TopicId>) -> Option<String> {
        let mut first = lock(&self.0);
        let mut other = None;
        for (topic, id) in ids {
            match first.get(topic) {
                Some(before) if before != id => other = Some(topic.clone()),
                Some(_) => {}
                None => drop(first.insert(topic.clone(), id.clone())),
            }
        }
        other
    }
}

/// The brokers have reported ids. If a topic's id differs from the one that the client first saw, the clients are
/// recreated.
pub(super) fn note(context: &IntakeContext, ids: &HashMap<String, TopicId>) {
    if let Some(topic) = context.topic_ids.note(ids)
        && !context.vitals.is_stale.swap(true, Ordering::Relaxed)
    {
        tracing::warn!(topic, "the consumer knows a topic that was deleted and recreated");
    }
}

/// Has the clients recreated if a topic's id has changed. On the poll thread.
pub(super) fn compare(context: &IntakeContext, ids: &HashMap<String, TopicId>) {
    let mut recreated = BTreeSet::new();
    context
        .assigned
        .each(|topic, number, known| match (&known.topic_id, ids.get(topic)) {
            (None, Some(id)) => known.topic_id = Some(id.clone()),
            (Some(before), Some(id)) if before != id => drop(recreated.insert((topic.to_owned(), number))),
            _ => {}
        });
    if recreated.is_empty() {
        return note(context, ids);
    }
    if context.vitals.is_stale.swap(true, Ordering::Relaxed) {
        return;
    }
    for (topic, number) in recreated {
        context.losses.recreated(&topic, number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_the_one_that_the_client_first_saw() {
        let ids = |id: &str| HashMap::from([("t".to_owned(), TopicId::parse(id).unwrap())]);
        let (one, another) = (ids("xtzWWN4bTjitpL3kfd9s5g"), ids("ztzWWN4bTjitpL3kfd9s5g"));
        let first = FirstIds::default();
        assert_eq!(first.note(&one), None);
        assert_eq!(first.note(&one), None);
        assert_eq!(first.note(&another).as_deref(), Some("t"));
        assert_eq!(first.note(&another).as_deref(), Some("t"), "for good");
    }
}
