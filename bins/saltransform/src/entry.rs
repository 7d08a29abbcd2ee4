//! One SAL topic's target, kept fresh: a newer version of its schema replaces the one before, and an id that means another
//! schema than before holds the topic.
//!
//! A registry that has lost its data gives its ids anew. A record that is written with such an id would be read by another
//! schema, now or after the registry was restored. So the id in use has to mean what it meant when it was taken; what is
//! written waits until it does again. A new process takes the ids as they are then: it cannot know what they meant before.

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
    /// The schema, to be held against what its id means later.
    text: Arc<str>,
    pub(crate) plan: Plan,
    /// Whether the topic's records arrive.
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

/// One topic's target, and a version that tells workers when it has changed.
pub(crate) struct Entry {
    state: Mutex<State>,
    version: AtomicU64,
}

struct State {
    target: Arc<Target>,
    /// When the registry was asked last.
    asked: Instant,
    /// The subject's latest id, where that version cannot be used.
    refused: Option<u32>,
    /// Since when the registry lacks the id in use, though its ids have come as far.
    lost: Option<Instant>,
    /// Why nothing is written now.
    doubt: Option<Doubt>,
}

struct Doubt {
    error: RegistryError,
    /// Shows it in `/ready` as long as it lasts.
    wait: Wait,
}

/// What the id in use means in the registry now.
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

    /// The id in use means what it should.
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

    /// The registry lacks the id in use: whether it has for so long.
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
    /// Replaces a entry's target if the registry has a newer usable version. Any failure leaves the old one in use. Says
    /// whether the registry answered.
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
            // Deleted for ever.
            Meaning::Unknown if latest.id > current.schema_id => entry.trust(),
            // Ids ascend: what has a smaller one was given it when the ids began again, or is all that a replica of the
            // registry has that lags.
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

    /// The registry forgot the subject, for a moment or for good: its schema stays in use, unless another has its id.
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
                    "the registry knows the subject no more; its schema stays in use"
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
