//! Keeps the entries of the schema cache up to date: a newer version of a topic's schema replaces the previous one, and an
//! id that now belongs to another schema blocks the topic.
//!
//! A registry that has lost its data assigns its ids again. A record written with such an id would be read with another
//! schema, now or after the registry is restored. Therefore the id in use must still mean what it meant when it was
//! first used; records wait until it does again. A new process takes the ids as they are: it cannot know what they
//! meant before.

use std::sync::Arc;
use std::time::Instant;

use sal::name::TopicName;
use stage::lock;
use stage::registry::{RegistryError, VersionedSchema, is_same_schema};
use stage::retry::Verdict;

use crate::schema_cache::SharedSchemaCache;
use crate::schema_cache_entry::{Doubt, Entry, Target};
use crate::versions::Versions;

/// What the id in use currently means in the registry.
enum Meaning {
    Same,
    Unknown,
    Other,
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
        // Between the two requests the registry may have been restored: then the newest version is that of before, whose
        // id now belongs to another schema. The next refresh decides.
        if self.registry.version(&subject, None).await?.id != latest.id {
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
        let Versions { usable, unusable } = self.versions(name.as_str(), subject, latest).await?;
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
