//! What is known of each subsystem (a SAL component): when its newest message was finished, and how old its oldest
//! unfinished one is.
//!
//! This crate does not know SAL; a binary says which subsystem a topic belongs to. The topic alone decides, and not the
//! message, so that no sender of messages can create series, and nothing is looked up per message.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::OTHER;
use super::register::Sample;
use crate::{lock, unix_millis};

/// Subsystems with series of their own; an observatory has about 80. All others share one.
const MAX_SUBSYSTEMS: usize = 256;
/// No message is finished yet.
const NEVER: i64 = i64::MIN;

/// The subsystems of a stage.
#[derive(Clone)]
pub struct Subsystems(Arc<Shared>);

struct Shared {
    /// The subsystem of a topic.
    of_topic: fn(&str) -> &str,
    named: Mutex<BTreeMap<String, Arc<Subsystem>>>,
    other: Arc<Subsystem>,
    /// The stage's present consumer, which knows what is not finished.
    unfinished: Mutex<Option<Weak<dyn Unfinished>>>,
}

/// One subsystem.
#[derive(Debug)]
pub struct Subsystem {
    name: String,
    /// Kafka's timestamp of the newest finished message, in milliseconds since 1970 (UTC).
    newest: AtomicI64,
}

/// What knows the messages that are read or waiting and not finished.
pub(crate) trait Unfinished: Send + Sync {
    /// Visits each assigned partition: its topic, and Kafka's timestamp of its oldest unfinished message, if there is one.
    fn each(&self, look: &mut dyn FnMut(&str, Option<i64>));
}

impl Subsystem {
    fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            newest: NEVER.into(),
        })
    }

    /// A message with this timestamp of Kafka is finished.
    pub fn finished(&self, timestamp_ms: i64) {
        // Most calls are for a message that is newer, but the subsystems of a replay would share the write.
        if timestamp_ms > self.newest.load(Ordering::Relaxed) {
            self.newest.fetch_max(timestamp_ms, Ordering::Relaxed);
        }
    }
}

impl Default for Subsystems {
    /// Each topic is a subsystem of its own.
    fn default() -> Self {
        Self::new(|topic| topic)
    }
}

impl Subsystems {
    /// For topics whose subsystem this function returns.
    pub fn new(of_topic: fn(&str) -> &str) -> Self {
        Self(Arc::new(Shared {
            of_topic,
            named: Mutex::default(),
            other: Subsystem::new(OTHER),
            unfinished: Mutex::default(),
        }))
    }

    /// The subsystem of a topic.
    pub fn of_topic(&self, topic: &str) -> Arc<Subsystem> {
        let name = (self.0.of_topic)(topic);
        let mut named = lock(&self.0.named);
        if let Some(known) = named.get(name) {
            return Arc::clone(known);
        }
        if named.len() >= MAX_SUBSYSTEMS {
            return Arc::clone(&self.0.other);
        }
        let new = Subsystem::new(name);
        named.insert(name.to_owned(), Arc::clone(&new));
        new
    }

    /// From now on, this consumer knows what is not finished.
    pub(crate) fn watch(&self, unfinished: Weak<dyn Unfinished>) {
        *lock(&self.0.unfinished) = Some(unfinished);
    }

    /// For the metric of the newest finished messages: their Unix times in seconds, by subsystem.
    pub fn newest(&self) -> impl Fn() -> Vec<Sample> + Send + Sync + use<> {
        let subsystems = self.clone();
        move || {
            let named = lock(&subsystems.0.named);
            let all = named.values().chain([&subsystems.0.other]);
            let newest = all.map(|subsystem| (subsystem, subsystem.newest.load(Ordering::Relaxed)));
            newest
                .filter(|(_, newest)| *newest != NEVER)
                .map(|(subsystem, newest)| (vec![subsystem.name.clone()], newest as f64 / 1e3))
                .collect()
        }
    }

    /// For the metric of the lag: the age of the oldest unfinished message in seconds, by subsystem; 0 if there is none.
    pub fn lag(&self) -> impl Fn() -> Vec<Sample> + Send + Sync + use<> {
        let subsystems = self.clone();
        move || {
            let unfinished = lock(&subsystems.0.unfinished).as_ref().and_then(Weak::upgrade);
            let now = unix_millis();
            let mut lags: BTreeMap<String, f64> = BTreeMap::new();
            if let Some(unfinished) = unfinished {
                unfinished.each(&mut |topic, oldest| {
                    let subsystem = subsystems.of_topic(topic);
                    let lag = oldest.map_or(0, |oldest| now.saturating_sub(oldest));
                    let longest = lags.entry(subsystem.name.clone()).or_default();
                    // A clock that is ahead makes no lag.
                    *longest = longest.max(lag as f64 / 1e3);
                });
            }
            lags.into_iter().map(|(name, lag)| (vec![name], lag)).collect()
        }
    }
}

impl fmt::Debug for Subsystems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(lock(&self.0.named).keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known(Vec<(&'static str, Option<i64>)>);

    impl Unfinished for Known {
        fn each(&self, look: &mut dyn FnMut(&str, Option<i64>)) {
            self.0.iter().for_each(|(topic, oldest)| look(topic, *oldest));
        }
    }

    fn before_underscore(topic: &str) -> &str {
        topic.split('_').next().unwrap_or_default()
    }

    #[test]
    fn the_newest_finished_message_of_a_subsystem_counts() {
        let subsystems = Subsystems::new(before_underscore);
        let (one, same) = (subsystems.of_topic("A_x"), subsystems.of_topic("A_y"));
        subsystems.of_topic("B_x");
        let newest = subsystems.newest();
        assert!(newest().is_empty(), "nothing is invented");
        one.finished(2_500);
        same.finished(1_000);
        assert_eq!(newest(), [(vec!["A".to_owned()], 2.5)]);
    }

    #[test]
    fn the_lag_is_that_of_the_partition_furthest_behind() {
        let subsystems = Subsystems::new(before_underscore);
        let lag = subsystems.lag();
        assert!(lag().is_empty(), "nothing is assigned");
        let now = unix_millis();
        let known: Arc<dyn Unfinished> = Arc::new(Known(vec![
            ("A_x", Some(now - 60_000)),
            ("A_y", Some(now - 5_000)),
            ("B_x", None),
            ("C_x", Some(now + 60_000)),
        ]));
        subsystems.watch(Arc::downgrade(&known));
        let lags = lag();
        let names: Vec<&str> = lags.iter().map(|(labels, _)| labels[0].as_str()).collect();
        assert_eq!(names, ["A", "B", "C"]);
        assert!((60.0..70.0).contains(&lags[0].1), "{lags:?}");
        assert_eq!((lags[1].1, lags[2].1), (0.0, 0.0));
        drop(known);
        assert!(lag().is_empty());
    }

    #[test]
    fn no_name_of_a_topic_creates_series_without_end() {
        let subsystems = Subsystems::default();
        for number in 0..10_000 {
            subsystems.of_topic(&format!("t{number}")).finished(number);
        }
        let samples = subsystems.newest()();
        assert_eq!(samples.len(), MAX_SUBSYSTEMS + 1);
        assert_eq!(samples.last(), Some(&(vec![OTHER.to_owned()], 9.999)));
    }
}
