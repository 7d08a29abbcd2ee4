//! Checks the topics whose records wait: whether they exist, and whether they are still the same.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer};

use super::super::alerts::Alert;
use super::super::{OneShotContext, Reporter, native};
use super::{Unacknowledged, Waiting};
use crate::text::plural;
use crate::topic_collision::{TopicCollision, collisions_at};

/// How often the topics are checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a record of an existing topic may be in flight: brokers may be electing a leader.
const STALLED_AFTER: Duration = Duration::from_secs(10);
/// The time for the request whether a topic exists.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);
/// Topics that are requested in one round, one by one.
const MAX_ASKED: usize = 3;
/// The key of this alert.
const ALERT: &str = "records do not arrive";

impl Reporter {
    /// The topics that this process's producers write to.
    pub fn unacknowledged(&self) -> &Unacknowledged {
        &self.unacknowledged
    }

    /// Checks those topics until the future is dropped, and has `/ready` report which of them do not receive their
    /// records.
    pub async fn watch_records(self, config: ClientConfig) {
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let waiting = self.unacknowledged.waiting();
            let mut unknown: Vec<Arc<str>> = waiting.iter().map(|one| Arc::clone(&one.name)).collect();
            unknown.extend(self.unacknowledged.unidentified());
            self.identify(&config, unknown).await;
            let (config, asked) = (config.clone(), waiting.clone());
            let missing = if asked.is_empty() {
                Missing::default()
            } else {
                // Asking blocks.
                let missing = tokio::task::spawn_blocking(move || missing(&config, &asked));
                missing.await.unwrap_or_default()
            };
            // Records that were delivered meanwhile are not reported.
            let still: Vec<Arc<str>> = self
                .unacknowledged
                .waiting()
                .into_iter()
                .map(|one| one.name)
                .collect();
            match describe(&waiting, &missing, &|name| still.iter().any(|one| **one == *name)) {
                Some(text) => self.records_do_not_arrive(text),
                None => self.records_arrive(),
            }
        }
    }

    /// Requests the ids of the topics.
    async fn identify(&self, config: &ClientConfig, topics: Vec<Arc<str>>) {
        if topics.is_empty() {
            return;
        }
        let config = config.clone();
        // Asking blocks.
        let ids = tokio::task::spawn_blocking(move || {
            let client: BaseProducer<OneShotContext> =
                config.create_with_context(OneShotContext::default())?;
            let topics = topics.iter().map(|name| name.as_ref().to_owned());
            native::topic_ids(client.client(), topics, METADATA_TIMEOUT)
        });
        let Ok(Ok(ids)) = ids.await else {
            return;
        };
        if let Some(topic) = self.unacknowledged.compare(&ids)
            && !self.unacknowledged.is_stale.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                topic = &*topic,
                "topic was deleted and recreated while records for it were in flight"
            );
            self.metrics.recreated.of(&topic).inc();
        }
    }

    fn records_do_not_arrive(&self, text: String) {
        let alert = Alert {
            text: text.clone(),
            is_refusal: false,
            is_of_connections: false,
        };
        self.show(ALERT, alert);
        if let Some(repeated) = self.complaints.note_one_kind(ALERT, &text) {
            tracing::warn!(
                why = text,
                repeated,
                "records are not acknowledged; they are waited for, nothing is lost"
            );
        }
    }

    fn records_arrive(&self) {
        if self.alerts.end(ALERT) {
            tracing::info!("records are acknowledged again");
            self.connected();
        }
    }
}

/// Topics that the cluster does not have.
#[derive(Debug, Default)]
struct Missing {
    topics: Vec<Arc<str>>,
    /// Those of them that it cannot have.
    collisions: Vec<TopicCollision>,
}

/// Those of the longest waiting topics that the cluster does not have; none while it does not answer.
fn missing(config: &ClientConfig, waiting: &[Waiting]) -> Missing {
    let Ok(client) = config.create_with_context::<_, BaseProducer<OneShotContext>>(OneShotContext::default())
    else {
        return Missing::default();
    };
    let is_missing = |name: &str| {
        client.poll(Duration::ZERO);
        let found = client.client().fetch_metadata(Some(name), METADATA_TIMEOUT);
        found.is_ok_and(|found| {
            let mut topics = found.topics().iter();
            let error = topics
                .find(|topic| topic.name() == name)
                .and_then(|topic| topic.error());
            error.is_some_and(|error| {
                use RDKafkaErrorCode::{InvalidTopic, UnknownTopic, UnknownTopicOrPartition};
                matches!(
                    error.into(),
                    UnknownTopicOrPartition | UnknownTopic | InvalidTopic
                )
            })
        })
    };
    let asked = waiting.iter().take(MAX_ASKED).filter(|one| {
        let is_missing = is_missing(&one.name);
        one.probe.missing.store(is_missing, Ordering::Relaxed);
        is_missing
    });
    let topics: Vec<Arc<str>> = asked.map(|one| Arc::clone(&one.name)).collect();
    let collisions = if topics.is_empty() {
        Vec::new()
    } else {
        let names = topics.iter().map(|name| &**name);
        collisions_at(client.client(), names, METADATA_TIMEOUT).unwrap_or_default()
    };
    Missing { topics, collisions }
}

/// The text for `/ready`.
fn describe(waiting: &[Waiting], missing: &Missing, still: &dyn Fn(&str) -> bool) -> Option<String> {
    let mut waits = waiting.iter().filter(|one| still(&one.name));
    if let Some(gone) = waits.clone().find(|one| missing.topics.contains(&one.name)) {
        let others = match waits.count() - 1 {
            0 => String::new(),
            others => format!(", and records of {} wait", plural(others, "more topic")),
        };
        let mut collisions = missing.collisions.iter();
        return Some(match collisions.find(|one| one.topic == *gone.name) {
            Some(collision) => format!("{collision}{others}"),
            None => format!("topic {} does not exist ({}){others}", gone.name, gone.probe.hint),
        });
    }
    let stalled = waits.find(|one| one.time >= STALLED_AFTER)?;
    Some(format!(
        "records of topic {} are not acknowledged, for {} s",
        stalled.name,
        stalled.time.as_secs()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_that_does_not_exist_is_named_first() {
        let topics = Unacknowledged::default();
        let (a, b) = (topics.topic("a", "make it"), topics.topic("b", "make it"));
        let waiting = [("a", 60, a), ("b", 4, b)].map(|(name, seconds, probe)| Waiting {
            name: name.into(),
            time: Duration::from_secs(seconds),
            probe,
        });
        let mut missing = Missing {
            topics: vec!["b".into()],
            collisions: Vec::new(),
        };
        assert_eq!(
            describe(&waiting, &missing, &|_| true).unwrap(),
            "topic b does not exist (make it), and records of 1 more topic wait"
        );
        missing.collisions.push(TopicCollision {
            topic: "b".to_owned(),
            existing: "B".to_owned(),
        });
        let text = describe(&waiting, &missing, &|_| true).unwrap();
        assert!(text.starts_with("topic b cannot exist beside B: "), "{text}");
        let none = Missing::default();
        assert_eq!(
            describe(&waiting, &none, &|_| true).unwrap(),
            "records of topic a are not acknowledged, for 60 s"
        );
        assert_eq!(
            describe(&waiting, &none, &|name| name == "b"),
            None,
            "4 s are nothing"
        );
    }
}
