//! Makes topics: the output topics of `saltransform init`, and the dead-letter topic of each stage at its start.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// How many partitions and copies a new topic gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Partitions.
    pub partitions: i32,
    /// Copies of each; -1 leaves it to the broker.
    pub replication: i32,
}

/// What became of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New,
    /// It was there before, and stays as it was.
    Existing,
    /// The broker refuses it, in its own words.
    Refused(RDKafkaErrorCode),
}

/// Creates those of `names` that do not exist; answers in the order of `names`.
///
/// One request carries all of them; the broker is waited for as long as `timeout`.
pub async fn create(
    config: &ClientConfig,
    names: &[&str],
    shape: Shape,
    settings: &[(&str, &str)],
    timeout: Duration,
) -> Result<Vec<Created>, KafkaError> {
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let topics: Vec<NewTopic<'_>> = names
        .iter()
        .map(|name| {
            let topic = NewTopic::new(name, shape.partitions, TopicReplication::Fixed(shape.replication));
            settings
                .iter()
                .fold(topic, |topic, (key, value)| topic.set(key, value))
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(timeout))
        .operation_timeout(Some(timeout));
    let answers = admin.create_topics(&topics, &options).await?;
    Ok(answers
        .into_iter()
        .map(|answer| match answer {
            Ok(_) => Created::New,
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Created::Existing,
            Err((_, code)) => Created::Refused(code),
        })
        .collect())
}
