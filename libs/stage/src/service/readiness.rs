//! The answer of `/ready`: ready once every dependency is available, otherwise which one is missing and why. Remarks add
//! what works but needs attention. A part of the process ([`super::Service::part`]) has dependencies of its own; what is
//! said of them begins with the part's name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::address::masked;

/// The minimum time between two log lines about a dependency whose reason changes while it is unavailable.
const MIN_LOG_INTERVAL: Duration = Duration::from_secs(30);

/// The dependencies of a stage: broker, registry, database.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    dependencies: Arc<Mutex<BTreeMap<&'static str, State>>>,
    remarks: Arc<Mutex<BTreeMap<(&'static str, String), Remark>>>,
    /// The name, of a part.
    name: Option<Arc<str>>,
    parts: Arc<Mutex<Vec<Readiness>>>,
}

/// The number of remarks is limited because their texts come from outside.
const MAX_REMARKS: usize = 64;

/// A remark on a dependency, which its key tells from the others.
#[derive(Debug)]
struct Remark {
    text: String,
    since: Instant,
    lasts: Duration,
}

/// The state of a dependency.
#[derive(Debug)]
struct State {
    /// Why it is missing; none while it is available.
    why: Option<String>,
    /// When that was last logged.
    logged: Option<Instant>,
}

/// A dependency, held by the code that knows its state.
#[derive(Debug, Clone)]
pub struct Dependency {
    readiness: Readiness,
    name: &'static str,
}

impl Readiness {
    /// Adds a dependency. It is missing until [`Dependency::up`].
    pub fn dependency(&self, name: &'static str) -> Dependency {
        let unseen = State {
            why: Some("not yet seen".to_owned()),
            logged: None,
        };
        self.lock().insert(name, unseen);
        Dependency {
            readiness: self.clone(),
            name,
        }
    }

    /// The dependencies of a part of the process: this one is ready only if they are available as well.
    pub(super) fn part(&self, name: &str) -> Readiness {
        let part = Readiness {
            name: Some(name.into()),
            ..Readiness::default()
        };
        crate::lock(&self.parts).push(part.clone());
        part
    }

    /// Whether all dependencies are available.
    pub fn is_ready(&self) -> bool {
        self.missing().is_empty()
    }

    /// Each missing dependency and why, in the order of their names; those of parts follow.
    pub fn missing(&self) -> Vec<(&'static str, String)> {
        let own = self.lock();
        let own = own
            .iter()
            .filter_map(|(name, state)| Some((*name, self.of_part(state.why.as_ref()?))));
        let mut missing: Vec<_> = own.collect();
        for part in crate::lock(&self.parts).iter() {
            missing.append(&mut part.missing());
        }
        missing
    }

    /// Each dependency and whether it is available, in the order of their names, without those of parts.
    pub fn states(&self) -> Vec<(&'static str, bool)> {
        self.lock()
            .iter()
            .map(|(name, state)| (*name, state.why.is_none()))
            .collect()
    }

    /// The current remarks, each with its dependency and its age; those of parts follow.
    pub fn remarks(&self) -> Vec<(&'static str, String, Duration)> {
        let mut remarks = crate::lock(&self.remarks);
        remarks.retain(|_, remark| remark.since.elapsed() < remark.lasts);
        let own = remarks.iter().map(|((dependency, _), remark)| {
            (*dependency, self.of_part(&remark.text), remark.since.elapsed())
        });
        let mut all: Vec<_> = own.collect();
        for part in crate::lock(&self.parts).iter() {
            all.append(&mut part.remarks());
        }
        all
    }

    /// A text about this part of the process.
    fn of_part(&self, text: &str) -> String {
        match &self.name {
            Some(name) => format!("{name}: {text}"),
            None => text.to_owned(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        crate::lock(&self.dependencies)
    }
}

impl Dependency {
    /// Another dependency of the same process, available until [`Dependency::down`].
    pub fn beside(&self, name: &'static str) -> Dependency {
        let dependency = self.readiness.dependency(name);
        dependency.up();
        dependency
    }

    /// Notes something that needs attention although the dependency works: `/ready` shows it for the time `lasts`, and stays
    /// ready. A later remark with the same key replaces the earlier one.
    pub fn remark(&self, key: &str, text: String, lasts: Duration) {
        let remark = Remark {
            text,
            since: Instant::now(),
            lasts,
        };
        let mut remarks = crate::lock(&self.readiness.remarks);
        remarks.insert((self.name, key.to_owned()), remark);
        if remarks.len() > MAX_REMARKS {
            let oldest = remarks
                .iter()
                .min_by_key(|(_, remark)| remark.since)
                .map(|(key, _)| key.clone());
            oldest.and_then(|key| remarks.remove(&key));
        }
    }

    /// It answers.
    pub fn up(&self) {
        let up = State {
            why: None,
            logged: None,
        };
        let before = self.readiness.lock().insert(self.name, up);
        if before.is_some_and(|before| before.why.is_some()) {
            let of = self.readiness.name.as_deref();
            tracing::info!(dependency = self.name, of, "dependency is available");
        }
    }

    /// It is unavailable; `/ready` shows why.
    pub fn down(&self, why: impl Into<String>) {
        let why = masked(&why.into()).into_owned();
        let mut dependencies = self.readiness.lock();
        let before = dependencies.remove(self.name);
        let is_news = before
            .as_ref()
            .is_none_or(|before| before.why.as_ref() != Some(&why));
        let logged = before.and_then(|before| before.logged);
        let is_logged = is_news && logged.is_none_or(|logged| logged.elapsed() >= MIN_LOG_INTERVAL);
        let state = State {
            why: Some(why.clone()),
            logged: if is_logged { Some(Instant::now()) } else { logged },
        };
        dependencies.insert(self.name, state);
        drop(dependencies);
        if is_logged {
            let of = self.readiness.name.as_deref();
            tracing::warn!(dependency = self.name, of, why, "dependency is unavailable");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_lasts_for_its_time_and_is_not_a_reason_to_be_missing() {
        let readiness = Readiness::default();
        let kafka = readiness.dependency("kafka");
        kafka.up();
        kafka.remark("retention t", "3 messages".to_owned(), Duration::from_secs(60));
        kafka.remark("retention t", "5 messages".to_owned(), Duration::from_secs(60));
        kafka.remark("over", "over".to_owned(), Duration::ZERO);
        assert!(readiness.is_ready());
        let texts: Vec<_> = readiness.remarks().into_iter().map(|(_, text, _)| text).collect();
        assert_eq!(texts, ["5 messages"]);
        for number in 0..1_000 {
            kafka.remark(&number.to_string(), String::new(), Duration::from_secs(60));
        }
        assert_eq!(readiness.remarks().len(), MAX_REMARKS);
    }

    #[test]
    fn ready_when_every_dependency_is_up() {
        let readiness = Readiness::default();
        let (kafka, registry) = (readiness.dependency("kafka"), readiness.dependency("registry"));
        kafka.up();
        assert!(!readiness.is_ready());
        assert_eq!(readiness.missing(), [("registry", "not yet seen".to_owned())]);
        registry.up();
        assert!(readiness.is_ready());
        kafka.down("connection refused");
        assert_eq!(readiness.missing(), [("kafka", "connection refused".to_owned())]);
    }

    #[test]
    fn a_part_has_dependencies_of_its_own() {
        let readiness = Readiness::default();
        readiness.dependency("registry").up();
        let parts = ["primary", "standby"].map(|name| readiness.part(name));
        let databases = parts.each_ref().map(|part| part.dependency("database"));
        databases[0].up();
        let missing = [("database", "standby: not yet seen".to_owned())];
        assert_eq!(readiness.missing(), missing);
        assert!(parts[0].is_ready() && !parts[1].is_ready() && !readiness.is_ready());
        assert_eq!(readiness.states(), [("registry", true)]);
        databases[1].up();
        databases[1].remark("full", "nearly full".to_owned(), Duration::from_secs(60));
        assert!(readiness.is_ready());
        assert_eq!(readiness.remarks()[0].1, "standby: nearly full");
    }
}
