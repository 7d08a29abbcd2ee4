//! Current errors of a process's Kafka clients, which `/ready` shows until they have not occurred for a while. What is
//! logged of them, and how often, is up to [`complaints`](super::complaints).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long an alert about connections lasts; librdkafka repeats them at least this often, as it stays silent for 30 s.
const CONNECTION_ALERT_DURATION: Duration = Duration::from_secs(45);
/// How long any other alert lasts. They recur within seconds: with each record, metadata refresh or coordinator
/// request.
const ALERT_DURATION: Duration = Duration::from_secs(15);
/// The number of alerts is limited because their texts come from outside.
const MAX_ALERTS: usize = 64;

/// An alert.
#[derive(Debug, Clone)]
pub(super) struct Alert {
    /// The text for operators.
    pub(super) text: String,
    /// Whether access is refused: it is shown instead of its consequences, such as brokers that are all down.
    pub(super) is_refusal: bool,
    /// Whether it ends as soon as a connection works.
    pub(super) is_of_connections: bool,
}

/// All alerts, by a key that distinguishes them.
#[derive(Debug, Default)]
pub(super) struct Alerts(Mutex<BTreeMap<String, Seen>>);

#[derive(Debug)]
struct Seen {
    /// None once it is over.
    alert: Option<Alert>,
    last: Instant,
}

impl Alerts {
    /// Notes an alert.
    pub(super) fn note(&self, key: &str, alert: Alert) {
        let mut all = self.lock();
        if !all.contains_key(key) && all.len() >= MAX_ALERTS {
            let oldest = all
                .iter()
                .min_by_key(|(_, seen)| seen.last)
                .map(|(key, _)| key.clone());
            oldest.and_then(|key| all.remove(&key));
        }
        let seen = Seen {
            alert: Some(alert),
            last: Instant::now(),
        };
        all.insert(key.to_owned(), seen);
    }

    /// A connection works: alerts about connections are over.
    pub(super) fn connected(&self) {
        for seen in self.lock().values_mut() {
            seen.alert.take_if(|alert| alert.is_of_connections);
        }
    }

    /// An alert is over. Returns whether it was active.
    pub(super) fn end(&self, key: &str) -> bool {
        let mut all = self.lock();
        all.get_mut(key).is_some_and(|seen| seen.alert.take().is_some())
    }

    /// The current alert for `/ready`, if there is one.
    pub(super) fn now(&self) -> Option<String> {
        let all = self.lock();
        let lasting = all.values().filter_map(|seen| {
            let alert = seen.alert.as_ref()?;
            let lasts = if alert.is_of_connections {
                CONNECTION_ALERT_DURATION
            } else {
                ALERT_DURATION
            };
            (seen.last.elapsed() < lasts).then_some(alert)
        });
        let lasting: Vec<&Alert> = lasting.collect();
        let refused = lasting.iter().any(|alert| alert.is_refusal);
        let shown = lasting.iter().filter(|alert| alert.is_refusal || !refused);
        let mut texts: Vec<&str> = shown.map(|alert| alert.text.as_str()).collect();
        // One line is enough, however the clients phrased it.
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

    fn alert(text: &str, is_refusal: bool, is_of_connections: bool) -> Alert {
        Alert {
            text: text.to_owned(),
            is_refusal,
            is_of_connections,
        }
    }

    #[test]
    fn a_refusal_is_shown_in_place_of_its_consequences() {
        let alerts = Alerts::default();
        alerts.note("down", alert("no broker answers", false, true));
        assert_eq!(alerts.now().as_deref(), Some("no broker answers"));
        alerts.note("sasl", alert("wrong password", true, true));
        assert_eq!(alerts.now().as_deref(), Some("wrong password"));
        alerts.connected();
        assert_eq!(alerts.now(), None);
    }

    #[test]
    fn a_missing_right_outlasts_a_connection_that_works() {
        let alerts = Alerts::default();
        alerts.note("acl", alert("no right", true, false));
        alerts.connected();
        assert_eq!(alerts.now().as_deref(), Some("no right"));
    }

    #[test]
    fn memory_is_bounded() {
        let alerts = Alerts::default();
        for number in 0..1_000 {
            alerts.note(&number.to_string(), alert("no", false, false));
        }
        assert_eq!(alerts.lock().len(), MAX_ALERTS);
    }
}
