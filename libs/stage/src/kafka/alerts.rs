//! What the Kafka clients of a process complain about now: each complaint is said at most twice a minute, however often it
//! comes, and shown by `/ready` until it has not come for a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The least time between two log lines of one complaint.
const LOG_INTERVAL: Duration = Duration::from_secs(30);
/// Complaints about connections come at least this often as long as they last: librdkafka keeps quiet for 30 s.
const CONNECTION_LASTS: Duration = Duration::from_secs(45);
/// All others come back within seconds: with each record, metadata refresh or question for the coordinator.
const OTHER_LASTS: Duration = Duration::from_secs(15);
/// Complaints that are remembered; their texts come from outside.
const MAX_ALERTS: usize = 64;

/// A complaint.
#[derive(Debug, Clone)]
pub(super) struct Alert {
    /// For people.
    pub(super) text: String,
    /// Whether somebody refuses us: it is shown in place of its consequences, such as brokers that are all down.
    pub(super) is_refusal: bool,
    /// Whether it is over as soon as a connection works.
    pub(super) is_of_connections: bool,
}

/// All complaints, by what tells them apart.
#[derive(Debug, Default)]
pub(super) struct Alerts(Mutex<BTreeMap<String, Seen>>);

#[derive(Debug)]
struct Seen {
    /// None for what is only kept from being said too often.
    trouble: Option<Alert>,
    last: Instant,
    said: Instant,
    unsaid: u64,
}

impl Alerts {
    /// Notes a complaint. If it is time to say it: how often it came since it was said last.
    pub(super) fn note(&self, key: &str, trouble: Option<Alert>) -> Option<u64> {
        let now = Instant::now();
        let mut all = self.lock();
        if let Some(seen) = all.get_mut(key) {
            seen.last = now;
            seen.trouble = trouble;
            if seen.said.elapsed() < LOG_INTERVAL {
                seen.unsaid += 1;
                return None;
            }
            seen.said = now;
            return Some(std::mem::take(&mut seen.unsaid));
        }
        if all.len() >= MAX_ALERTS {
            let oldest = all
                .iter()
                .min_by_key(|(_, seen)| seen.last)
                .map(|(key, _)| key.clone());
            oldest.and_then(|key| all.remove(&key));
        }
        let seen = Seen {
            trouble,
            last: now,
            said: now,
            unsaid: 0,
        };
        all.insert(key.to_owned(), seen);
        Some(0)
    }

    /// A connection works: what was about connections is over.
    pub(super) fn connected(&self) {
        for seen in self.lock().values_mut() {
            seen.trouble.take_if(|trouble| trouble.is_of_connections);
        }
    }

    /// A complaint is over; says whether it was one until now.
    pub(super) fn end(&self, key: &str) -> bool {
        let mut all = self.lock();
        all.get_mut(key).is_some_and(|seen| seen.trouble.take().is_some())
    }

    /// What is wrong now, for `/ready`; none if nothing is.
    pub(super) fn now(&self) -> Option<String> {
        let all = self.lock();
        let lasting = all.values().filter_map(|seen| {
            let trouble = seen.trouble.as_ref()?;
            let lasts = if trouble.is_of_connections {
                CONNECTION_LASTS
            } else {
                OTHER_LASTS
            };
            (seen.last.elapsed() < lasts).then_some(trouble)
        });
        let lasting: Vec<&Alert> = lasting.collect();
        let refused = lasting.iter().any(|trouble| trouble.is_refusal);
        let shown = lasting.iter().filter(|trouble| trouble.is_refusal || !refused);
        let mut texts: Vec<&str> = shown.map(|trouble| trouble.text.as_str()).collect();
        // One advice is enough, in whatever words the clients came to it.
        texts.sort_unstable();
        texts.dedup_by_key(|text| text.split(" (").next());
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        crate::lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(text: &str, is_refusal: bool, is_of_connections: bool) -> Option<Alert> {
        Some(Alert {
            text: text.to_owned(),
            is_refusal,
            is_of_connections,
        })
    }

    #[test]
    fn a_complaint_is_said_once_however_often_it_comes() {
        let troubles = Alerts::default();
        let said = (0..1_000).filter_map(|_| troubles.note("tls", trouble("no", true, true)));
        assert_eq!(said.collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_refusal_is_shown_in_place_of_its_consequences() {
        let troubles = Alerts::default();
        troubles.note("down", trouble("no broker answers", false, true));
        assert_eq!(troubles.now().as_deref(), Some("no broker answers"));
        troubles.note("sasl", trouble("wrong password", true, true));
        assert_eq!(troubles.now().as_deref(), Some("wrong password"));
        troubles.connected();
        assert_eq!(troubles.now(), None);
    }

    #[test]
    fn a_missing_right_outlasts_a_connection_that_works() {
        let troubles = Alerts::default();
        troubles.note("acl", trouble("no right", true, false));
        troubles.connected();
        assert_eq!(troubles.now().as_deref(), Some("no right"));
    }

    #[test]
    fn memory_is_bounded() {
        let troubles = Alerts::default();
        for number in 0..1_000 {
            troubles.note(&number.to_string(), None);
        }
        assert_eq!(troubles.lock().len(), MAX_ALERTS);
    }
}
