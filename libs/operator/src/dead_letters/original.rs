//! The original of a dead letter that did not fit into its topic: such a dead letter holds only the lengths of what it omits,
//! and the rest is read from its origin.

use std::collections::HashMap;
use std::time::Instant;

use super::POLL_TIMEOUT;
use super::dead_letter::{DeadLetter, Origin};
use crate::cluster::{Cluster, PartitionOffsets, REQUEST_TIMEOUT};
use crate::failure::Failure;
use crate::messages::message::Message;
use crate::messages::reader::{Met, Reader, Start, Stop};

const GONE: &str = "its bytes did not fit into the letter, and are gone from that topic";

/// The offsets that origins' topics hold; each topic is asked for once.
#[derive(Debug, Default)]
pub(super) struct Held(HashMap<String, Vec<PartitionOffsets>>);

impl Held {
    /// Why what a dead letter omits can no longer be read, as far as offsets tell.
    pub(super) fn obstacle(
        &mut self,
        cluster: &Cluster,
        letter: &DeadLetter,
    ) -> Result<Option<&'static str>, Failure> {
        let (Some(_), Some(origin)) = (letter.omitted, &letter.origin) else {
            return Ok(None);
        };
        if !self.0.contains_key(&origin.topic) {
            let offsets = cluster.offsets(cluster.topic(&origin.topic)?)?;
            self.0.insert(origin.topic.clone(), offsets);
        }
        let is_there = self.0.get(&origin.topic).into_iter().flatten().any(|held| {
            held.partition == origin.partition && (held.oldest..held.newest).contains(&origin.offset)
        });
        Ok((!is_there).then_some(GONE))
    }
}

/// Adds what a dead letter omits; why that is impossible, if it is.
pub(super) fn complete(
    cluster: &Cluster,
    letter: DeadLetter,
) -> Result<Result<DeadLetter, &'static str>, Failure> {
    let (Some(_), Some(origin)) = (letter.omitted, &letter.origin) else {
        return Ok(Ok(letter));
    };
    Ok(match read(cluster, origin)? {
        Some(found) => letter.completed(found),
        None => Err(GONE),
    })
}

/// The message at an origin, if it is still there.
fn read(cluster: &Cluster, origin: &Origin) -> Result<Option<Message>, Failure> {
    let topic = cluster.topic(&origin.topic)?;
    let start = Start::At(origin.offset);
    let mut reader = Reader::open(cluster, topic, Some(origin.partition), start, Stop::AtEnd)?;
    let begun = Instant::now();
    while begun.elapsed() < REQUEST_TIMEOUT {
        match reader.next(POLL_TIMEOUT)? {
            Met::Message(message) => return Ok((message.offset == origin.offset).then_some(*message)),
            Met::Nothing => {}
            Met::End => return Ok(None),
        }
    }
    Ok(None)
}
