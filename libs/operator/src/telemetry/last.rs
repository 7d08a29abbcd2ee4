//! A topic's newest message.

use std::collections::HashSet;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::messages::message::Message;
use crate::messages::reader::{Met, Reader, Start, Stop};

const POLL_TIMEOUT: Duration = Duration::from_millis(200);
/// Behind the last message of a partition, there may be markers of transactions.
const OFFSETS: i64 = 4;

/// The newest of the last messages of all partitions; none if the topic holds none.
pub fn last_message(cluster: &Cluster, topic: &str) -> Result<Option<Message>, Failure> {
    match newest(cluster, topic, Start::LastOffsets(OFFSETS))? {
        (message, true) => Ok(message),
        // The last offsets of a partition held no message.
        (_, false) => Ok(newest(cluster, topic, Start::Last(1))?.0),
    }
}

/// The newest message since the start, and whether there was one in each partition that has any offsets.
fn newest(cluster: &Cluster, topic: &str, start: Start) -> Result<(Option<Message>, bool), Failure> {
    let topic = cluster.topic(topic)?;
    let mut reader = Reader::open(cluster, topic, None, start, Stop::AtEnd)?;
    let partitions = reader.open_partitions();
    let (mut newest, mut seen) = (None::<Message>, HashSet::new());
    loop {
        match reader.next(POLL_TIMEOUT)? {
            Met::Message(message) => {
                seen.insert(message.partition);
                if newest
                    .as_ref()
                    .is_none_or(|newest| message.timestamp >= newest.timestamp)
                {
                    newest = Some(*message);
                }
            }
            Met::Nothing => {}
            Met::End => return Ok((newest, seen.len() == partitions)),
        }
    }
}
