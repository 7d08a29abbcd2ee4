//! Unacknowledged records: what `/ready` reports while records of a topic are in flight and none is delivered.
//!
//! librdkafka reports little about a topic that does not exist, or whose broker refuses for a transient reason: it
//! retries without limit. Therefore each topic's progress is watched. One record of a topic at a time is its probe;
//! while it is in flight the topic waits, and if that lasts too long the cluster is asked whether the topic exists, and
//! whether it is still the same one: the producer may not find a recreated topic's leaders
//! ([`GivenUp::Stale`](super::GivenUp)).

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::native::TopicId;
use crate::lock;

mod watch;

/// If a record is in flight for this long, the cluster is asked whether its topic exists.
const SUSPICIOUS_AFTER: Duration = Duration::from_secs(3);
/// A returned record is sent again within this time, or not at all.
const RETRIED_WITHIN: Duration = Duration::from_secs(15);
/// How often an unknown topic id is requested again.
const IDENTIFY_INTERVAL: Duration = Duration::from_secs(30);

/// The topics that a process's producers write to, and a clock.
#[derive(Clone)]
pub struct Unacknowledged {
    start: Instant,
    topics: Arc<Mutex<BTreeMap<Arc<str>, Arc<TopicProbe>>>>,
    /// The ids of all topics when the producer fetched their metadata, before its first record.
    prefetched: Arc<Mutex<HashMap<String, TopicId>>>,
    /// Whether records wait for a topic that was recreated.
    is_stale: Arc<AtomicBool>,
}

/// Whether records of one topic are delivered.
#[derive(Debug)]
pub struct TopicProbe {
    start: Instant,
    /// What to do if it does not exist.
    hint: &'static str,
    /// Whether a record is currently the probe.
    probed: AtomicBool,
    /// Milliseconds since the start: since when records wait, and when one was last sent as a probe. 0 while none waits.
    since: AtomicU64,
    sent: AtomicU64,
    missing: AtomicBool,
    identity: Mutex<Identity>,
}

/// Which topic of its name the producer knows.
#[derive(Debug, Default)]
struct Identity {
    id: Option<TopicId>,
    asked: Option<Instant>,
}

/// A topic whose records wait.
#[derive(Clone)]
struct Waiting {
    name: Arc<str>,
    time: Duration,
    probe: Arc<TopicProbe>,
}

/// A record that is its topic's probe. If it is dropped, the record came back: it is sent again, or goes elsewhere.
#[derive(Debug)]
pub struct Probe(Arc<TopicProbe>);

impl Probe {
    /// The broker has it.
    pub fn acknowledged(self) {
        self.0.arrived();
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.probed.store(false, Ordering::Release);
    }
}

impl TopicProbe {
    /// Before a record is sent: it is the probe, if none is.
    pub fn probe(self: &Arc<Self>) -> Option<Probe> {
        self.begin().then(|| Probe(Arc::clone(self)))
    }

    /// The same without a guard: whether it is the probe, and then one of [`Self::arrived`] and [`Self::came_back`] follows.
    pub fn begin(&self) -> bool {
        // Nearly always there is one, and this avoids a write to shared memory.
        if self.probed.load(Ordering::Relaxed) || self.probed.swap(true, Ordering::Acquire) {
            return false;
        }
        self.waits();
        true
    }

    /// A record waits to be sent because its topic does not exist.
    pub fn waits(&self) {
        let now = self.now();
        self.sent.store(now, Ordering::Relaxed);
        let _ = self
            .since
            .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The probe was delivered.
    pub fn arrived(&self) {
        self.since.store(0, Ordering::Relaxed);
        self.missing.store(false, Ordering::Relaxed);
        self.probed.store(false, Ordering::Release);
    }

    /// The probe came back.
    pub fn came_back(&self) {
        self.probed.store(false, Ordering::Release);
    }

    /// Whether the cluster reported that the topic does not exist, and nothing has been delivered since.
    pub fn is_missing(&self) -> bool {
        self.missing.load(Ordering::Relaxed)
    }

    /// The topic was seen.
    pub fn is_seen(&self) {
        self.missing.store(false, Ordering::Relaxed);
    }

    /// How long records have waited.
    fn waiting(&self) -> Option<Duration> {
        let (now, since) = (self.now(), self.since.load(Ordering::Relaxed));
        if since == 0 {
            return None;
        }
        let is_retried =
            now.saturating_sub(self.sent.load(Ordering::Relaxed)) < RETRIED_WITHIN.as_millis() as u64;
        if !self.probed.load(Ordering::Acquire) && !is_retried {
            // The returned record was not sent again: it became a dead letter, or belongs to another process now.
            self.since.store(0, Ordering::Relaxed);
            self.missing.store(false, Ordering::Relaxed);
            return None;
        }
        Some(Duration::from_millis(now.saturating_sub(since)))
    }

    fn in_flight_since(&self, time: Duration) -> Option<u64> {
        let sent = self.sent.load(Ordering::Relaxed);
        let age = Duration::from_millis(self.now().saturating_sub(sent));
        (self.probed.load(Ordering::Acquire) && !self.is_missing() && age >= time).then_some(sent)
    }

    fn now(&self) -> u64 {
        // 0 stands for none.
        u64::try_from(self.start.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

impl Default for Unacknowledged {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            topics: Arc::default(),
            prefetched: Arc::default(),
            is_stale: Arc::default(),
        }
    }
}

impl Unacknowledged {
    /// The probe of a topic; `hint` says what to do if it does not exist.
    pub fn topic(&self, name: &str, hint: &'static str) -> Arc<TopicProbe> {
        let mut topics = lock(&self.topics);
        if let Some(probe) = topics.get(name) {
            return Arc::clone(probe);
        }
        let probe = Arc::new(TopicProbe {
            start: self.start,
            hint,
            probed: AtomicBool::new(false),
            since: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            missing: AtomicBool::new(false),
            identity: Mutex::new(Identity {
                id: lock(&self.prefetched).get(name).cloned(),
                asked: None,
            }),
        });
        topics.insert(name.into(), Arc::clone(&probe));
        probe
    }

    /// The producer knows all topics from now on, which have these ids.
    pub(super) fn prefetched(&self, ids: HashMap<String, TopicId>) {
        let topics = lock(&self.topics);
        for (name, probe) in topics.iter() {
            let mut identity = lock(&probe.identity);
            if identity.id.is_none() {
                identity.id = ids.get(&**name).cloned();
            }
        }
        *lock(&self.prefetched) = ids;
    }

    /// The client was replaced, and records in flight are sent again.
    pub(super) fn forget(&self) {
        lock(&self.prefetched).clear();
        for probe in lock(&self.topics).values() {
            probe.arrived();
            *lock(&probe.identity) = Identity::default();
        }
        self.is_stale.store(false, Ordering::Relaxed);
    }

    /// Whether records wait for a topic that was deleted and recreated since the producer first saw it.
    pub fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
    }

    /// Since when a record is in flight without coming back, in milliseconds of this clock, if that is longer than `time` and its
    /// topic is there.
    pub fn in_flight_since(&self, time: Duration) -> Option<u64> {
        let topics = lock(&self.topics);
        topics.values().find_map(|probe| probe.in_flight_since(time))
    }

    /// Topics whose id has to be requested: at once while the producer is new to them, because it knows them from then
    /// on.
    fn unidentified(&self) -> Vec<Arc<str>> {
        let is_due = |probe: &TopicProbe| {
            let mut identity = lock(&probe.identity);
            let is_due = identity.id.is_none()
                && identity
                    .asked
                    .is_none_or(|asked| asked.elapsed() >= IDENTIFY_INTERVAL);
            if is_due {
                identity.asked = Some(Instant::now());
            }
            is_due
        };
        let topics = lock(&self.topics);
        let due = topics.iter().filter(|(_, probe)| is_due(probe));
        due.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Notes the ids of topics. Returns one whose id has changed.
    fn compare(&self, ids: &HashMap<String, TopicId>) -> Option<Arc<str>> {
        let topics = lock(&self.topics);
        let mut recreated = None;
        for (name, id) in ids {
            let Some((name, probe)) = topics.get_key_value(name.as_str()) else {
                continue;
            };
            let mut identity = lock(&probe.identity);
            match identity.id.as_ref() {
                Some(before) if before != id => recreated = Some(Arc::clone(name)),
                Some(_) => {}
                None => identity.id = Some(id.clone()),
            }
        }
        recreated
    }

    /// Topics whose records have waited for long, the longest first.
    fn waiting(&self) -> Vec<Waiting> {
        let topics = lock(&self.topics);
        let waits = |(name, probe): (&Arc<str>, &Arc<TopicProbe>)| {
            let time = probe.waiting().filter(|time| *time >= SUSPICIOUS_AFTER)?;
            Some(Waiting {
                name: Arc::clone(name),
                time,
                probe: Arc::clone(probe),
            })
        };
        let mut waiting: Vec<Waiting> = topics.iter().filter_map(waits).collect();
        waiting.sort_by_key(|one| std::cmp::Reverse(one.time));
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aged(unacknowledged: &Unacknowledged, name: &str) -> Arc<TopicProbe> {
        let probe = unacknowledged.topic(name, "make it");
        assert!(probe.begin());
        probe
    }

    #[test]
    fn a_topic_with_another_id_is_another_topic() {
        let topics = Unacknowledged::default();
        topics.topic("t", "");
        let ids = |id: &str| HashMap::from([("t".to_owned(), TopicId::parse(id).unwrap())]);
        assert_eq!(topics.unidentified().len(), 1);
        assert_eq!(topics.unidentified().len(), 0, "not at once again");
        assert_eq!(topics.compare(&ids("xtzWWN4bTjitpL3kfd9s5g")), None);
        assert_eq!(topics.compare(&ids("xtzWWN4bTjitpL3kfd9s5g")), None);
        assert_eq!(topics.unidentified().len(), 0);
        assert!(topics.compare(&ids("ztzWWN4bTjitpL3kfd9s5g")).is_some());
        topics.forget();
        assert_eq!(topics.unidentified().len(), 1);
        assert_eq!(topics.compare(&ids("ztzWWN4bTjitpL3kfd9s5g")), None);
    }

    #[test]
    fn a_topic_that_is_recreated_before_its_first_record_is_another_topic() {
        let topics = Unacknowledged::default();
        let ids = |id: &str| {
            let id = TopicId::parse(id).unwrap();
            HashMap::from([("early".to_owned(), id.clone()), ("late".to_owned(), id)])
        };
        let (then, now) = (ids("xtzWWN4bTjitpL3kfd9s5g"), ids("ztzWWN4bTjitpL3kfd9s5g"));
        topics.topic("early", "");
        topics.prefetched(then.clone());
        topics.topic("late", "");
        assert_eq!(topics.unidentified().len(), 0);
        assert_eq!(topics.compare(&then), None);
        for name in ["early", "late"] {
            let now = HashMap::from([(name.to_owned(), now[name].clone())]);
            assert_eq!(topics.compare(&now).as_deref(), Some(name));
        }
        topics.forget();
        topics.topic("later", "");
        assert_eq!(
            topics.unidentified().len(),
            3,
            "the new producer knows nothing yet"
        );
    }

    #[test]
    fn one_record_of_a_topic_is_its_probe() {
        let topics = Unacknowledged::default();
        let probe = topics.topic("t", "").probe().unwrap();
        assert!(topics.topic("t", "").probe().is_none());
        assert!(topics.topic("u", "").probe().is_some());
        assert!(topics.topic("t", "").waiting().is_some());
        probe.acknowledged();
        assert!(topics.topic("t", "").waiting().is_none());
        assert!(topics.topic("t", "").probe().is_some());
    }

    #[test]
    fn what_came_back_still_waits() {
        let topics = Unacknowledged::default();
        let topic = aged(&topics, "t");
        let since = topic.since.load(Ordering::Relaxed);
        topic.came_back();
        assert!(topic.waiting().is_some(), "until it is sent again");
        std::thread::sleep(Duration::from_millis(2));
        assert!(topic.begin());
        assert_eq!(
            topic.since.load(Ordering::Relaxed),
            since,
            "it waits as long as before"
        );
        topic.arrived();
        assert!(topic.waiting().is_none());
    }
}
