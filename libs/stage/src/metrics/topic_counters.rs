//! Counters by topic, whose number of series is limited: names of topics come from the brokers.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use prometheus::{IntCounter, IntCounterVec};

use super::OTHER;
use crate::lock;

/// Topics with a series of their own; all others share one.
const MAX_TOPICS: usize = 1_000;

/// A counter by topic. The first topics have series of their own, which they keep: a counter that moved to another
/// series would look as if it had been reset.
#[derive(Debug, Clone)]
pub struct TopicCounters {
    counters: IntCounterVec,
    named: Arc<Mutex<HashSet<String>>>,
}

impl TopicCounters {
    pub(super) fn new(counters: IntCounterVec) -> Self {
        Self {
            counters,
            named: Arc::default(),
        }
    }

    /// The counter of a topic, which exists from now on.
    pub fn of(&self, topic: &str) -> IntCounter {
        let mut named = lock(&self.named);
        if named.len() < MAX_TOPICS && !named.contains(topic) {
            named.insert(topic.to_owned());
        }
        let label = if named.contains(topic) { topic } else { OTHER };
        self.counters.with_label_values(&[label])
    }
}

#[cfg(test)]
mod tests {
    use prometheus::core::Collector;
    use prometheus::{Opts, Registry};

    use super::*;

    #[test]
    fn topics_without_a_series_of_their_own_are_counted_together() {
        let counters = IntCounterVec::new(Opts::new("x_total", "x"), &["topic"]).unwrap();
        Registry::new().register(Box::new(counters.clone())).unwrap();
        let topics = TopicCounters::new(counters.clone());
        for number in 0..2_000 {
            topics.of(&format!("topic-{number}"));
        }
        for number in [3, 3, 1_500, 1_600] {
            topics.of(&format!("topic-{number}")).inc();
        }
        assert_eq!(counters.collect()[0].get_metric().len(), MAX_TOPICS + 1);
        assert_eq!(topics.of("topic-3").get(), 2);
        assert_eq!(topics.of("topic-1700").get(), 2, "those of all others");
    }
}
