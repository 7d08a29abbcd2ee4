//! Creates topics; those that exist stay as they are.

use rdkafka::error::RDKafkaErrorCode;
use stage::create_topics::{Created, Shape};
use stage::topic_collision::collisions;

use crate::cluster::{Cluster, REQUEST_TIMEOUT};
use crate::failure::{Failure, words};
use crate::outcome::Outcome;

/// Topics to create.
#[derive(Debug, Clone)]
pub struct NewTopics {
    /// Their names.
    pub names: Vec<String>,
    /// Partitions of each.
    pub partitions: i32,
    /// Copies of each partition; without it, the brokers' default.
    pub replication: Option<i32>,
    /// Settings of each, by key.
    pub settings: Vec<(String, String)>,
}

/// Creates those that do not exist: `created`, `exists`, or why the brokers refuse one.
pub fn create(cluster: &Cluster, topics: &NewTopics) -> Result<Vec<Outcome>, Failure> {
    let shape = Shape {
        partitions: topics.partitions,
        replication: topics.replication.unwrap_or(-1),
    };
    let names: Vec<&str> = topics.names.iter().map(String::as_str).collect();
    let settings: Vec<(&str, &str)> = topics
        .settings
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    cluster.check_wanted()?;
    let config = cluster.config();
    let created = Cluster::wait(stage::create_topics::create(
        &config,
        &names,
        shape,
        &settings,
        REQUEST_TIMEOUT,
    ))
    .map_err(Failure::kafka("creating topics"))?;
    let collisions = collisions(names, cluster.topics.iter().map(|topic| &topic.name));
    let refusal = |name: &str, code| match collisions.iter().find(|found| found.topic == name) {
        Some(collision) if code == RDKafkaErrorCode::InvalidTopic => collision.to_string(),
        _ => words(code),
    };
    Ok(topics
        .names
        .iter()
        .zip(created)
        .map(|(name, created)| Outcome {
            kind: "topic",
            name: name.clone(),
            result: match created {
                Created::New => Ok("created"),
                Created::Existing => Ok("exists"),
                Created::Refused(code) => Err(refusal(name, code)),
            },
        })
        .collect())
}
