//! One SAL topic's target, kept up to date: a newer version of its schema replaces the previous one, and an id that now
//! belongs to another schema blocks the topic.
//!
//! A registry that has lost its data assigns its ids again. A record written with such an id would be read with another
//! schema, now or after the registry is restored. Therefore the id in use must still mean what it meant when it was
//! first used; records wait until it does again. A new process takes the ids as they are: it cannot know what they
//! meant before.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sal::name::TopicName;
use sal::plan::Plan;
use stage::kafka::TopicProbe;
use stage::lock;
use stage::registry::{RegistryError, VersionedSchema, is_same_schema};
use stage::retry::Verdict;
use stage::service::Wait;

use crate::schema_cache::SharedSchemaCache;
use crate::versions::Versions;

/// Where the records of one SAL topic go.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) kafka_topic: String,
    pub(crate) version: u32,
    pub(crate) schema_id: u32,
    /// The schema, for comparison with what its id means later.
    text: Arc<str>,
    pub(crate) plan: Plan,
    /// Whether the topic's records are delivered.
    pub(crate) probe: Arc<TopicProbe>,
    /// Whether a producer has seen the topic.
    pub(crate) seen: AtomicBool,
}

impl Target {
    pub(crate) fn new(
        kafka_topic: String,
        version: u32,
        schema_id: u32,
        text: Arc<str>,
        plan: Plan,
        probe: Arc<TopicProbe>,
    ) -> Self {
        Self {
            kafka_topic,
            version,
            schema_id,
            text,
            plan,
            probe,
            seen: AtomicBool::new(false),
        }
    }
}

/// One topic's target, and a version by which workers notice a change.
pub(crate) struct Entry {
    state: Mutex<State>,
    version: AtomicU64,
}

struct State {
    target: Arc<Target>,
    /// When the registry was last asked.
    asked: Instant,
    /// The subject's latest id if that version cannot be used.
    refused: Option<u32>,
    /// Since when the registry lacks the id in use although its ids have advanced as far.
    lost: Option<Instant>,
    /// Why nothing is written at present.
    doubt: Option<Doubt>,
}

struct Doubt {
    error: RegistryError,
    /// Shows the reason in `/ready` while it lasts.
    wait: Wait,
}

/// What the id in use currently means in the registry.
enum Meaning {
    Same,
    Unknown,
    Other,
}

impl Entry {
    pub(crate) fn new(target: Target, refused: Option<u32>) -> Self {
        let state = State {
            target: Arc::new(target),
            asked: Instant::now(),
            refused,
            lost: None,
            doubt: None,
        };
        Self {
            state: state.into(),
            version: 0.into(),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn current(&self) -> Arc<Target> {
        Arc::clone(&lock(&self.state).target)
    }

    /// How long ago the registry was asked.
    pub(crate) fn age(&self) -> Duration {
        lock(&self.state).asked.elapsed()
    }

    /// Why nothing is written now.
    pub(crate) fn doubt(&self) -> Option<RegistryError> {
        lock(&self.state).doubt.as_ref().map(|doubt| doubt.error.clone())
    }

    /// The id in use means what it meant.
    fn trust(&self) {
        let mut state = lock(&self.state);
        state.asked = Instant::now();
        state.lost = None;
        if let Some(doubt) = state.doubt.take() {
            tracing::info!(
                id = state.target.schema_id,
                "schema id means what it did before; records are written again"
            );
            doubt.wait.answered();
        }
    }

    /// The registry lacks the id in use. Returns whether it has lacked it for that long.
    fn is_lost_for(&self, period: Duration) -> bool {
        let mut state = lock(&self.state);
        state.asked = Instant::now();
        state.lost.get_or_insert_with(Instant::now).elapsed() >= period
    }

    fn changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }
}

impl SharedSchemaCache {
    /// Replaces the entry's target if the registry has a newer usable version. Any failure leaves the old one in use.
    /// Returns whether the registry answered.
    pub(crate) async fn refresh(&self, topic: &str, entry: &Entry) -> bool {
        let Ok(name) = TopicName::new(topic) else {
            return true;
        };
        match self.look_again(&name, entry).await {
            Ok(()) => {
                self.dependency.up();
                true
            }
            Err(error) => {
                self.count("failed");
                tracing::warn!(topic, error = %stage::chain(&error), "schema not refreshed; the last one stays in use");
                !matches!(error.verdict(), Verdict::Retry(_))
            }
        }
    }

    async fn look_again(&self, name: &TopicName, entry: &Entry) -> Result<(), RegistryError> {
        let subject = self.subject(name);
        let current = entry.current();
        let latest = match self.registry.version(&subject, None).await {
            Ok(latest) => latest,
            Err(RegistryError::Missing { .. }) => {
                return self.subject_is_gone(&subject, &current, entry).await;
            }
            Err(error) => return Err(error),
        };
        if latest.id == current.schema_id {
            if is_same_schema(&latest.schema, &current.text) {
                self.count("unchanged");
                lock(&entry.state).refused = None;
                entry.trust();
            } else {
                self.hold(&subject, &current, entry);
            }
            return Ok(());
        }
        match self.meaning(&current).await? {
            Meaning::Same => entry.trust(),
            // Permanently deleted.
            Meaning::Unknown if latest.id > current.schema_id => entry.trust(),
            // Ids ascend: a smaller one was assigned after the ids started again, or comes from a registry replica that
            // lags.
            Meaning::Unknown if !entry.is_lost_for(self.grace_period) => return Ok(()),
            Meaning::Unknown | Meaning::Other => {
                self.hold(&subject, &current, entry);
                return Ok(());
            }
        }
        if lock(&entry.state).refused == Some(latest.id) {
            self.count("unusable");
            return Ok(());
        }
        self.take_newest(name, &subject, latest, entry).await
    }

    async fn take_newest(
        &self,
        name: &TopicName,
        subject: &str,
        latest: VersionedSchema,
        entry: &Entry,
    ) -> Result<(), RegistryError> {
        let old = entry.current();
        let Versions { usable, unusable } = self.versions(subject, latest).await?;
        self.report_unusable(name.as_str(), &unusable, usable.as_ref());
        lock(&entry.state).refused = unusable.first().map(|newest| newest.id);
        match usable {
            Some(usable) if usable.id != old.schema_id => {
                self.count("new");
                tracing::info!(
                    topic = %name, old = old.schema_id, new = usable.id, version = usable.version,
                    "another schema version is in use"
                );
                lock(&entry.state).target = Arc::new(self.target(name, usable));
                entry.changed();
            }
            Some(_) => {}
            None => tracing::error!(
                topic = %name, in_use = old.version, in_use_id = old.schema_id,
                "no version of the subject can be used; the last one stays in use"
            ),
        }
        Ok(())
    }

    /// The registry no longer has the subject, temporarily or permanently: its schema stays in use, unless its id
    /// belongs to another.
    async fn subject_is_gone(
        &self,
        subject: &str,
        current: &Target,
        entry: &Entry,
    ) -> Result<(), RegistryError> {
        self.count("missing");
        match self.meaning(current).await? {
            Meaning::Other => self.hold(subject, current, entry),
            Meaning::Same => entry.trust(),
            Meaning::Unknown => {
                tracing::warn!(
                    subject,
                    id = current.schema_id,
                    "the registry no longer knows the subject; its schema stays in use"
                );
                lock(&entry.state).asked = Instant::now();
            }
        }
        Ok(())
    }

    async fn meaning(&self, current: &Target) -> Result<Meaning, RegistryError> {
        match self.registry.schema_by_id_now(current.schema_id).await {
            Ok(schema) if is_same_schema(&schema.raw, &current.text) => Ok(Meaning::Same),
            Ok(_) => Ok(Meaning::Other),
            Err(RegistryError::Missing { .. }) => Ok(Meaning::Unknown),
            Err(error) => Err(error),
        }
    }

    fn hold(&self, subject: &str, current: &Target, entry: &Entry) {
        self.count("reassigned");
        let mut state = lock(&entry.state);
        state.asked = Instant::now();
        if state.doubt.is_some() {
            return;
        }
        let error = RegistryError::Reassigned {
            id: current.schema_id,
            was: format!("version {} of subject {subject}", current.version),
        };
        tracing::error!(
            subject,
            id = current.schema_id,
            error = %error,
            "records wait, nothing is lost; restore the registry, or restart to take its ids as they are"
        );
        let wait = self.dependency.wait();
        wait.because(stage::chain(&error));
        state.doubt = Some(Doubt { error, wait });
        drop(state);
        entry.changed();
    }
}
