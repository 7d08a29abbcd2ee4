//! Sends greetings to Kafka one by one and prints the partition and offset of each.

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

#[derive(Serialize)]
struct Sent {
    partition: i32,
    offset: i64,
}

/// Sends `values` with the same key and prints each one's position once the broker has acknowledged it.
pub(super) async fn send(
    cluster: &Cluster,
    topic: &str,
    key: &str,
    values: impl Iterator<Item = Vec<u8>>,
    answer: AnswerArgs,
) -> Result<(), Failure> {
    let producer: FutureProducer<OneShotContext> = cluster
        .producer_config()
        .create_with_context(OneShotContext::default())
        .map_err(Failure::kafka("creating a producer"))?;
    let mut sent = Answer {
        topic,
        messages: Vec::new(),
    };
    for value in values {
        let record = FutureRecord::to(topic).key(key).payload(&value);
        let delivery = producer
            .send(record, REQUEST_TIMEOUT)
            .await
            .map_err(|(error, _)| Failure::kafka(format!("producing to {topic}"))(error))?;
        if !answer.json {
            out(&format!(
                "{}: {}[{}] at offset {}",
                good("delivered"),
                Printable(topic),
                delivery.partition,
                delivery.offset
            ))?;
        }
        sent.messages.push(Sent {
            partition: delivery.partition,
            offset: delivery.offset,
        });
    }
    if answer.json {
        crate::terminal::json(&sent)?;
    }
    Ok(())
}
