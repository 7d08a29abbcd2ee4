//! A look at the cluster with a fresh client of the same settings: whether it is there, and whether it is wholly well.

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

/// For the cluster's metadata. As long as it takes, a client that waits is explained.
const METADATA_TIMEOUT: Duration = Duration::from_secs(8);
/// For one question; events, such as the one that asks for a token, are served in between.
const QUESTION: Duration = Duration::from_secs(1);
/// For a question to one broker of a cluster that is there.
const ANSWER: Duration = Duration::from_secs(5);

/// What a fresh client is to find out.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// The settings of the client that is watched.
    config: ClientConfig,
    /// Its consumer group, whose coordinator must answer, too.
    group: Option<String>,
}

/// What it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// No broker answers, or none lets us in, or none knows of a broker.
    Away,
    /// A broker answers and names brokers.
    Reached,
    /// And each partition has a leader that answers and all its replicas, and the group has its coordinator: there is
    /// nothing that a client could be waiting for.
    Well,
}

impl Sight {
    pub(super) fn is_reached(self) -> bool {
        self != Self::Away
    }
}

/// Looks on a thread of its own, as the fresh client may get stuck in its turn; none when `over` is closed meanwhile.
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

    /// Says what it sees before the client is closed, which may take its time.
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
                tracing::debug!(error = %crate::chain(&error), "no fresh client to look at the cluster with");
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
            match client.fetch_metadata(None, QUESTION) {
                Ok(metadata) if !metadata.brokers().is_empty() => break metadata,
                Ok(_) => thread::sleep(QUESTION),
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
        let leads =
            |(topic, partition): &(&str, i32)| client.fetch_watermarks(topic, *partition, ANSWER).is_ok();
        led.values().all(leads) && (self.group.is_none() || has_coordinator(client, led.values().next()))
    }
}

/// Whether the group's coordinator says how far some partition was read.
fn has_coordinator(client: &BaseConsumer<OneShotContext>, partition: Option<&(&str, i32)>) -> bool {
    let mut asked = TopicPartitionList::new();
    if let Some((topic, partition)) = partition {
        asked.add_partition(topic, *partition);
    }
    client.committed_offsets(asked, ANSWER).is_ok()
}
