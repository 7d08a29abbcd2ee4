//! Sends greetings to Kafka one by one, and says where each one went.

use rdkafka::producer::{FutureProducer, FutureRecord};
use serde::Serialize;
use stage::kafka::OneShotContext;
use stage::sanitize::Printable;

use crate::terminal::{AnswerArgs, good, out};
use operator::cluster::{Cluster, REQUEST_TIMEOUT};
use operator::failure::Failure;

#[derive(Serialize)]
struct Answer<'a> {
    topic: &'a str,
    messages: Vec<Sent>,
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(super) struct Sent {
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// Sends `values` with the same key and prints each one's position once the broker has acknowledged it.
pub(super) async fn send(
    cluster: &Cluster,
    topic: &str,
    key: &str,
    values: impl Iterator<Item = Vec<u8>>,
    answer: AnswerArgs,
) -> Result<(), Failure> {
    let messages = deliver(cluster, topic, key, values, |sent| {
        if answer.json {
            return Ok(());
        }
        let position = format!(
            "{}[{}] at offset {}",
            Printable(topic),
            sent.partition,
            sent.offset
        );
        Ok(out(&format!("{}: {position}", good("delivered")))?)
    })
    .await?;
    if answer.json {
        crate::terminal::json(&Answer { topic, messages })?;
    }
    Ok(())
}

/// Sends `values` with the same key, and calls `on_delivery` with each one's position once the broker has acknowledged it.
pub(super) async fn deliver(
    cluster: &Cluster,
    topic: &str,
    key: &str,
    values: impl Iterator<Item = Vec<u8>>,
    on_delivery: impl Fn(Sent) -> Result<(), Failure>,
) -> Result<Vec<Sent>, Failure> {
    let producer: FutureProducer<OneShotContext> = cluster
        .producer_config()
        .create_with_context(OneShotContext::default())
        .map_err(Failure::kafka("creating a producer"))?;
    let mut messages = Vec::new();
    for value in values {
        let record = FutureRecord::to(topic).key(key).payload(&value);
        let delivery = producer
            .send(record, REQUEST_TIMEOUT)
            .await
            .map_err(|(error, _)| Failure::kafka(format!("producing to {topic}"))(error))?;
        let sent = Sent {
            partition: delivery.partition,
            offset: delivery.offset,
        };
        on_delivery(sent)?;
        messages.push(sent);
    }
    Ok(messages)
}
