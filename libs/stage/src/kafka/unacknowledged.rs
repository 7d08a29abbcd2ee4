//! Records that nobody acknowledges: what `/ready` says when a topic's records are on their way and none arrives.
//!
//! librdkafka says little about a topic that is gone, or whose broker refuses for a reason that may pass: it tries again,
//! without an end. So each topic's progress itself is watched. One record of a topic at a time is its probe; as long as it
//! is on its way the topic waits, and once that has lasted too long the cluster is asked whether the topic is there at all, and
//! whether it is the one that it was: the producer may not find a recreated topic's leaders ([`GivenUp::Stale`](super::GivenUp)).

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer};

use super::alerts::Alert;
use super::native::{self, TopicId};
use super::{OneShotContext, Reporter};
use crate::lock;

/// How often the topics are looked at.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// A record that is on its way for so long makes us ask whether its topic exists.
const SUSPICIOUS_AFTER: Duration = Duration::from_secs(3);
/// The same for a topic that exists: brokers may elect a leader meanwhile.
const STALLED_AFTER: Duration = Duration::from_secs(10);
/// A record that came back is sent again within this time, or not at all.
const RETRIED_WITHIN: Duration = Duration::from_secs(15);
/// How long the cluster may take to say whether a topic exists.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the ids of topics that have none yet are asked for.
const IDENTIFY_INTERVAL: Duration = Duration::from_secs(30);
/// Topics that the cluster is asked about in one round; they are named one by one.
const MAX_ASKED: usize = 3;

/// What tells this trouble from others.
const TROUBLE: &str = "records do not arrive";

/// The topics that a process's producers write to, and a clock.
#[derive(Clone)]
pub struct Unacknowledged {
    start: Instant,
    topics: Arc<Mutex<BTreeMap<Arc<str>, Arc<TopicProbe>>>>,
    /// Whether records wait for a topic that was recreated.
    is_stale: Arc<AtomicBool>,
}

/// Whether records of one topic arrive.
#[derive(Debug)]
pub struct TopicProbe {
    start: Instant,
    /// What to do if it does not exist.
    hint: &'static str,
    /// Whether a record is the probe now.
    probed: AtomicBool,
    /// Milliseconds since the start: since when records wait, and when one was last sent as a probe. 0 while none waits.
    since: AtomicU64,
    sent: AtomicU64,
    missing: AtomicBool,
    /// Which topic of this name the producer knows.
    id: Mutex<Option<TopicId>>,
}

/// A topic whose records wait.
#[derive(Clone)]
struct Waiting {
    name: Arc<str>,
    time: Duration,
    probe: Arc<TopicProbe>,
}

/// A record that is its topic's probe. Dropped, it came back: it is sent again, or somewhere else.
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
        // Nearly always there is one: then this costs no write to what other threads look at.
        if self.probed.load(Ordering::Relaxed) || self.probed.swap(true, Ordering::Acquire) {
            return false;
        }
        self.waits();
        true
    }

    /// A record waits to be sent, as its topic is not there.
    pub fn waits(&self) {
        let now = self.now();
        self.sent.store(now, Ordering::Relaxed);
        let _ = self
            .since
            .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The probe arrived.
    pub fn arrived(&self) {
        self.since.store(0, Ordering::Relaxed);
        self.missing.store(false, Ordering::Relaxed);
        self.probed.store(false, Ordering::Release);
    }

    /// The probe came back.
    pub fn came_back(&self) {
        self.probed.store(false, Ordering::Release);
    }

    /// Whether the cluster said that the topic does not exist, and nothing has arrived since.
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
            // What came back was not sent again: it became a dead letter, or belongs to another process now.
            self.since.store(0, Ordering::Relaxed);
            self.missing.store(false, Ordering::Relaxed);
            return None;
        }
        Some(Duration::from_millis(now.saturating_sub(since)))
    }

    fn now(&self) -> u64 {
        // 0 stands for none.
        u64::try_from(self.start.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

impl Reporter {
    /// The topics that this process's producers write to.
    pub fn unacknowledged(&self) -> &Unacknowledged {
        &self.unacknowledged
    }

    /// Looks at those topics until the future is dropped, and has `/ready` say which of them do not get their records.
    pub async fn watch_records(self, config: ClientConfig) {
        let mut identified: Option<Instant> = None;
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let waiting = self.unacknowledged.waiting();
            let mut unknown: Vec<Arc<str>> = waiting.iter().map(|one| Arc::clone(&one.name)).collect();
            if identified.is_none_or(|at| at.elapsed() >= IDENTIFY_INTERVAL) {
                let bare = self.unacknowledged.unidentified();
                identified = (!bare.is_empty()).then(Instant::now);
                unknown.extend(bare);
            }
            self.identify(&config, unknown).await;
            let (config, asked) = (config.clone(), waiting.clone());
            let missing = if asked.is_empty() {
                Vec::new()
            } else {
                // Asking blocks.
                let missing = tokio::task::spawn_blocking(move || missing(&config, &asked));
                missing.await.unwrap_or_default()
            };
            // What arrived meanwhile is not complained of.
            let still: Vec<Arc<str>> = self
                .unacknowledged
                .waiting()
                .into_iter()
                .map(|one| one.name)
                .collect();
            match describe(&waiting, &missing, &|name| still.iter().any(|one| **one == *name)) {
                Some(text) => self.records_do_not_arrive(text),
                None => self.records_arrive(),
            }
        }
    }

    /// Asks which topics these are.
    async fn identify(&self, config: &ClientConfig, topics: Vec<Arc<str>>) {
        if topics.is_empty() {
            return;
        }
        let config = config.clone();
        // Asking blocks.
        let ids = tokio::task::spawn_blocking(move || {
            let client: BaseProducer<OneShotContext> =
                config.create_with_context(OneShotContext::default())?;
            let topics = topics.iter().map(|name| name.as_ref().to_owned());
            native::topic_ids(client.client(), topics, METADATA_TIMEOUT)
        });
        let Ok(Ok(ids)) = ids.await else {
            return;
        };
        if let Some(topic) = self.unacknowledged.compare(&ids)
            && !self.unacknowledged.is_stale.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                topic = &*topic,
                "topic was deleted and recreated while records for it were on their way"
            );
            self.metrics.recreated.with_label_values(&[&topic]).inc();
        }
    }

    fn records_do_not_arrive(&self, text: String) {
        let trouble = Alert {
            text: text.clone(),
            is_refusal: false,
            is_of_connections: false,
        };
        if let Some(repeated) = self.show(TROUBLE, trouble) {
            tracing::warn!(
                why = text,
                repeated,
                "records do not arrive; they are waited for, nothing is lost"
            );
        }
    }

    fn records_arrive(&self) {
        if self.troubles.end(TROUBLE) {
            tracing::info!("records arrive again");
            self.connected();
        }
    }
}

impl Default for Unacknowledged {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            topics: Arc::default(),
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
            id: Mutex::default(),
        });
        topics.insert(name.into(), Arc::clone(&probe));
        probe
    }

    /// The records on their way are another client's now, or nobody's: what was waited for is sent again.
    pub(super) fn forget(&self) {
        for probe in lock(&self.topics).values() {
            probe.arrived();
            *lock(&probe.id) = None;
        }
        self.is_stale.store(false, Ordering::Relaxed);
    }

    /// Whether records wait for a topic that was deleted and recreated since the producer first saw it.
    pub fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
    }

    /// Topics whose id is not known.
    fn unidentified(&self) -> Vec<Arc<str>> {
        let topics = lock(&self.topics);
        let bare = topics.iter().filter(|(_, probe)| lock(&probe.id).is_none());
        bare.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Notes what the cluster says of topics; answers one that is another one than before.
    fn compare(&self, ids: &HashMap<String, TopicId>) -> Option<Arc<str>> {
        let topics = lock(&self.topics);
        let mut recreated = None;
        for (name, id) in ids {
            let Some((name, probe)) = topics.get_key_value(name.as_str()) else {
                continue;
            };
            let mut known = lock(&probe.id);
            match known.as_ref() {
                Some(before) if before != id => recreated = Some(Arc::clone(name)),
                Some(_) => {}
                None => *known = Some(id.clone()),
            }
        }
        recreated
    }

    /// Topics whose records wait for long, the longest first.
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

/// Of the topics that wait longest, those that the cluster does not have; none while it does not answer.
fn missing(config: &ClientConfig, waiting: &[Waiting]) -> Vec<Arc<str>> {
    let Ok(client) = config.create_with_context::<_, BaseProducer<OneShotContext>>(OneShotContext::default())
    else {
        return Vec::new();
    };
    let is_missing = |name: &str| {
        client.poll(Duration::ZERO);
        let found = client.client().fetch_metadata(Some(name), METADATA_TIMEOUT);
        found.is_ok_and(|found| {
            let mut topics = found.topics().iter();
            let error = topics
                .find(|topic| topic.name() == name)
                .and_then(|topic| topic.error());
            error.is_some_and(|error| {
                use RDKafkaErrorCode::{UnknownTopic, UnknownTopicOrPartition};
                matches!(error.into(), UnknownTopicOrPartition | UnknownTopic)
            })
        })
    };
    let asked = waiting.iter().take(MAX_ASKED).filter(|one| {
        let is_missing = is_missing(&one.name);
        one.probe.missing.store(is_missing, Ordering::Relaxed);
        is_missing
    });
    asked.map(|one| Arc::clone(&one.name)).collect()
}

/// What `/ready` says.
fn describe(waiting: &[Waiting], missing: &[Arc<str>], still: &dyn Fn(&str) -> bool) -> Option<String> {
    let mut waits = waiting.iter().filter(|one| still(&one.name));
    if let Some(gone) = waits.clone().find(|one| missing.contains(&one.name)) {
        let others = match waits.count() - 1 {
            0 => String::new(),
            others => format!(", and records of {others} more topics wait"),
        };
        return Some(format!(
            "topic {} does not exist ({}){others}",
            gone.name, gone.probe.hint
        ));
    }
    let stalled = waits.find(|one| one.time >= STALLED_AFTER)?;
    Some(format!(
        "records of topic {} are not acknowledged, for {} s",
        stalled.name,
        stalled.time.as_secs()
    ))
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
        assert_eq!(topics.compare(&ids("xtzWWN4bTjitpL3kfd9s5g")), None);
        assert_eq!(topics.compare(&ids("xtzWWN4bTjitpL3kfd9s5g")), None);
        assert_eq!(topics.unidentified().len(), 0);
        assert!(topics.compare(&ids("ztzWWN4bTjitpL3kfd9s5g")).is_some());
        topics.forget();
        assert_eq!(topics.compare(&ids("ztzWWN4bTjitpL3kfd9s5g")), None);
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

    #[test]
    fn the_topic_that_does_not_exist_is_named_first() {
        let topics = Unacknowledged::default();
        let (a, b) = (aged(&topics, "a"), aged(&topics, "b"));
        let waiting = [("a", 60, a), ("b", 4, b)].map(|(name, seconds, probe)| Waiting {
            name: name.into(),
            time: Duration::from_secs(seconds),
            probe,
        });
        assert_eq!(
            describe(&waiting, &["b".into()], &|_| true).unwrap(),
            "topic b does not exist (make it), and records of 1 more topics wait"
        );
        assert_eq!(
            describe(&waiting, &[], &|_| true).unwrap(),
            "records of topic a are not acknowledged, for 60 s"
        );
        assert_eq!(
            describe(&waiting, &[], &|name| name == "b"),
            None,
            "4 s are nothing"
        );
    }
}
