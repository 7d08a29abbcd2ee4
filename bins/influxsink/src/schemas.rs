//! The meaning of each schema id, for the whole process: fetched once, compared with its topic, and checked again while
//! the sink runs.
//!
//! A registry that has lost its data assigns its ids again, and then an id in an old record means another schema. There
//! are two signs: the id meant something else to this process, or the schema belongs to another topic. A schema that is
//! new to this process and has the name of the topic's records is accepted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stage::lock;
use stage::registry::{RegisteredSchema, Registry, RegistryError};
use stage::service::{SharedDependency, Wait};

use crate::naming;

/// How often the newest id is checked again.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// All other ids are checked every this many times.
const ROUNDS: usize = 6;

/// The answer to what an id means in a topic.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// The schema.
    Schema(Arc<RegisteredSchema>),
    /// It cannot be this topic's, or has changed. A later check may find it right again.
    Mismatch(String),
}

/// The known ids.
#[derive(Debug)]
pub(crate) struct Schemas {
    registry: Arc<Registry>,
    dependency: SharedDependency,
    known: Mutex<Known>,
    /// How many ids are in doubt; nearly always 0.
    doubts: AtomicUsize,
}

#[derive(Debug, Default)]
struct Known {
    ids: BTreeMap<u32, Schema>,
    /// The names of each topic's records.
    names: HashMap<Box<str>, BTreeSet<String>>,
}

#[derive(Debug)]
struct Schema {
    registered: Arc<RegisteredSchema>,
    /// Those whose records it is.
    topics: BTreeSet<Box<str>>,
    /// Shows in `/ready` that it means another schema, while it does.
    doubt: Option<Wait>,
}

impl Schemas {
    pub(crate) fn new(registry: Arc<Registry>, dependency: SharedDependency) -> Self {
        Self {
            registry,
            dependency,
            known: Mutex::default(),
            doubts: AtomicUsize::new(0),
        }
    }

    /// The registry's state.
    pub(crate) fn readiness(&self) -> &SharedDependency {
        &self.dependency
    }

    /// Whether the id now means another schema.
    pub(crate) fn is_in_doubt(&self, id: u32) -> bool {
        self.doubts.load(Ordering::Relaxed) > 0
            && lock(&self.known)
                .ids
                .get(&id)
                .is_some_and(|schema| schema.doubt.is_some())
    }

    /// The schema of an id in a topic.
    pub(crate) async fn look_up(&self, topic: &str, id: u32) -> Result<Found, RegistryError> {
        if let Some(schema) = lock(&self.known).ids.get(&id)
            && schema.topics.contains(topic)
            && schema.doubt.is_none()
        {
            return Ok(Found::Schema(Arc::clone(&schema.registered)));
        }
        let mut registered = self.registry.schema_by_id_now(id).await?;
        loop {
            if let Some(why) = self.compare(id, &registered) {
                return Ok(Found::Mismatch(why));
            }
            let Some(name) = record_name(&registered) else {
                break;
            };
            if let Some(why) = self.objection(topic, id, &name).await? {
                return Ok(Found::Mismatch(why));
            }
            // The registry may have been restored after the first request: then the subjects are those of another schema.
            if !naming::is_named_after(&name, topic) {
                let now = self.registry.schema_by_id_now(id).await?;
                if !now.is_same(&registered) {
                    registered = now;
                    continue;
                }
            }
            let mut known = lock(&self.known);
            known.names.entry(topic.into()).or_default().insert(name);
            break;
        }
        let mut known = lock(&self.known);
        let schema = known.ids.entry(id).or_insert_with(|| Schema {
            registered: Arc::new(registered),
            topics: BTreeSet::new(),
            doubt: None,
        });
        schema.topics.insert(topic.into());
        Ok(Found::Schema(Arc::clone(&schema.registered)))
    }

    /// Checks the ids again, until the future is dropped.
    pub(crate) async fn watch(&self) {
        let mut after = 0;
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let ids: Vec<u32> = lock(&self.known).ids.keys().copied().collect();
            let Some(newest) = ids.last().copied() else {
                continue;
            };
            // A registry whose ids start again does not have the newest, or gave it to another schema.
            let Ok(is_same) = self.check(newest).await else {
                continue;
            };
            self.dependency.up();
            let count = if is_same {
                ids.len().div_ceil(ROUNDS)
            } else {
                ids.len()
            };
            let from = ids.partition_point(|id| *id <= after);
            for id in ids.iter().cycle().skip(from).take(count) {
                after = *id;
                if self.check(*id).await.is_err() {
                    break;
                }
            }
        }
    }

    /// Whether an id still means the same in the registry.
    async fn check(&self, id: u32) -> Result<bool, RegistryError> {
        match self.registry.schema_by_id_now(id).await {
            Ok(schema) => Ok(self.compare(id, &schema).is_none()),
            Err(RegistryError::Missing { .. } | RegistryError::References { .. }) => {
                tracing::debug!(
                    id,
                    "the registry no longer knows a schema id; its schema stays in use"
                );
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Compares the registry's answer for an id with the earlier one, and describes the difference.
    fn compare(&self, id: u32, registered: &RegisteredSchema) -> Option<String> {
        let mut known = lock(&self.known);
        let schema = known.ids.get_mut(&id)?;
        if schema.registered.is_same(registered) {
            if let Some(doubt) = schema.doubt.take() {
                self.doubts.fetch_sub(1, Ordering::Relaxed);
                tracing::info!(
                    id,
                    "schema id means what it did before; its records are written again"
                );
                doubt.answered();
            }
            return None;
        }
        let (was, is) = (name_or_text(&schema.registered), name_or_text(registered));
        let why = format!(
            "schema id {id} was {was} and is another schema now ({is}): the registry has lost its data; restore it, or restart \
             to take its ids as they are"
        );
        if schema.doubt.is_none() {
            self.doubts.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                id,
                was,
                is,
                "the registry gave a schema id to another schema: it has lost its data; records with it wait, nothing is lost"
            );
            let doubt = self.dependency.wait();
            doubt.because(why.as_str());
            schema.doubt = Some(doubt);
        }
        Some(why)
    }

    /// Why the schema cannot be that of the topic's records.
    async fn objection(&self, topic: &str, id: u32, name: &str) -> Result<Option<String>, RegistryError> {
        let has_other_names = {
            let known = lock(&self.known);
            let names = known.names.get(topic);
            if names.is_some_and(|names| names.contains(name)) {
                return Ok(None);
            }
            names.is_some_and(|names| !names.is_empty())
        };
        if naming::is_named_after(name, topic) {
            return Ok(None);
        }
        let Some(subjects) = self.registry.subjects_of_id(id).await? else {
            // A registry that does not support the request.
            return Ok(None);
        };
        if subjects
            .iter()
            .any(|subject| naming::is_subject_of(subject, topic, name))
        {
            return Ok(None);
        }
        let object = |whose: &str| {
            Ok(Some(format!(
                "schema id {id} in topic {topic} is record {name}, {whose}: the registry has lost its data, or a producer took \
                 a wrong id; restore the registry, or skip these records with --schema-mismatch dead-letter"
            )))
        };
        match self.registry.version(&naming::default_subject(topic), None).await {
            Ok(own) => match naming::record_name(&own.schema) {
                Some(own) if own != name => return object(&format!("and the topic's subject has {own}")),
                _ => return Ok(None),
            },
            Err(RegistryError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        let topics: Vec<&str> = subjects
            .iter()
            .filter_map(|subject| naming::topic_of_subject(subject))
            .collect();
        if let Some(other) = topics.iter().find(|other| naming::is_named_after(name, other)) {
            return object(&format!("of topic {other}"));
        }
        if has_other_names && !topics.is_empty() && topics.len() == subjects.len() {
            return object(&format!("of subject {}", subjects.join(", ")));
        }
        Ok(None)
    }
}

/// The full name of the schema's record, if it is Avro.
fn record_name(schema: &RegisteredSchema) -> Option<String> {
    schema.check_is_avro().ok()?;
    naming::record_name(&schema.raw)
}

fn name_or_text(schema: &RegisteredSchema) -> String {
    record_name(schema).unwrap_or_else(|| schema.raw.chars().take(60).collect())
}
