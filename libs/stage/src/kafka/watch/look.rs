//! Examines the cluster with a fresh client of the same settings: whether it answers, and whether it is fully healthy.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded, select};
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;

use super::Watched;
use crate::kafka::OneShotContext;

/// The time for the cluster's metadata. While it lasts, a client has a reason to wait.
const METADATA_TIMEOUT: Duration = Duration::from_secs(8);
/// The time for one request; events, such as the request for a token, are served in between.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// The time for a request to one broker of a reachable cluster.
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// What a fresh client examines.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// The settings of the client that is watched.
    config: ClientConfig,
    /// Its consumer group, whose coordinator must also answer.
    group: Option<String>,
}

/// What it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// No broker answers, grants access or names brokers.
    Away,
    /// A broker answers and names brokers.
    Reached,
    /// In addition, each partition has a leader that answers and all its replicas, and the group has its coordinator: a
    /// client has no reason to wait.
    Well,
}

impl Sight {
    pub(super) fn is_reached(self) -> bool {
        self != Self::Away
    }
}

/// Examines the cluster on a separate thread, because the fresh client may get stuck too; none if `over` is closed
/// meanwhile.
pub(super) fn in_a_thread(look: Look, over: &Receiver<()>) -> Option<Sight> {
    let (answer, answered) = bounded(1);
    let looking = thread::Builder::new().name("look".to_owned()).spawn(move || {
        look.look(|sight| {
            let _ = answer.send(sight);
        });
    });
    if looking.is_err() {
        return Some(Sight::Away);
    }
    select! {
        recv(over) -> _ => None,
        recv(answered) -> sight => Some(sight.unwrap_or(Sight::Away)),
        default(METADATA_TIMEOUT * 4) => Some(Sight::Away),
    }
}

impl Look {
    pub(super) fn of(watched: &dyn Watched) -> Self {
        Self {
            config: watched.config().clone(),
            group: watched.group().map(str::to_owned),
        }
    }

    /// Reports the result before the client is closed, which may take long.
    fn look(&self, say: impl FnOnce(Sight)) {
        let mut config = self.config.clone();
        config
            .remove("transactional.id")
            .remove("group.instance.id")
            .set("client.id", self.client_id());
        if let Some(group) = &self.group {
            config.set("group.id", group);
        }
        match config.create_with_context(OneShotContext::default()) {
            Ok(client) => {
                let client: BaseConsumer<OneShotContext> = client;
                say(self.sight(&client));
            }
            Err(error) => {
                tracing::debug!(error = %crate::chain(&error), "no fresh client to examine the cluster with");
                say(Sight::Away);
            }
        }
    }

    fn client_id(&self) -> String {
        format!("{}-look", self.config.get("client.id").unwrap_or("rdkafka"))
    }

    fn sight(&self, client: &BaseConsumer<OneShotContext>) -> Sight {
        let start = Instant::now();
        let metadata = loop {
            client.poll(Duration::from_millis(1));
            match client.fetch_metadata(None, REQUEST_TIMEOUT) {
                Ok(metadata) if !metadata.brokers().is_empty() => break metadata,
                Ok(_) => thread::sleep(REQUEST_TIMEOUT),
                Err(error) => tracing::debug!(%error, "a fresh client gets no metadata either"),
            }
            if start.elapsed() >= METADATA_TIMEOUT {
                return Sight::Away;
            }
        };
        if self.is_well(client, &metadata) {
            Sight::Well
        } else {
            Sight::Reached
        }
    }

    fn is_well(&self, client: &BaseConsumer<OneShotContext>, metadata: &Metadata) -> bool {
        let topics = metadata.topics().iter();
        let mut led = BTreeMap::new();
        for (topic, partition) in topics.flat_map(|topic| {
            topic
                .partitions()
                .iter()
                .map(|partition| (topic.name(), partition))
        }) {
            if partition.leader() < 0 || partition.isr().len() < partition.replicas().len() {
                return false;
            }
            led.entry(partition.leader()).or_insert((topic, partition.id()));
        }
        let leads = |(topic, partition): &(&str, i32)| {
            client.fetch_watermarks(topic, *partition, BROKER_TIMEOUT).is_ok()
        };
        led.values().all(leads) && (self.group.is_none() || has_coordinator(client, led.values().next()))
    }
}

/// Whether the group's coordinator answers for some partition's offset.
fn has_coordinator(client: &BaseConsumer<OneShotContext>, partition: Option<&(&str, i32)>) -> bool {
    let mut asked = TopicPartitionList::new();
    if let Some((topic, partition)) = partition {
        asked.add_partition(topic, *partition);
    }
    client.committed_offsets(asked, BROKER_TIMEOUT).is_ok()
}
