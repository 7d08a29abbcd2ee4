//! A topic's newest message.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::messages::message::Message;
use crate::messages::reader::{Met, Reader, Start, Stop};

const POLL_TIMEOUT: Duration = Duration::from_millis(200);

/// The newest of the last messages of all partitions; none if the topic holds none.
pub fn last_message(cluster: &Cluster, topic: &str) -> Result<Option<Message>, Failure> {
    let topic = cluster.topic(topic)?;
    let mut reader = Reader::open(cluster, topic, None, Start::Last(1), Stop::AtEnd)?;
    let mut newest: Option<Message> = None;
    loop {
        match reader.next(POLL_TIMEOUT)? {
            Met::Message(message) => {
                if newest
                    .as_ref()
                    .is_none_or(|newest| message.timestamp >= newest.timestamp)
                {
                    newest = Some(*message);
                }
            }
            Met::Nothing => {}
            Met::End => return Ok(newest),
        }
    }
}
