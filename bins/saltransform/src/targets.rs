//! Where a SAL topic's records go: its Kafka topic, its schema's id, and the plan compiled from that schema.
//!
//! The registry is asked once for each topic, then again every refresh interval and when a message does not fit its
//! plan, so that a new schema version is picked up without a restart. What the registry does not know is asked for
//! again after a few seconds; a registry that is away is waited for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pipeline::dead_letter::Reason;
use pipeline::lock;
use pipeline::metrics::TransformMetrics;
use pipeline::registry::{RegisteredSchema, Registry, RegistryError};
use pipeline::retry::Verdict;
use pipeline::service::Part;
use sal::name::{Dialect, TopicName};
use sal::plan::Plan;
use sal::time::TimeScale;
use tokio::runtime::Handle;

/// How long a topic that the registry does not know counts as unknown before it is asked again.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// The least time between two questions about a topic whose messages do not fit.
const RENEW_AFTER: Duration = Duration::from_secs(1);
/// Unknown names that are remembered; a sender of nonsense cannot fill the memory.
const MOST_UNKNOWN: usize = 1_000;

/// Where the records of one SAL topic go.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) kafka_topic: String,
    pub(crate) schema_id: u32,
    pub(crate) plan: Plan,
    /// Whether a producer has seen the topic; set once.
    pub(crate) seen: AtomicBool,
}

/// How SAL topics are named and timed.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    pub(crate) dialect: Dialect,
    pub(crate) subname: String,
    pub(crate) time_scale: TimeScale,
}

/// The answer to "where does this topic go".
pub(crate) enum Lookup {
    Found(Arc<Target>),
    Dead(Reason),
    Away(RegistryError),
}

/// What all lanes know together.
pub(crate) struct SharedTargets {
    registry: Arc<Registry>,
    runtime: Handle,
    naming: Naming,
    metrics: TransformMetrics,
    part: Part,
    slots: Mutex<HashMap<Box<str>, Arc<Slot>>>,
    unknown: Mutex<HashMap<Box<str>, (Instant, Reason)>>,
}

/// One topic's target, and a version that tells lanes when it has changed.
struct Slot {
    target: Mutex<(Arc<Target>, Instant)>,
    version: AtomicU64,
}

/// A lane's own view: no lock on the way of a message.
pub(crate) struct Targets {
    shared: Arc<SharedTargets>,
    known: HashMap<Box<str>, (u64, Arc<Target>, Arc<Slot>)>,
}

impl Targets {
    pub(crate) fn new(shared: Arc<SharedTargets>) -> Self {
        Self {
            shared,
            known: HashMap::new(),
        }
    }

    /// Where the topic goes. Asks the registry at the first message of a topic; may block for as long as one request.
    pub(crate) fn get(&mut self, topic: &str) -> Lookup {
        if let Some((version, target, slot)) = self.known.get(topic)
            && *version == slot.version.load(Ordering::Acquire)
        {
            return Lookup::Found(Arc::clone(target));
        }
        match self.shared.slot(topic) {
            Ok(slot) => Lookup::Found(self.know(topic, &slot)),
            Err(lookup) => lookup,
        }
    }

    /// After a message that did not fit schema `id`: the newest target, if the registry has a newer one.
    pub(crate) fn renew(&mut self, topic: &str, id: u32) -> Option<Arc<Target>> {
        let slot = self.shared.slot(topic).ok()?;
        let current = slot.current();
        if current.schema_id == id {
            if slot.age() < RENEW_AFTER {
                return None;
            }
            self.shared.runtime.block_on(self.shared.refresh(topic, &slot));
        }
        let newest = self.know(topic, &slot);
        (newest.schema_id != id).then_some(newest)
    }

    fn know(&mut self, topic: &str, slot: &Arc<Slot>) -> Arc<Target> {
        let version = slot.version.load(Ordering::Acquire);
        let target = slot.current();
        self.known
            .insert(topic.into(), (version, Arc::clone(&target), Arc::clone(slot)));
        target
    }
}

impl SharedTargets {
    pub(crate) fn new(
        registry: Arc<Registry>,
        runtime: Handle,
        naming: Naming,
        metrics: TransformMetrics,
        part: Part,
    ) -> Self {
        Self {
            registry,
            runtime,
            naming,
            metrics,
            part,
            slots: Mutex::default(),
            unknown: Mutex::default(),
        }
    }

    /// The runtime that requests to the registry run on.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Asks for every known topic's schema anew, each `interval`, until the future is dropped.
    pub(crate) async fn keep_fresh(&self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            let slots: Vec<_> = lock(&self.slots)
                .iter()
                .map(|(k, v)| (k.clone(), Arc::clone(v)))
                .collect();
            for (topic, slot) in slots {
                // A registry that is away or refuses us is so for all topics: one line of log says it.
                if !self.refresh(&topic, &slot).await {
                    break;
                }
            }
        }
    }

    /// Waits until the registry answers at all.
    pub(crate) async fn wait_for_registry(&self) {
        self.registry.wait_until_it_answers(&self.part).await;
    }

    fn slot(&self, topic: &str) -> Result<Arc<Slot>, Lookup> {
        if let Some(slot) = lock(&self.slots).get(topic) {
            return Ok(Arc::clone(slot));
        }
        if let Some((since, reason)) = lock(&self.unknown).get(topic)
            && since.elapsed() < UNKNOWN_FOR
        {
            return Err(Lookup::Dead(reason.clone()));
        }
        let dead = |stage, reason, error: &dyn std::error::Error| {
            let reason = Reason {
                stage,
                reason,
                detail: pipeline::chain(error),
            };
            let mut unknown = lock(&self.unknown);
            if unknown.len() >= MOST_UNKNOWN {
                unknown.clear();
            }
            unknown.insert(topic.into(), (Instant::now(), reason.clone()));
            Lookup::Dead(reason)
        };
        let name = TopicName::new(topic).map_err(|error| dead("parse", "topic_name", &error))?;
        let subject = self.naming.dialect.subject(&name, &self.naming.subname);
        let schema = match self.runtime.block_on(self.registry.schema_by_subject(&subject)) {
            Ok(schema) => schema,
            Err(error) if matches!(error.verdict(), Verdict::Retry(_)) => {
                self.count("failed");
                self.part.down(pipeline::chain(&error));
                return Err(Lookup::Away(error));
            }
            Err(error) => {
                self.count("missing");
                tracing::warn!(
                    topic,
                    subject,
                    "no schema for this topic: its messages are dead letters until there is one"
                );
                return Err(dead("schema", "unknown_topic", &error));
            }
        };
        self.part.up();
        let target = self
            .compile(&name, &schema)
            .map_err(|error| dead("schema", "unusable_schema", &error))?;
        self.count("new");
        tracing::info!(
            topic,
            id = target.schema_id,
            target = target.kafka_topic,
            "schema is in use"
        );
        let slot = Arc::new(Slot {
            target: Mutex::new((Arc::new(target), Instant::now())),
            version: 0.into(),
        });
        let mut slots = lock(&self.slots);
        Ok(Arc::clone(slots.entry(topic.into()).or_insert(slot)))
    }

    /// Replaces a slot's target if the registry has a newer schema. Any failure leaves the old one in use. Says whether
    /// the registry answered.
    async fn refresh(&self, topic: &str, slot: &Slot) -> bool {
        let Ok(name) = TopicName::new(topic) else {
            return true;
        };
        let subject = self.naming.dialect.subject(&name, &self.naming.subname);
        let schema = match self.registry.latest(&subject).await {
            Ok(schema) => schema,
            Err(error) => {
                self.count("failed");
                tracing::warn!(topic, error = %pipeline::chain(&error), "schema not refreshed; the last one stays in use");
                return !matches!(error.verdict(), Verdict::Retry(_));
            }
        };
        let old = slot.current().schema_id;
        if schema.id == old {
            self.count("unchanged");
            lock(&slot.target).1 = Instant::now();
            return true;
        }
        match self.compile(&name, &schema) {
            Ok(target) => {
                self.count("new");
                tracing::info!(topic, old, new = schema.id, "new schema version is in use");
                *lock(&slot.target) = (Arc::new(target), Instant::now());
                slot.version.fetch_add(1, Ordering::Release);
            }
            Err(error) => {
                self.count("unusable");
                lock(&slot.target).1 = Instant::now();
                tracing::error!(
                    topic, old, new = schema.id, error = %pipeline::chain(&error),
                    "new schema version cannot be used; the last one stays in use"
                );
            }
        }
        true
    }

    fn compile(&self, name: &TopicName, schema: &RegisteredSchema) -> Result<Target, sal::plan::PlanError> {
        let plan = Plan::compile(&schema.raw, self.naming.time_scale)?;
        if plan.layouts() > 1 {
            tracing::info!(
                topic = %name, id = schema.id, layouts = plan.layouts(),
                "schema does not say which extra values its messages carry: the plan follows the count of values"
            );
        }
        let kafka_topic = self.naming.dialect.kafka_topic(name, &self.naming.subname);
        Ok(Target {
            kafka_topic,
            schema_id: schema.id,
            plan,
            seen: AtomicBool::new(false),
        })
    }

    fn count(&self, result: &str) {
        self.metrics.schema_lookups.with_label_values(&[result]).inc();
    }
}

impl Slot {
    fn current(&self) -> Arc<Target> {
        Arc::clone(&lock(&self.target).0)
    }

    /// How long ago the registry was asked.
    fn age(&self) -> Duration {
        lock(&self.target).1.elapsed()
    }
}
