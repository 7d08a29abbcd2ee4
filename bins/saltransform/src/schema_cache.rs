//! Where a SAL topic's records go: its Kafka topic, its schema's id, and the plan compiled from that schema.
//!
//! The registry is asked once for each topic, then every refresh interval and when a message does not fit its plan, so
//! that a new schema version is picked up without a restart. A schema that the registry does not know is waited for
//! during the grace period, and then requested again after a few seconds; an unavailable registry is waited for, and so
//! is one that has given a schema's id to another schema ([`entry`](crate::entry)).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sal::avro::FieldTypes;
use sal::name::{Dialect, TopicName};
use sal::record_key::RecordKey;
use sal::time::TimeScale;
use stage::kafka::{TopicProbe, Unacknowledged};
use stage::lock;
use stage::reason::Reason;
use stage::registry::{Grace, Registry, RegistryError};
use stage::retry::Verdict;
use stage::service::SharedDependency;
use tokio::runtime::Handle;

use crate::metrics::TransformMetrics;
use crate::schema_cache_entry::{Entry, Target};
use crate::versions::{Usable, Versions, compile, newest_usable};

/// How long a topic counts as having no usable schema before it is checked again.
const RECHECK_INTERVAL: Duration = Duration::from_secs(5);
/// The minimum time between two requests for a topic whose messages do not fit.
const RENEW_AFTER: Duration = Duration::from_secs(1);
/// The number of unknown names that are remembered, which keeps invalid names from filling the memory.
const MAX_UNKNOWN: usize = 1_000;
/// What to do about a record topic that does not exist.
const MAKE_TOPIC: &str = "saltransform init creates it";

/// How SAL topics are named and timed.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    pub(crate) dialect: Dialect,
    pub(crate) subname: String,
    pub(crate) time_scale: TimeScale,
    /// The SAL types of fields, for schemas that do not have them.
    pub(crate) types: FieldTypes,
}

/// The answer to "where does this topic go".
pub(crate) enum Lookup {
    Found(Arc<Target>),
    Refused(Reason),
    Away(RegistryError),
}

/// The schemas that all workers share.
pub(crate) struct SharedSchemaCache {
    pub(crate) registry: Arc<Registry>,
    runtime: Handle,
    naming: Naming,
    metrics: TransformMetrics,
    pub(crate) dependency: SharedDependency,
    unacknowledged: Unacknowledged,
    grace: Grace<String>,
    pub(crate) grace_period: Duration,
    entries: Mutex<HashMap<Box<str>, Arc<Entry>>>,
    unknown: Mutex<HashMap<Box<str>, (Instant, Reason)>>,
}

/// A worker's own view, which needs no lock per message.
pub(crate) struct SchemaCache {
    shared: Arc<SharedSchemaCache>,
    known: HashMap<Box<str>, (u64, Arc<Target>, Arc<Entry>)>,
}

impl SchemaCache {
    pub(crate) fn new(shared: Arc<SharedSchemaCache>) -> Self {
        Self {
            shared,
            known: HashMap::new(),
        }
    }

    /// The target of a SAL topic's messages on Kafka topic `input`. Asks the registry at the first message of a topic;
    /// may block for as long as one request.
    pub(crate) fn get(&mut self, topic: &str, input: &str) -> Lookup {
        if let Some((version, target, entry)) = self.known.get(topic)
            && *version == entry.version()
        {
            return Lookup::Found(Arc::clone(target));
        }
        let entry = match self.shared.entry(topic, input) {
            Ok(entry) => entry,
            Err(lookup) => return lookup,
        };
        if entry.doubt().is_some() && entry.age() >= RENEW_AFTER {
            self.shared.runtime.block_on(self.shared.refresh(topic, &entry));
        }
        match entry.doubt() {
            None => Lookup::Found(self.know(topic, &entry)),
            Some(doubt) => Lookup::Away(doubt),
        }
    }

    /// After a message that did not fit schema `id`: the newest target, if the registry has a newer one.
    pub(crate) fn renew(&mut self, topic: &str, input: &str, id: u32) -> Option<Arc<Target>> {
        let entry = self.shared.entry(topic, input).ok()?;
        if entry.current().schema_id == id {
            if entry.age() < RENEW_AFTER {
                return None;
            }
            self.shared.runtime.block_on(self.shared.refresh(topic, &entry));
        }
        if entry.doubt().is_some() {
            return None;
        }
        let newest = self.know(topic, &entry);
        (newest.schema_id != id).then_some(newest)
    }

    fn know(&mut self, topic: &str, entry: &Arc<Entry>) -> Arc<Target> {
        let version = entry.version();
        let target = entry.current();
        self.known
            .insert(topic.into(), (version, Arc::clone(&target), Arc::clone(entry)));
        target
    }
}

/// What the cache needs besides the registry.
pub(crate) struct Surroundings {
    pub(crate) runtime: Handle,
    pub(crate) metrics: TransformMetrics,
    pub(crate) dependency: SharedDependency,
    pub(crate) unacknowledged: Unacknowledged,
}

impl SharedSchemaCache {
    pub(crate) fn new(
        registry: Arc<Registry>,
        naming: Naming,
        grace: Duration,
        surroundings: Surroundings,
    ) -> Self {
        let Surroundings {
            runtime,
            metrics,
            dependency,
            unacknowledged,
        } = surroundings;
        Self {
            registry,
            runtime,
            naming,
            metrics,
            dependency,
            unacknowledged,
            grace: Grace::new(grace),
            grace_period: grace,
            entries: Mutex::default(),
            unknown: Mutex::default(),
        }
    }

    /// The runtime that requests to the registry run on.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Requests every known topic's schema each `interval`, until the future is dropped.
    pub(crate) async fn keep_fresh(&self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            let entries: Vec<_> = lock(&self.entries)
                .iter()
                .map(|(k, v)| (k.clone(), Arc::clone(v)))
                .collect();
            for (topic, entry) in entries {
                // A registry that is unavailable or denies access is so for all topics: one log line reports it.
                if !self.refresh(&topic, &entry).await {
                    break;
                }
            }
        }
    }

    /// Waits until the registry answers at all.
    pub(crate) async fn wait_for_registry(&self) {
        self.registry
            .wait_until_it_answers(self.dependency.dependency())
            .await;
        self.dependency.up();
    }

    pub(crate) fn count(&self, result: &str) {
        self.metrics.schema_lookups.with_label_values(&[result]).inc();
    }

    pub(crate) fn subject(&self, name: &TopicName) -> String {
        self.naming.dialect.subject(name, &self.naming.subname)
    }

    pub(crate) async fn versions(
        &self,
        topic: &str,
        subject: &str,
        latest: stage::registry::VersionedSchema,
    ) -> Result<Versions, RegistryError> {
        let Naming {
            types, time_scale, ..
        } = &self.naming;
        let compile = |schema: &str| compile(types, topic, schema, *time_scale);
        newest_usable(&self.registry, subject, latest, &compile).await
    }

    fn entry(&self, topic: &str, input: &str) -> Result<Arc<Entry>, Lookup> {
        if let Some(entry) = lock(&self.entries).get(topic) {
            return Ok(Arc::clone(entry));
        }
        if let Some((since, reason)) = lock(&self.unknown).get(topic)
            && since.elapsed() < RECHECK_INTERVAL
        {
            return Err(Lookup::Refused(reason.clone()));
        }
        let name = TopicName::new(topic).map_err(|error| self.dead(topic, "parse", "topic_name", &error))?;
        let subject = self.subject(&name);
        let found = self.runtime.block_on(async {
            let latest = self.registry.version(&subject, None).await?;
            self.versions(topic, &subject, latest).await
        });
        let Versions { usable, unusable } = match found {
            Ok(versions) => versions,
            Err(error) if matches!(error.verdict(), Verdict::Retry(_)) => {
                self.count("failed");
                return Err(Lookup::Away(error));
            }
            Err(error) => {
                self.count("missing");
                if self.grace.waits_for(input, &subject).is_some() {
                    return Err(Lookup::Away(error));
                }
                tracing::warn!(
                    topic,
                    subject,
                    "no schema for this topic: its messages are dead letters until there is one"
                );
                return Err(self.dead(topic, "schema", "unknown_topic", &error));
            }
        };
        self.grace.found(input, &subject);
        self.dependency.up();
        self.report_unusable(topic, &unusable, usable.as_ref());
        let Some(usable) = usable else {
            let error = unusable.into_iter().next().map(|newest| newest.error);
            let error = error.unwrap_or(sal::plan::PlanError::NoRecord);
            return Err(self.dead(topic, "schema", "unusable_schema", &error));
        };
        self.count("new");
        let refused = unusable.first().map(|newest| newest.id);
        let target = self.target(&name, usable);
        tracing::info!(
            topic,
            id = target.schema_id,
            version = target.version,
            target = target.kafka_topic,
            "schema is in use"
        );
        let entry = Arc::new(Entry::new(target, refused));
        let mut entries = lock(&self.entries);
        Ok(Arc::clone(entries.entry(topic.into()).or_insert(entry)))
    }

    fn dead(
        &self,
        topic: &str,
        step: &'static str,
        reason: &'static str,
        error: &dyn std::error::Error,
    ) -> Lookup {
        let reason = Reason {
            step,
            reason,
            detail: stage::chain(error),
        };
        let mut unknown = lock(&self.unknown);
        if unknown.len() >= MAX_UNKNOWN {
            unknown.clear();
        }
        unknown.insert(topic.into(), (Instant::now(), reason.clone()));
        Lookup::Refused(reason)
    }

    /// Logs each refused version as an error: somebody registered a schema that cannot be used.
    pub(crate) fn report_unusable(
        &self,
        topic: &str,
        unusable: &[crate::versions::Unusable],
        usable: Option<&Usable>,
    ) {
        for one in unusable {
            self.count("unusable");
            match usable {
                Some(usable) => tracing::error!(
                    topic, version = one.version, id = one.id, error = %stage::chain(&one.error),
                    in_use = usable.version, in_use_id = usable.id,
                    "schema version cannot be used; the newest usable version is in use"
                ),
                None => tracing::error!(
                    topic, version = one.version, id = one.id, error = %stage::chain(&one.error),
                    "schema version cannot be used, and no other can: its messages are dead letters"
                ),
            }
        }
    }

    pub(crate) fn target(&self, name: &TopicName, usable: Usable) -> Target {
        let Usable {
            version,
            id,
            text,
            plan,
        } = usable;
        if plan.layouts() > 1 {
            tracing::info!(
                topic = %name, id, layouts = plan.layouts(),
                "schema does not say which extra values its messages carry: the plan follows the count of values"
            );
        }
        let kafka_topic = self.naming.dialect.kafka_topic(name, &self.naming.subname);
        let probe: Arc<TopicProbe> = self.unacknowledged.topic(&kafka_topic, MAKE_TOPIC);
        let key = RecordKey::of(self.naming.dialect, name);
        Target::new(kafka_topic, key, version, id, text, plan, probe)
    }
}
