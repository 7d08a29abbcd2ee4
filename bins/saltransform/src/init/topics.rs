//! The topics of `saltransform init`: the brokers examine them before anything is registered, and create them afterwards.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use sal::record_key::is_compacted;
use stage::create_topics::{self, Created, Shape};
use stage::kafka::{self, OneShotContext};
use stage::listed_topics::{self, LISTED_TIMEOUT};
use stage::topic_collision::collisions;

use super::InitError;
use crate::config::InitArgs;
use crate::register::{Wanted, progress};

/// Topics in one request to the broker.
const CHUNK: usize = 500;
/// The settings of an event's topic, as ts_salobj creates it.
const COMPACTED: [(&str, &str); 1] = [("cleanup.policy", "compact")];
/// The time for one request to the broker: a large cluster creates hundreds of topics in it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How many topics were created, and how many existed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) new: usize,
    pub(super) existing: usize,
}

/// Looks at the cluster's topics and has the brokers examine those that are missing; the configuration with which it was
/// reached.
pub(super) async fn reach(args: &InitArgs, wanted: &[Wanted]) -> Result<ClientConfig, InitError> {
    let config = args.kafka.client_config(&[("client.id", "saltransform-init")])?;
    let (reached, broker) = (config.clone(), args.kafka.broker.clone());
    let metadata = tokio::task::spawn_blocking(move || kafka::reach(&reached, REQUEST_TIMEOUT))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
        .map_err(|source| InitError::Unreachable { broker, source })?;
    let names = wanted.iter().map(|wanted| wanted.kafka_topic.as_str());
    let existing: BTreeSet<&str> = metadata.topics().iter().map(|topic| topic.name()).collect();
    let collisions = collisions(names, &existing);
    let count = collisions.len();
    if let Some(first) = collisions.into_iter().next() {
        return Err(InitError::Collides { count, first });
    }
    let missing = WantedTopics::of(args, wanted).without(&existing);
    let mut refused = Vec::new();
    for (names, settings) in missing.requests() {
        let answers = create_topics::validate(&config, &names, shape(args), settings, REQUEST_TIMEOUT).await;
        refused.extend(refusals(&names, answers.map_err(away(args))?));
    }
    let brokers = metadata.brokers().len();
    let is_of_copies = |code: RDKafkaErrorCode| code == RDKafkaErrorCode::InvalidReplicationFactor;
    match refused.first() {
        Some((_, code))
            if is_of_copies(*code) && i32::try_from(brokers).is_ok_and(|n| n < args.replication) =>
        {
            Err(InitError::TooFewBrokers {
                wanted: args.replication,
                brokers,
                broker: args.kafka.broker.clone(),
            })
        }
        _ => refuse(&refused, true).map(|()| config),
    }
}

/// Creates those topics that are missing, and waits until the brokers list them: a stage that starts next finds them all
/// when it subscribes.
pub(super) async fn create(
    args: &InitArgs,
    config: &ClientConfig,
    wanted: &[Wanted],
) -> Result<Counts, InitError> {
    let topics = WantedTopics::of(args, wanted);
    let bar = progress("creating topics", topics.len());
    let (mut counts, mut refused, mut new) = (Counts::default(), Vec::new(), Vec::new());
    for (names, settings) in topics.requests() {
        let answers = create_topics::create(config, &names, shape(args), settings, REQUEST_TIMEOUT)
            .await
            .map_err(away(args))?;
        for (name, answer) in names.iter().zip(&answers) {
            match answer {
                Created::New => new.push((*name).to_owned()),
                Created::Existing => counts.existing += 1,
                Created::Refused(_) => {}
            }
        }
        bar.inc(names.len() as u64);
        refused.extend(refusals(&names, answers));
    }
    counts.new = new.len();
    wait_until_listed(config.clone(), new).await;
    bar.finish_and_clear();
    refuse(&refused, false).map(|()| counts)
}

/// If that takes too long or fails, it is logged, and is not a failure: they are created.
async fn wait_until_listed(mut config: ClientConfig, names: Vec<String>) {
    if names.is_empty() {
        return;
    }
    config.set("group.id", "saltransform-init");
    let wait = move || {
        let consumer: BaseConsumer<OneShotContext> = config.create_with_context(OneShotContext::default())?;
        let names = names.iter().map(String::as_str);
        let missing = listed_topics::wait_until_listed(&consumer, names, LISTED_TIMEOUT, |_| true)?;
        if let Some(first) = missing.first() {
            tracing::warn!(
                topics = missing.len(),
                topic = first,
                "topics are created, but the brokers do not list them yet"
            );
        }
        Ok::<(), KafkaError>(())
    };
    let waited = tokio::task::spawn_blocking(wait)
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    if let Err(error) = waited {
        tracing::warn!(error = %stage::chain(&error), "topics are created; whether the brokers list them is unknown");
    }
}

/// The topics that have to exist.
struct WantedTopics {
    compacted: Vec<String>,
    others: Vec<String>,
}

impl WantedTopics {
    /// The records' topics, and the input topics of their subsystems.
    fn of(args: &InitArgs, wanted: &[Wanted]) -> Self {
        let subsystems: BTreeSet<&str> = wanted.iter().map(|wanted| wanted.topic.component()).collect();
        let inputs = subsystems.iter().flat_map(|subsystem| {
            ["telemetry", "logevent", "command"].map(|kind| format!("{subsystem}_{kind}"))
        });
        let (compacted, others): (Vec<&Wanted>, Vec<&Wanted>) = wanted
            .iter()
            .partition(|wanted| is_compacted(args.naming.dialect, wanted.topic.kind()));
        let name = |wanted: &Wanted| wanted.kafka_topic.clone();
        Self {
            others: others.into_iter().map(name).chain(inputs).collect(),
            compacted: compacted.into_iter().map(name).collect(),
        }
    }

    fn len(&self) -> usize {
        self.compacted.len() + self.others.len()
    }

    /// Only those that are not among `existing`.
    fn without(mut self, existing: &BTreeSet<&str>) -> Self {
        self.compacted.retain(|name| !existing.contains(name.as_str()));
        self.others.retain(|name| !existing.contains(name.as_str()));
        self
    }

    /// In requests of at most [`CHUNK`] topics with the same settings.
    fn requests(&self) -> impl Iterator<Item = (Vec<&str>, &'static [(&'static str, &'static str)])> {
        let plain = self.others.chunks(CHUNK).map(|chunk| (names(chunk), &[][..]));
        let compacted = self.compacted.chunks(CHUNK);
        plain.chain(compacted.map(|chunk| (names(chunk), &COMPACTED[..])))
    }
}

fn names(topics: &[String]) -> Vec<&str> {
    topics.iter().map(String::as_str).collect()
}

fn shape(args: &InitArgs) -> Shape {
    Shape {
        partitions: args.partitions,
        replication: args.replication,
    }
}

fn away(args: &InitArgs) -> impl FnOnce(KafkaError) -> InitError {
    let broker = args.kafka.broker.clone();
    move |source| InitError::Kafka { broker, source }
}

fn refusals(names: &[&str], answers: Vec<Created>) -> Vec<(String, RDKafkaErrorCode)> {
    let answers = names.iter().zip(answers);
    let refused = answers.filter_map(|(name, answer)| match answer {
        Created::Refused(code) => Some(((*name).to_owned(), code)),
        Created::New | Created::Existing => None,
    });
    refused.collect()
}

fn refuse(refused: &[(String, RDKafkaErrorCode)], is_unchanged: bool) -> Result<(), InitError> {
    match refused.first() {
        None => Ok(()),
        Some((topic, code)) => Err(InitError::Refused {
            is_unchanged,
            count: refused.len(),
            topic: topic.clone(),
            reason: code.to_string(),
        }),
    }
}
