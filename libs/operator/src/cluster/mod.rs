//! The Kafka cluster that a command talks to: reached once at the start, with its topics and brokers, then asked by clients
//! that are used again.
//!
//! The methods block, as librdkafka's requests do; [`ask`](crate::ask::ask) runs them beside an async runtime. They end
//! with [`Failure::Cancelled`] before the first request after nobody waits for the answer any longer.

mod clients;
mod controller;
mod leaders;
mod offsets;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::Consumer;
use rdkafka::metadata::Metadata;
use stage::config::KafkaArgs;
use stage::kafka::{OneShotContext, SAFE_PRODUCER, reach};
use stage::memory::limit_ahead;

use crate::cancel::Cancel;
use crate::failure::{Failure, nearest};

use clients::Clients;

pub use clients::Client;
pub use offsets::{PartitionOffsets, Place};

/// How long the first broker may take to answer: somebody waits.
const REACH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a client that is there already may take to list the topics; after it, a new one is asked.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long any later request may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// librdkafka leaves a bootstrap address for the broker behind it only after half of this, which somebody waits for: so less
/// than the stages' own, which is there for long-running clients.
const PROMPT: [(&str, &str); 1] = [("reconnect.backoff.ms", "100")];
/// The memory for messages fetched ahead: several answers of this kind are read at once, and none is read faster with more.
const AHEAD: usize = 12 << 20;
/// The command that lists what [`Cluster::topic`] looks among.
const LIST_TOPICS: &str = "kafkaefd admin topics list";

/// A cluster that answered, as it was then.
pub struct Cluster {
    /// As given.
    broker: String,
    config: ClientConfig,
    cancel: Cancel,
    on_trouble: fn(&str),
    clients: Arc<Clients>,
    /// By name.
    pub topics: Arc<Vec<Topic>>,
    /// By id.
    pub brokers: Vec<Broker>,
}

/// A topic, as the brokers' metadata has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// By number.
    pub partitions: Vec<Partition>,
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 0.
    pub number: i32,
    /// The broker that leads it; -1 if there is none now.
    pub leader: i32,
    /// The brokers that have a copy, those that are behind included.
    pub replicas: Vec<i32>,
    /// The brokers whose copies are complete.
    pub in_sync: Vec<i32>,
}

/// A broker, as it makes itself known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// `node.id`.
    pub id: i32,
    /// The host to which clients connect.
    pub host: String,
    /// The port on it.
    pub port: i32,
}

impl Topic {
    /// Whether Kafka, Connect or the registry made it for itself.
    pub fn is_internal(&self) -> bool {
        self.name.starts_with('_')
    }

    /// Copies of each partition.
    pub fn replication(&self) -> usize {
        self.partitions
            .iter()
            .map(|partition| partition.replicas.len())
            .max()
            .unwrap_or_default()
    }

    /// Fails if it has no partition of this number.
    pub fn check_partition(&self, number: i32) -> Result<(), Failure> {
        if self.numbers().any(|found| found == number) {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "{} has no partition {number}: it has {}, from 0",
            self.name,
            self.partitions.len()
        )))
    }

    /// Its partitions, each with its name.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.numbers().map(|number| (self.name.clone(), number))
    }

    /// The numbers of its partitions.
    pub fn numbers(&self) -> impl Iterator<Item = i32> {
        self.partitions.iter().map(|partition| partition.number)
    }
}

impl Cluster {
    /// Asks the brokers that the flags name for the cluster's topics and brokers.
    pub fn reach(args: &KafkaArgs) -> Result<Self, Failure> {
        Self::reach_while(args, Cancel::default())
    }

    /// The same, for as long as somebody waits for the answer.
    pub fn reach_while(args: &KafkaArgs, cancel: Cancel) -> Result<Self, Failure> {
        let cluster = Self {
            broker: args.shown(),
            config: args.client_config(&PROMPT)?,
            cancel,
            on_trouble: |_| (),
            clients: Arc::default(),
            topics: Arc::default(),
            brokers: Vec::new(),
        };
        cluster.refreshed()
    }

    /// The same cluster with the topics and brokers that it has now.
    pub fn refreshed(&self) -> Result<Self, Failure> {
        self.check_wanted()?;
        let known = self.clients.take(&[]);
        let known = known.and_then(|client| client.fetch_metadata(None, REFRESH_TIMEOUT).ok());
        let metadata = match known {
            Some(metadata) => metadata,
            None => reach(&self.config, REACH_TIMEOUT).map_err(|source| Failure::Unreachable {
                broker: self.broker.clone(),
                source,
            })?,
        };
        let mut cluster = self.asked_while(self.cancel.clone());
        cluster.learn(&metadata);
        Ok(cluster)
    }

    fn learn(&mut self, metadata: &Metadata) {
        let mut topics: Vec<Topic> = metadata.topics().iter().map(topic).collect();
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        self.topics = Arc::new(topics);
        self.brokers = metadata
            .brokers()
            .iter()
            .map(|broker| Broker {
                id: broker.id(),
                host: broker.host().to_owned(),
                port: broker.port(),
            })
            .collect();
        self.brokers.sort_by_key(|broker| broker.id);
    }

    /// The topic of that name, or the names that are nearest to it.
    pub fn topic(&self, name: &str) -> Result<&Topic, Failure> {
        self.find_topic(name).ok_or_else(|| Failure::Unknown {
            kind: "topic",
            name: name.to_owned(),
            nearest: nearest(name, self.topics.iter().map(|topic| topic.name.as_str())),
            list: LIST_TOPICS,
        })
    }

    /// The topic of that name, if there is one.
    pub fn find_topic(&self, name: &str) -> Option<&Topic> {
        let at = self
            .topics
            .binary_search_by(|topic| topic.name.as_str().cmp(name));
        self.topics.get(at.ok()?)
    }

    /// The same cluster, with the same clients, for another question, for as long as somebody waits for that one's answer.
    pub fn asked_while(&self, cancel: Cancel) -> Self {
        Self {
            broker: self.broker.clone(),
            config: self.config(),
            cancel,
            on_trouble: self.on_trouble,
            clients: Arc::clone(&self.clients),
            topics: Arc::clone(&self.topics),
            brokers: self.brokers.clone(),
        }
    }

    /// Calls `on_trouble` with what keeps an answer waiting, such as brokers that went away.
    pub fn with_trouble_to(mut self, on_trouble: fn(&str)) -> Self {
        self.on_trouble = on_trouble;
        self
    }

    pub(crate) fn on_trouble(&self) -> fn(&str) {
        self.on_trouble
    }

    pub(crate) fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Fails if nobody waits for the answer any longer.
    pub fn check_wanted(&self) -> Result<(), Failure> {
        self.cancel.check()
    }

    /// The configuration of a client of this cluster.
    pub fn config(&self) -> ClientConfig {
        self.config.clone()
    }

    /// A client for topics and settings.
    pub fn admin(&self) -> Result<AdminClient<DefaultClientContext>, Failure> {
        self.check_wanted()?;
        self.config
            .create()
            .map_err(Failure::kafka("making an admin client"))
    }

    /// Waits for what an admin client answers.
    pub(crate) fn wait<T>(answer: impl Future<Output = T>) -> T {
        futures_executor::block_on(answer)
    }

    /// How long admin requests may take.
    pub fn admin_options() -> AdminOptions {
        AdminOptions::new()
            .request_timeout(Some(REQUEST_TIMEOUT))
            .operation_timeout(Some(REQUEST_TIMEOUT))
    }

    /// A consumer with `settings` beside the operator's, used before or new; it commits nothing by itself.
    pub fn consumer(&self, settings: &[(&str, &str)]) -> Result<Client, Failure> {
        self.check_wanted()?;
        if let Some(client) = self.clients.take(settings) {
            return Ok(client);
        }
        let mut config = self.config();
        // librdkafka wants a group for any consumer; it is not made unless something is committed to it.
        config
            .set("group.id", "kafkaefd")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        limit_ahead(&mut config, AHEAD);
        let consumer = config
            .create_with_context(OneShotContext::default())
            .map_err(Failure::kafka("making a consumer"))?;
        Ok(self.clients.adopt(settings, consumer))
    }

    /// The configuration of a producer that loses and repeats nothing.
    pub fn producer_config(&self) -> ClientConfig {
        let mut config = self.config();
        for (key, value) in SAFE_PRODUCER {
            config.set(key, value);
        }
        config
    }
}

fn topic(found: &rdkafka::metadata::MetadataTopic) -> Topic {
    let mut partitions: Vec<Partition> = found
        .partitions()
        .iter()
        .map(|partition| Partition {
            number: partition.id(),
            leader: partition.leader(),
            replicas: partition.replicas().to_vec(),
            in_sync: partition.isr().to_vec(),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.number);
    Topic {
        name: found.name().to_owned(),
        partitions,
    }
}
