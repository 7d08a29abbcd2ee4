//! Creates topics; those that exist stay as they are.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};
use stage::create_topics::{Created, Shape};
use stage::kafka::OneShotContext;
use stage::topic_collision::collisions;

use crate::cluster::{Cluster, REQUEST_TIMEOUT};
use crate::failure::{Failure, words};
use crate::outcome::Outcome;

/// How long the brokers may take to list new topics: the controller answers before each broker knows them.
const LISTED_WITHIN: Duration = Duration::from_secs(10);
/// The first pause between two looks, doubled each time.
const FIRST_LOOK_AFTER: Duration = Duration::from_millis(20);

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
/// that are new, so that the next question finds them.
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
    let new: Vec<&str> = names
        .iter()
        .zip(&created)
        .filter_map(|(name, created)| (*created == Created::New).then_some(*name))
        .collect();
    wait_until_listed(cluster, new, LISTED_WITHIN)?;
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

/// Waits until a broker lists topics with a leader for each partition. If that takes too long, it is said, and is no
/// failure: they are created.
fn wait_until_listed(cluster: &Cluster, names: Vec<&str>, within: Duration) -> Result<(), Failure> {
    let wanted: BTreeSet<&str> = names.into_iter().collect();
    let mut missing = wanted.clone();
    if missing.is_empty() {
        return Ok(());
    }
    let consumer = cluster.consumer(&[])?;
    let (start, mut pause) = (Instant::now(), FIRST_LOOK_AFTER);
    loop {
        cluster.check_wanted()?;
        let listed = consumer
            .fetch_metadata(None, REQUEST_TIMEOUT)
            .map_err(Failure::kafka("asking for the new topics"))?;
        for topic in listed.topics() {
            let partitions = topic.partitions();
            if !partitions.is_empty() && partitions.iter().all(|partition| partition.leader() >= 0) {
                missing.remove(topic.name());
            }
        }
        if missing.is_empty() && is_led(&consumer, &listed, &wanted) {
            return Ok(());
        }
        if start.elapsed() >= within {
            let topics = if missing.is_empty() { &wanted } else { &missing };
            let topics = topics.iter().copied().collect::<Vec<_>>().join(", ");
            (cluster.on_trouble())(&format!("created, but the brokers do not list it yet: {topics}"));
            return Ok(());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

/// Whether the leaders of these topics know that they are: a busy broker lists a topic before it leads its partitions.
fn is_led(consumer: &BaseConsumer<OneShotContext>, listed: &Metadata, names: &BTreeSet<&str>) -> bool {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition, UnknownTopicOrPartition};
    let is_early = |error: &KafkaError| {
        let early = [LeaderNotAvailable, NotLeaderForPartition, UnknownTopicOrPartition];
        error
            .rdkafka_error_code()
            .is_some_and(|code| early.contains(&code))
    };
    let mut asked = TopicPartitionList::new();
    for topic in listed
        .topics()
        .iter()
        .filter(|topic| names.contains(topic.name()))
    {
        for partition in topic.partitions() {
            let _ = asked.add_partition_offset(topic.name(), partition.id(), Offset::End);
        }
    }
    match consumer.offsets_for_times(asked, REQUEST_TIMEOUT) {
        Ok(found) => !found
            .elements()
            .iter()
            .any(|element| element.error().is_err_and(|error| is_early(&error))),
        // Whatever else is wrong, such as a missing right, waiting does not mend.
        Err(error) => !is_early(&error),
    }
}

#[cfg(test)]
mod tests {
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
        let wait = |within| wait_until_listed(&cluster, vec!["early", "late"], within);
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
        wait_until_listed(&cluster, vec!["late"], Duration::from_millis(100)).unwrap();
    }
}
