//! What `/ready` answers: ready once every named part is, and else which one is missing and why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The parts that a stage waits for: broker, registry, database.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    parts: Arc<Mutex<BTreeMap<&'static str, Option<String>>>>,
}

/// One part, held by the code that knows its state.
#[derive(Debug, Clone)]
pub struct Part {
    readiness: Readiness,
    name: &'static str,
}

impl Readiness {
    /// Names a part; it is missing until it says otherwise.
    pub fn part(&self, name: &'static str) -> Part {
        self.lock().insert(name, Some("not yet seen".to_owned()));
        Part {
            readiness: self.clone(),
            name,
        }
    }

    /// Whether all parts are there.
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(Option::is_none)
    }

    /// Each missing part and why, in the order of their names.
    pub fn missing(&self) -> Vec<(&'static str, String)> {
        self.lock()
            .iter()
            .filter_map(|(name, why)| Some((*name, why.clone()?)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Option<String>>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// The part answers.
    pub fn up(&self) {
        if self.readiness.lock().insert(self.name, None).flatten().is_some() {
            tracing::info!(part = self.name, "part is there");
        }
    }

    /// The part is away; `why` is shown by `/ready`.
    pub fn down(&self, why: impl Into<String>) {
        let why = why.into();
        let was_up = self
            .readiness
            .lock()
            .insert(self.name, Some(why.clone()))
            .is_some_and(|old| old.is_none());
        if was_up {
            tracing::warn!(part = self.name, why, "part is away");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_part_is_up() {
        let readiness = Readiness::default();
        let (kafka, registry) = (readiness.part("kafka"), readiness.part("registry"));
        kafka.up();
        assert!(!readiness.is_ready());
        assert_eq!(readiness.missing(), [("registry", "not yet seen".to_owned())]);
        registry.up();
        assert!(readiness.is_ready());
        kafka.down("connection refused");
        assert_eq!(readiness.missing(), [("kafka", "connection refused".to_owned())]);
    }
}
