//! Sends greetings to Kafka one by one, and says where each one went.

use operator::cluster::Cluster;
use operator::failure::Failure;
use operator::messages::sender::{Outgoing, Position, Sender};
use serde::Serialize;
use stage::sanitize::Printable;

use crate::terminal::{AnswerArgs, good, out};

#[derive(Serialize)]
struct Answer<'a> {
    topic: &'a str,
    messages: Vec<Position>,
}

/// Sends `values` with the same key and prints each one's position once the broker has acknowledged it.
pub(super) fn send(
    cluster: &Cluster,
    topic: &str,
    key: &str,
    values: impl Iterator<Item = Vec<u8>>,
    answer: AnswerArgs,
) -> Result<(), Failure> {
    let messages = deliver(cluster, topic, key, values, |place| {
        if answer.json {
            return Ok(());
        }
        let place = format!(
            "{}[{}] at offset {}",
            Printable(topic),
            place.partition,
            place.offset
        );
        Ok(out(&format!("{}: {place}", good("delivered")))?)
    })?;
    if answer.json {
        crate::terminal::json(&Answer { topic, messages })?;
    }
    Ok(())
}

/// Sends `values` with the same key, and calls `on_delivery` with each one's position once the broker has acknowledged it.
pub(super) fn deliver(
    cluster: &Cluster,
    topic: &str,
    key: &str,
    values: impl Iterator<Item = Vec<u8>>,
    on_delivery: impl Fn(Position) -> Result<(), Failure>,
) -> Result<Vec<Position>, Failure> {
    let sender = Sender::new(cluster.producer_config())?;
    let mut messages = Vec::new();
    for value in values {
        let message = Outgoing {
            topic,
            key: Some(key.as_bytes()),
            value: Some(&value),
            ..Outgoing::default()
        };
        let position = sender
            .deliver(&message)
            .map_err(Failure::kafka(format!("producing to {topic}")))?;
        on_delivery(position)?;
        messages.push(position);
    }
    Ok(messages)
}
