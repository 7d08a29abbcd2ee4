//! Notices that a topic was deleted and made anew while it is read.
//!
//! To librdkafka (2.12) it is the same topic: it goes on at its offset, or at the beginning if the new topic is not as long
//! as that. What the new one has before the offset would be passed over. The brokers tell them apart by the topic's id, which
//! is asked for at intervals on a thread of its own, as the question blocks; the poll thread seeks.

use std::collections::HashMap;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::context::IntakeContext;
use super::lag::AFTER_A_SEEK;
use crate::kafka::native::{self, TopicId};

/// How long the question may take.
const WAIT: Duration = Duration::from_secs(5);
/// How long a seek may take: it is local work of librdkafka.
const SEEK_WAIT: Duration = Duration::from_secs(5);

/// Asks at intervals until `over` is closed.
pub(super) fn watch(
    consumer: &BaseConsumer<IntakeContext>,
    interval: Duration,
    found: &Sender<HashMap<String, TopicId>>,
    over: &Receiver<()>,
) {
    while over.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        match native::topic_ids(consumer, consumer.context().assigned.topics(), WAIT) {
            // Full: the poll thread has not come to look at the last ones.
            Ok(ids) if !ids.is_empty() => drop(found.try_send(ids)),
            Ok(_) => {}
            Err(error) => tracing::debug!(error = %crate::chain(&error), "ids of topics unknown"),
        }
    }
}

/// Sends partitions to their beginning whose topic is another one than before. On the poll thread.
pub(super) fn compare(consumer: &BaseConsumer<IntakeContext>, ids: &HashMap<String, TopicId>) {
    let context = consumer.context();
    let mut changed = Vec::new();
    context
        .assigned
        .each(|topic, number, known| match (&known.topic_id, ids.get(topic)) {
            (None, Some(id)) => known.topic_id = Some(id.clone()),
            (Some(before), Some(id)) if before != id => changed.push((topic.to_owned(), number, id.clone())),
            _ => {}
        });
    if changed.is_empty() {
        return;
    }
    let mut list = TopicPartitionList::new();
    for (topic, number, _) in &changed {
        // The name came from such a list.
        let _ = list.add_partition_offset(topic, *number, Offset::Beginning);
    }
    context.fetched.forget(AFTER_A_SEEK);
    let sought = match consumer.seek_partitions(list, SEEK_WAIT) {
        Ok(sought) => sought,
        Err(error) => {
            return tracing::warn!(error = %crate::chain(&error), "a topic was made anew; its beginning is sought again");
        }
    };
    // A partition that stood still in front of a batch of the old topic goes on.
    context.blocked.starts(&sought);
    if !context.blocked.is_all_paused()
        && let Err(error) = consumer.resume(&sought)
    {
        tracing::warn!(error = %crate::chain(&error), "partitions of a topic that was made anew could not be resumed");
    }
    for (topic, number, id) in changed {
        if let Some(Err(error)) = sought
            .find_partition(&topic, number)
            .map(|element| element.error())
        {
            tracing::warn!(
                topic, partition = number, error = %crate::chain(&error),
                "topic was made anew; its beginning is sought again"
            );
            continue;
        }
        context.begins_anew(&topic, number, Some(id));
        context.losses.recreated(&topic, number);
    }
}
