//! What all pages share: the clients that ask, and what they keep.

use std::sync::Arc;
use std::time::{Duration, Instant};

use operator::ask::ask_blocking;
use operator::cluster::Cluster;
use operator::connectors::Connect;
use operator::dead_letters::{Plan as ReplayPlan, Selection};
use operator::failure::Failure;
use operator::groups::ResetPlan;
use operator::messages::decode::Decoder;
use operator::stages::{BrokersWatcher, StageSource};
use operator::telemetry::Database;
use stage::config::KafkaArgs;
use stage::registry::Registry;
use stage::service::Shutdown;
use tokio::sync::{Mutex, Semaphore};

use crate::access::Gate;
use crate::catalogue::Catalogue;
use crate::live::Hub;
use crate::plans::Plans;
use crate::settings::Settings;

/// How old the list of topics may be.
const CLUSTER_DURATION: Duration = Duration::from_secs(5);
/// Event streams at a time.
pub(crate) const MAX_STREAMS: usize = 128;
/// Questions to Kafka at a time: each takes a thread and a client.
const MAX_QUESTIONS: usize = 8;
/// Searches at a time whose results come as events.
const MAX_SEARCHES: usize = 4;

/// The answers' sources.
pub(crate) struct State {
    kafka: KafkaArgs,
    cluster: Mutex<Option<(Instant, Arc<Cluster>)>>,
    questions: Semaphore,
    pub(crate) registry: Arc<Registry>,
    pub(crate) decoder: Mutex<Decoder>,
    pub(crate) catalogue: Catalogue,
    pub(crate) database: Option<Database>,
    pub(crate) connect: Option<Connect>,
    pub(crate) gate: Gate,
    pub(crate) hub: Hub,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) searches: Arc<Semaphore>,
    pub(crate) resets: Plans<(String, ResetPlan)>,
    pub(crate) replays: Plans<(Selection, ReplayPlan)>,
    pub(crate) shutdown: Shutdown,
    pub(crate) is_demo: bool,
}

impl State {
    /// Checks the settings and begins to watch. To be called within a runtime.
    pub(crate) fn new(settings: Settings, shutdown: Shutdown) -> Result<Self, Failure> {
        settings.kafka.client_config(&[])?;
        let stages = settings.metrics.iter().map(|address| StageSource::at(address));
        let stages = stages
            .collect::<Result<Vec<_>, _>>()
            .map_err(|why| Failure::Usage(format!("--metrics {why}")))?;
        let registry = Arc::new(Registry::new(&settings.registry)?);
        let brokers = BrokersWatcher::new(settings.kafka.clone(), None, |_| ());
        Ok(Self {
            decoder: Mutex::new(Decoder::new(&settings.registry)?),
            connect: settings.connect.map(Connect::new).transpose()?,
            cluster: Mutex::default(),
            questions: Semaphore::new(MAX_QUESTIONS),
            catalogue: Catalogue::start(Arc::clone(&registry)),
            database: settings.database,
            gate: Gate::new(settings.access),
            hub: Hub::start(stages, brokers, settings.interval),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            searches: Arc::new(Semaphore::new(MAX_SEARCHES)),
            resets: Plans::default(),
            replays: Plans::default(),
            is_demo: settings.is_demo,
            kafka: settings.kafka,
            registry,
            shutdown,
        })
    }

    /// Asks the cluster. Its topics are those of a few seconds ago; dropping the future cancels the question.
    pub(crate) async fn ask<T, Q>(&self, question: Q) -> Result<T, Failure>
    where
        T: Send + 'static,
        Q: FnOnce(&Cluster) -> Result<T, Failure> + Send + 'static,
    {
        let _permit = self.questions.acquire().await;
        self.ask_at_length(question).await
    }

    /// The same for a question that may take long, whose number is limited by whoever asks.
    pub(crate) async fn ask_at_length<T, Q>(&self, question: Q) -> Result<T, Failure>
    where
        T: Send + 'static,
        Q: FnOnce(&Cluster) -> Result<T, Failure> + Send + 'static,
    {
        let cluster = self.cluster().await?;
        let answer = ask_blocking(move |cancel| question(&cluster.asked_while(cancel.clone()))).await;
        if answer.as_ref().is_err_and(Failure::may_be_of_clients) {
            let old = self.cluster.lock().await.take();
            // Its clients take a while to close.
            tokio::task::spawn_blocking(move || drop(old));
        }
        answer
    }

    /// The cluster as it was a few seconds ago.
    pub(crate) async fn cluster(&self) -> Result<Arc<Cluster>, Failure> {
        // Whoever comes meanwhile waits for the same answer.
        let mut known = self.cluster.lock().await;
        if let Some((since, cluster)) = known.as_ref()
            && since.elapsed() < CLUSTER_DURATION
        {
            return Ok(Arc::clone(cluster));
        }
        let (kafka, old) = (self.kafka.clone(), known.take());
        let reached = ask_blocking(move |cancel| match old {
            Some((_, cluster)) => cluster.asked_while(cancel.clone()).refreshed(),
            None => Cluster::reach_while(&kafka, cancel.clone()),
        });
        let cluster = Arc::new(reached.await?);
        *known = Some((Instant::now(), Arc::clone(&cluster)));
        Ok(cluster)
    }

    /// What the database is called.
    pub(crate) fn database_name(&self) -> String {
        self.database
            .as_ref()
            .map_or_else(|| "not named".to_owned(), Database::name)
    }

    /// Where plots have their values from.
    pub(crate) fn values_source(&self) -> String {
        self.database.as_ref().map_or_else(
            || format!("the messages in Kafka at {}", self.broker()),
            Database::name,
        )
    }

    /// The address of the brokers.
    fn broker(&self) -> &str {
        &self.kafka.broker
    }
}
