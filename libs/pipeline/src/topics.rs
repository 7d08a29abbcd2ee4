//! Makes topics: the output topics of `saltransform init`, and the dead-letter topic of each stage at its start.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::retry::Backoff;

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

/// Makes a stage's dead-letter topic if it is missing, and tries again while the broker is away. Runs beside the
/// messages: a dead letter that comes before its topic waits for it.
///
/// Where the broker lets us make no topics, it makes this one itself at the first dead letter, or refuses that one with
/// a clear error.
pub async fn make_dead_letter_topic(config: ClientConfig, topic: String) {
    const TRIES: usize = 20;
    const SHAPE: Shape = Shape {
        partitions: 1,
        replication: -1,
    };
    let mut backoff = Backoff::default();
    for _ in 0..TRIES {
        match create(&config, &[&topic], SHAPE, &[], Duration::from_secs(10))
            .await
            .as_deref()
        {
            Ok([Created::Refused(code)]) => {
                return tracing::warn!(topic, %code, "dead-letter topic cannot be made; create it by hand");
            }
            Ok(_) => return,
            Err(error) => {
                tracing::debug!(topic, error = %crate::chain(error), "dead-letter topic not made yet")
            }
        }
        tokio::time::sleep(backoff.next_wait(None)).await;
    }
    tracing::info!(
        topic,
        "dead-letter topic not made: the broker does not answer that request"
    );
}
