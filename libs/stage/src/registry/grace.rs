//! Schemas that the registry does not know: how long they are requested again before their messages become dead
//! letters.
//!
//! A registry replica that lags, or a registry that is still loading its data, temporarily answers that it does not
//! know an id or subject. So does every registry for an invented id. An unknown schema is therefore waited for once,
//! for the grace period, and its topic is blocked meanwhile. To keep a sender of invented ids from blocking a topic for
//! ever, each topic has an allowance: twice the grace period, which refills with a tenth of the time that passes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lock;

/// What is given up is requested again after this time, when a message needs it.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Unknown schemas that are remembered, about a megabyte.
const MAX_UNKNOWN: usize = 10_000;
/// Topics whose allowance is remembered.
const MAX_TOPICS: usize = 100_000;
/// A remaining allowance smaller than this is not worth a wait.
const MIN_WAIT: Duration = Duration::from_millis(100);

/// The grace period of a process, shared by all look-ups. `K` is what is looked up: an id, a subject.
#[derive(Debug)]
pub struct Grace<K> {
    period: Duration,
    state: Mutex<State<K>>,
}

#[derive(Debug)]
struct State<K> {
    unknown: HashMap<K, Unknown>,
    spent: HashMap<String, Spent>,
}

#[derive(Debug)]
struct Unknown {
    /// When the key is given up.
    until: Instant,
    granted: Duration,
    asked: Instant,
}

/// The used allowance of a topic.
#[derive(Debug)]
struct Spent {
    time: Duration,
    at: Instant,
}

impl<K: Hash + Eq + Clone> Grace<K> {
    /// Starts with nothing unknown.
    pub fn new(period: Duration) -> Self {
        let state = State {
            unknown: HashMap::new(),
            spent: HashMap::new(),
        };
        Self {
            period,
            state: state.into(),
        }
    }

    /// The registry does not know `key`, which a message of `topic` needs. Returns how long it is to be requested
    /// again; none if the message is a dead letter.
    pub fn waits_for(&self, topic: &str, key: &K) -> Option<Duration> {
        self.waits_at(topic, key, Instant::now())
    }

    /// The registry knows `key`: the wait for it was successful.
    pub fn found(&self, topic: &str, key: &K) {
        let mut state = lock(&self.state);
        if let Some(unknown) = state.unknown.remove(key)
            && let Some(spent) = state.spent.get_mut(topic)
        {
            spent.time = spent.time.saturating_sub(unknown.granted);
        }
    }

    /// Whether `key` was given up and requested recently: its messages are dead letters without another request.
    pub fn has_given_up(&self, key: &K) -> bool {
        let state = lock(&self.state);
        let now = Instant::now();
        state
            .unknown
            .get(key)
            .is_some_and(|unknown| unknown.until <= now && now - unknown.asked < ASK_AGAIN_AFTER)
    }

    fn waits_at(&self, topic: &str, key: &K, now: Instant) -> Option<Duration> {
        let mut state = lock(&self.state);
        if let Some(unknown) = state.unknown.get_mut(key) {
            unknown.asked = now;
            return unknown
                .until
                .checked_duration_since(now)
                .filter(|left| !left.is_zero());
        }
        let granted = state.grant(topic, self.period, now);
        state.make_room(now);
        let unknown = Unknown {
            until: now + granted,
            granted,
            asked: now,
        };
        state.unknown.insert(key.clone(), unknown);
        (!granted.is_zero()).then_some(granted)
    }
}

impl<K: Hash + Eq + Clone> State<K> {
    /// Takes from the topic's allowance, at most one grace period.
    fn grant(&mut self, topic: &str, period: Duration, now: Instant) -> Duration {
        if self.spent.len() >= MAX_TOPICS && !self.spent.contains_key(topic) {
            self.spent.clear();
        }
        let spent = self.spent.entry(topic.to_owned()).or_insert(Spent {
            time: Duration::ZERO,
            at: now,
        });
        spent.time = spent.time.saturating_sub((now - spent.at) / 10);
        spent.at = now;
        let granted = period.min((period * 2).saturating_sub(spent.time));
        if granted < MIN_WAIT.min(period) {
            return Duration::ZERO;
        }
        spent.time += granted;
        granted
    }

    /// Forgets those that were given up, then the oldest, before there are too many.
    fn make_room(&mut self, now: Instant) {
        if self.unknown.len() < MAX_UNKNOWN {
            return;
        }
        self.unknown.retain(|_, unknown| now < unknown.until);
        if self.unknown.len() >= MAX_UNKNOWN {
            self.unknown.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(30);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_unknown_is_waited_for_once() {
        let grace = Grace::new(PERIOD);
        let start = Instant::now();
        assert_eq!(grace.waits_at("t", &7, start), Some(PERIOD));
        let by_another_message = grace.waits_at("t", &7, start + seconds(29));
        assert_eq!(by_another_message, Some(seconds(1)));
        assert_eq!(grace.waits_at("t", &7, start + seconds(30)), None);
        assert_eq!(
            grace.waits_at("t", &7, start + seconds(3_000)),
            None,
            "not once more"
        );
    }

    #[test]
    fn made_up_ids_use_up_the_allowance_of_their_topic_alone() {
        let grace = Grace::new(PERIOD);
        let start = Instant::now();
        let mut now = start;
        for id in 0..1_000 {
            while let Some(left) = grace.waits_at("flooded", &id, now) {
                now += left.min(Duration::from_millis(500));
            }
        }
        let held = now - start;
        assert!(held >= PERIOD * 2 && held < PERIOD * 3, "{held:?}");
        assert_eq!(grace.waits_at("another", &5_000, now), Some(PERIOD));
        let later = grace.waits_at("flooded", &6_000, now + seconds(100));
        assert!(
            later >= Some(seconds(10)),
            "a tenth of the time comes back: {later:?}"
        );
    }

    #[test]
    fn what_is_found_in_time_costs_nothing() {
        let grace = Grace::new(PERIOD);
        let start = Instant::now();
        for id in 0..100 {
            assert!(grace.waits_at("t", &id, start).is_some());
            grace.found("t", &id);
        }
    }

    #[test]
    fn what_was_given_up_is_requested_again_later() {
        let grace = Grace::new(Duration::from_millis(1));
        assert!(!grace.has_given_up(&7));
        let long_ago = Instant::now() - seconds(10);
        grace.waits_at("t", &7, long_ago);
        assert!(!grace.has_given_up(&7), "asked for too long ago");
        assert_eq!(grace.waits_for("t", &7), None);
        assert!(grace.has_given_up(&7));
    }

    #[test]
    fn memory_is_bounded() {
        let grace = Grace::new(PERIOD);
        let now = Instant::now();
        for id in 0..MAX_UNKNOWN * 3 {
            grace.waits_at("t", &id, now);
        }
        assert!(lock(&grace.state).unknown.len() <= MAX_UNKNOWN);
    }
}
