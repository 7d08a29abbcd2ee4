//! What `/ready` answers: ready once every named part is, and else which one is missing and why; beside it remarks, of what
//! works and should be looked at all the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The least time between two log lines about a part that stays away for another reason than before.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// The parts that a stage waits for: broker, registry, database.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    parts: Arc<Mutex<BTreeMap<&'static str, State>>>,
    remarks: Arc<Mutex<BTreeMap<(&'static str, String), Remark>>>,
}

/// The most remarks that are kept: their texts come from outside.
const MAX_REMARKS: usize = 64;

/// Of a part, by what tells it from its others.
#[derive(Debug)]
struct Remark {
    text: String,
    since: Instant,
    lasts: Duration,
}

/// Of a part.
#[derive(Debug)]
struct State {
    /// Why it is missing; none while it is there.
    why: Option<String>,
    /// When the log said so last.
    said: Option<Instant>,
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
        let unseen = State {
            why: Some("not yet seen".to_owned()),
            said: None,
        };
        self.lock().insert(name, unseen);
        Part {
            readiness: self.clone(),
            name,
        }
    }

    /// Whether all parts are there.
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(|state| state.why.is_none())
    }

    /// Each missing part and why, in the order of their names.
    pub fn missing(&self) -> Vec<(&'static str, String)> {
        self.lock()
            .iter()
            .filter_map(|(name, state)| Some((*name, state.why.clone()?)))
            .collect()
    }

    /// The remarks that last, each with its part and its age.
    pub fn remarks(&self) -> Vec<(&'static str, String, Duration)> {
        let mut remarks = crate::lock(&self.remarks);
        remarks.retain(|_, remark| remark.since.elapsed() < remark.lasts);
        remarks
            .iter()
            .map(|((part, _), remark)| (*part, remark.text.clone(), remark.since.elapsed()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        crate::lock(&self.parts)
    }
}

impl Part {
    /// Another part of the same process, which is there until it says otherwise.
    pub fn beside(&self, name: &'static str) -> Part {
        let part = self.readiness.part(name);
        part.up();
        part
    }

    /// Something to be looked at though the part works: `/ready` says it for so long, and stays ready. A later remark with
    /// the same key takes the place of the earlier.
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

    /// The part answers.
    pub fn up(&self) {
        let up = State {
            why: None,
            said: None,
        };
        let before = self.readiness.lock().insert(self.name, up);
        if before.is_some_and(|before| before.why.is_some()) {
            tracing::info!(part = self.name, "part is there");
        }
    }

    /// The part is away; `why` is shown by `/ready`.
    pub fn down(&self, why: impl Into<String>) {
        let why = why.into();
        let mut parts = self.readiness.lock();
        let before = parts.remove(self.name);
        let is_news = before
            .as_ref()
            .is_none_or(|before| before.why.as_ref() != Some(&why));
        let said = before.and_then(|before| before.said);
        let say = is_news && said.is_none_or(|said| said.elapsed() >= SAY_EVERY);
        let state = State {
            why: Some(why.clone()),
            said: if say { Some(Instant::now()) } else { said },
        };
        parts.insert(self.name, state);
        drop(parts);
        if say {
            tracing::warn!(part = self.name, why, "part is away");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_lasts_for_its_time_and_is_no_reason_to_be_missing() {
        let readiness = Readiness::default();
        let kafka = readiness.part("kafka");
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
