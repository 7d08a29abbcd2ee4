//! Creates topics: the output topics of `saltransform init`, and the dead-letter topic of each stage when it starts.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};

use crate::dead_letter::TOPIC_LIMIT;
use crate::kafka::OneShotContext;
use crate::retry::Backoff;

/// The partitions and replicas of a new topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Partitions.
    pub partitions: i32,
    /// Replicas of each; -1 leaves it to the broker.
    pub replication: i32,
}

/// The result for one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New,
    /// It existed before and is unchanged.
    Existing,
    /// The broker refuses it.
    Refused(RDKafkaErrorCode),
}

/// Creates those of `names` that do not exist; the results are in the order of `names`.
///
/// One request covers all of them and waits for the broker for at most `timeout`. Not with OAUTHBEARER tokens, which
/// rdkafka does not pass to its admin client.
pub async fn create(
    config: &ClientConfig,
    names: &[&str],
    shape: Shape,
    settings: &[(&str, &str)],
    timeout: Duration,
) -> Result<Vec<Created>, KafkaError> {
    request(config, names, shape, settings, timeout, false).await
}

/// Asks the broker what [`create`] would do, and creates nothing.
pub async fn validate(
    config: &ClientConfig,
    names: &[&str],
    shape: Shape,
    settings: &[(&str, &str)],
    timeout: Duration,
) -> Result<Vec<Created>, KafkaError> {
    request(config, names, shape, settings, timeout, true).await
}

async fn request(
    config: &ClientConfig,
    names: &[&str],
    shape: Shape,
    settings: &[(&str, &str)],
    timeout: Duration,
    validate_only: bool,
) -> Result<Vec<Created>, KafkaError> {
    if logs_in_with_token(config) {
        return Err(KafkaError::AdminOpCreation(
            "topics cannot be created with an OAUTHBEARER token; use a client certificate or SCRAM for this, or Kafka's own \
             tools"
                .to_owned(),
        ));
    }
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
        .operation_timeout(Some(timeout))
        .validate_only(validate_only);
    let answers = admin.create_topics(&topics, &options).await?;
    results(names.len(), answers)
}

/// The result for each topic. An answer that lacks one of them tells nothing of any.
fn results(asked: usize, answers: Vec<TopicResult>) -> Result<Vec<Created>, KafkaError> {
    if answers.len() != asked {
        return Err(KafkaError::AdminOp(RDKafkaErrorCode::BadMessage));
    }
    let result = |answer| match answer {
        Ok(_) => Created::New,
        Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Created::Existing,
        Err((_, code)) => Created::Refused(code),
    };
    Ok(answers.into_iter().map(result).collect())
}

/// Whether a client authenticates with an OAUTHBEARER token, which rdkafka does not pass to its admin client.
pub fn logs_in_with_token(config: &ClientConfig) -> bool {
    let mechanism = config
        .get("sasl.mechanisms")
        .or_else(|| config.get("sasl.mechanism"));
    mechanism.is_some_and(|mechanism| mechanism.eq_ignore_ascii_case("OAUTHBEARER"))
}

/// Whether a topic exists and is visible to this user. Brokers refuse to create a topic before they check whether it
/// exists.
fn is_there(config: &ClientConfig, topic: &str) -> bool {
    let Ok(client) = config.create_with_context::<_, BaseProducer<OneShotContext>>(OneShotContext::default())
    else {
        return false;
    };
    let found = client
        .client()
        .fetch_metadata(Some(topic), Duration::from_secs(10));
    found.is_ok_and(|found| {
        found
            .topics()
            .iter()
            .any(|found| found.name() == topic && found.error().is_none())
    })
}

/// Creates a stage's dead-letter topic if it is missing, and retries while the broker is unavailable. Runs beside the
/// messages: an earlier dead letter waits for the topic. The topic accepts larger messages than others, because a dead
/// letter is larger than its message.
///
/// If the broker does not allow this user to create topics, it creates this one itself with the first dead letter, or
/// refuses that with a clear error.
pub async fn make_dead_letter_topic(config: ClientConfig, topic: String) {
    const TRIES: usize = 20;
    const SHAPE: Shape = Shape {
        partitions: 1,
        replication: -1,
    };
    if logs_in_with_token(&config) {
        return tracing::info!(
            topic,
            "dead-letter topic is not created with an OAUTHBEARER token: it has to exist"
        );
    }
    let mut settings = &[("max.message.bytes", TOPIC_LIMIT)][..];
    let mut backoff = Backoff::default();
    for _ in 0..TRIES {
        match create(&config, &[&topic], SHAPE, settings, Duration::from_secs(10))
            .await
            .as_deref()
        {
            Ok([Created::Refused(RDKafkaErrorCode::PolicyViolation | RDKafkaErrorCode::InvalidConfig)])
                if !settings.is_empty() =>
            {
                tracing::warn!(
                    topic,
                    "broker refuses a dead-letter topic that accepts larger messages than others; creating one without that"
                );
                settings = &[];
                continue;
            }
            Ok([Created::Refused(code)]) => {
                let code = *code;
                let (config, name) = (config.clone(), topic.clone());
                // The request blocks.
                let found = tokio::task::spawn_blocking(move || is_there(&config, &name)).await;
                if !found.unwrap_or_default() {
                    tracing::warn!(topic, %code, "dead-letter topic cannot be created or seen; create it by hand");
                }
                return;
            }
            Ok(_) => return,
            Err(error) => {
                tracing::debug!(topic, error = %crate::chain(error), "dead-letter topic not created yet")
            }
        }
        tokio::time::sleep(backoff.next_wait(None)).await;
    }
    tracing::info!(
        topic,
        "dead-letter topic not created: the broker does not answer that request"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_one_of_the_topics_is_none() {
        let answers = || {
            let existing = RDKafkaErrorCode::TopicAlreadyExists;
            vec![Ok("a".to_owned()), Err(("b".to_owned(), existing))]
        };
        assert_eq!(results(2, answers()), Ok(vec![Created::New, Created::Existing]));
        assert!(results(3, answers()).is_err());
        assert!(results(1, Vec::new()).is_err());
    }
}
