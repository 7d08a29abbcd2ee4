//! The message that a letter could not hold, read from where it came from: a letter that its topic does not take whole only says
//! what it left out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::dead_letter::{Letter, Origin};
use operator::cluster::{Cluster, PATIENCE, PartitionOffsets};
use operator::failure::Failure;
use operator::messages::message::Message;
use operator::messages::reader::{Met, Reader, Start, Stop};

/// How long Kafka may say nothing before it is asked again.
const POLL: Duration = Duration::from_millis(500);
/// Why a letter stays.
const GONE: &str = "its bytes did not fit into the letter, and are gone from that topic";

/// Which offsets the topics hold that letters came from; asked for once.
#[derive(Debug, Default)]
pub(super) struct Held(HashMap<String, Vec<PartitionOffsets>>);

impl Held {
    /// Why what the letter lacks cannot be read any more, as far as offsets tell.
    pub(super) fn obstacle(
        &mut self,
        cluster: &Cluster,
        letter: &Letter,
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

/// The letter with all of its message; why that cannot be had, if it cannot.
pub(super) fn complete(cluster: &Cluster, letter: Letter) -> Result<Result<Letter, &'static str>, Failure> {
    let (Some(_), Some(origin)) = (letter.omitted, &letter.origin) else {
        return Ok(Ok(letter));
    };
    Ok(match read(cluster, origin)? {
        Some(found) => letter.completed(found),
        None => Err(GONE),
    })
}

/// The message at an origin, if it is there.
fn read(cluster: &Cluster, origin: &Origin) -> Result<Option<Message>, Failure> {
    let topic = cluster.topic(&origin.topic)?;
    let start = Start::At(origin.offset);
    let mut reader = Reader::open(cluster, topic, Some(origin.partition), start, Stop::AtEnd)?;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match reader.next(POLL)? {
            Met::Message(message) => return Ok((message.offset == origin.offset).then_some(*message)),
            Met::Nothing => {}
            Met::End => return Ok(None),
        }
    }
    Ok(None)
}
