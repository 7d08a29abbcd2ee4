//! Creates topics; those that exist stay as they are.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use stage::create_topics::{Created, Shape};
use stage::listed_topics::{self, LISTED_TIMEOUT};
use stage::topic_collision::collisions;

use super::chunks::in_chunks;
use crate::cluster::{Cluster, REQUEST_TIMEOUT};
use crate::failure::{Failure, words};
use crate::outcome::Outcome;
use crate::progress::{Counter, Progress};

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

/// Creates those that do not exist: `created`, `exists`, or why the brokers refuse one. Waits until the brokers list those
/// that are new, so that the next question finds them. Reports how many are created, then how many are listed.
pub fn create(
    cluster: &Cluster,
    topics: &NewTopics,
    report: &dyn Fn(Progress),
) -> Result<Vec<Outcome>, Failure> {
    let shape = Shape {
        partitions: topics.partitions,
        replication: topics.replication.unwrap_or(-1),
    };
    let settings: Vec<(&str, &str)> = topics
        .settings
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    cluster.check_wanted()?;
    let config = cluster.config();
    let collisions = collisions(
        topics.names.iter().map(String::as_str),
        cluster.topics.iter().map(|topic| &topic.name),
    );
    let refusal = |name: &str, code| match collisions.iter().find(|found| found.topic == name) {
        Some(collision) if code == RDKafkaErrorCode::InvalidTopic => collision.to_string(),
        _ => words(code),
    };
    let mut new = Vec::new();
    let outcomes = in_chunks(
        "creating topics",
        "topics created",
        &topics.names,
        report,
        |chunk| {
            let request = stage::create_topics::create(&config, chunk, shape, &settings, REQUEST_TIMEOUT);
            let outcome = |(name, created): (&&str, Created)| Outcome {
                kind: "topic",
                name: (*name).to_owned(),
                result: match created {
                    Created::New => {
                        new.push((*name).to_owned());
                        Ok("created")
                    }
                    Created::Existing => Ok("exists"),
                    Created::Refused(code) => Err(refusal(name, code)),
                },
            };
            Ok(chunk.iter().zip(Cluster::wait(request)?).map(outcome).collect())
        },
    )?;
    let new = new.iter().map(String::as_str).collect();
    wait_until_listed(cluster, new, LISTED_TIMEOUT, report)?;
    Ok(outcomes)
}

/// Waits until the brokers list topics. If that takes too long, it is reported, and is not a failure: they are created.
fn wait_until_listed(
    cluster: &Cluster,
    names: Vec<&str>,
    within: Duration,
    report: &dyn Fn(Progress),
) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    let consumer = cluster.consumer(&[])?;
    let mut counter = Counter::start("topics listed", names.len() as u64, report);
    let mut seen = 0;
    let look = |listed: usize| {
        counter.add(listed.saturating_sub(std::mem::replace(&mut seen, listed)) as u64);
        cluster.check_wanted().is_ok()
    };
    let missing = listed_topics::wait_until_listed(&consumer, names, within, look)
        .map_err(Failure::kafka("asking for the new topics"))?;
    counter.finish();
    cluster.check_wanted()?;
    if !missing.is_empty() {
        let topics = missing.into_iter().collect::<Vec<_>>().join(", ");
        (cluster.on_trouble())(&format!("created, but the brokers do not list it yet: {topics}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use devstack::Broker;
    use rdkafka::types::RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    };
    use stage::config::KafkaArgs;

    use super::*;

    /// A broker that does not list `late` yet.
    fn broker() -> (Broker, Cluster) {
        let broker = Broker::start().unwrap();
        broker.create_topic("early", 1).unwrap();
        broker.create_topic("late", 1).unwrap();
        broker
            .topic_error("late", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            .unwrap();
        let cluster = Cluster::reach(&KafkaArgs::at(broker.bootstrap_servers())).unwrap();
        (broker, cluster)
    }

    #[test]
    fn a_new_topic_is_waited_for() {
        let (broker, cluster) = broker();
        let wait = |within| wait_until_listed(&cluster, vec!["early", "late"], within, &|_| {});
        let start = Instant::now();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                wait(Duration::from_secs(60)).unwrap();
                start.elapsed()
            });
            thread::sleep(Duration::from_millis(300));
            broker.topic_error("late", RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
            assert!(waiting.join().unwrap() >= Duration::from_millis(300));
        });
    }

    #[test]
    fn the_wait_is_bounded() {
        let (_broker, cluster) = broker();
        wait_until_listed(&cluster, vec!["late"], Duration::from_millis(100), &|_| {}).unwrap();
    }
}
