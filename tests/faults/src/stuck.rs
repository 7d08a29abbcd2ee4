//! Detects stuck replicas: the counters of every replica are queried once a second during the whole run. A
//! replica without progress while messages arrive, for longer than its dependencies explain, is stuck.
//!
//! Time counts only while no fault is in progress, and only if traffic flows or the replica does not even
//! answer. It accumulates across faults: a process that never recovers is found, however short the times
//! between faults are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stage::lock;
use tokio::task::JoinHandle;

use crate::claims::Claims;
use crate::ledger::SharedLedger;
use crate::metrics::Counts;
use crate::replica::Replica;
use crate::traffic::Traffic;

/// The interval of the queries.
const INTERVAL: Duration = Duration::from_secs(1);

/// Which replica is watched, and where its time is recorded.
pub(crate) struct Watched {
    pub(crate) replicas: Vec<Arc<Replica>>,
    pub(crate) claims: Claims,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) ledger: SharedLedger,
    pub(crate) http: reqwest::Client,
    /// Undisturbed time without progress after which a replica is stuck.
    pub(crate) limit: Duration,
}

/// Watches until it is dropped.
pub(crate) struct Watch(JoinHandle<()>);

impl Watch {
    pub(crate) fn start(watched: Watched) -> Self {
        Self(tokio::spawn(watched.run()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The state kept of a replica.
#[derive(Debug, Default)]
struct Stillness {
    /// Its counters at the last change, and the start that they belong to.
    seen: Option<(u32, i64)>,
    still: Duration,
    reported: bool,
}

impl Stillness {
    /// Processes a replica's answer, after `passed` of undisturbed time since the previous one; returns
    /// whether the replica is newly stuck.
    fn is_newly_stuck(&mut self, now: Option<(u32, i64)>, passed: Duration, limit: Duration) -> bool {
        if now.is_some() && now != self.seen {
            *self = Self {
                seen: now,
                ..Self::default()
            };
            return false;
        }
        self.still += passed;
        let is_new = self.still > limit && !self.reported;
        self.reported |= is_new;
        is_new
    }
}

impl Watched {
    async fn run(self) {
        let mut known: HashMap<String, Stillness> = HashMap::new();
        let mut asked = Instant::now();
        loop {
            tokio::time::sleep(INTERVAL).await;
            // Delays of a busy machine must not count as time without progress.
            let passed = asked.elapsed().min(3 * INTERVAL);
            asked = Instant::now();
            let is_undisturbed = lock(&self.ledger).clock.runs();
            let flows = !self.traffic.is_paused();
            for replica in &self.replicas {
                let stillness = known.entry(replica.name.clone()).or_default();
                if self.claims.has(&replica.name) {
                    *stillness = Stillness::default();
                    continue;
                }
                let starts = replica.starts();
                let found = replica.counts(&self.http).await.ok();
                let now = found.map(|found| (starts, work(&found, replica)));
                // Without traffic there is nothing to do except to answer.
                let counts = is_undisturbed && (flows || now.is_none());
                let passed = if counts { passed } else { Duration::ZERO };
                if stillness.is_newly_stuck(now, passed, self.limit) {
                    let text = self.describe(replica, stillness).await;
                    lock(&self.ledger).note_stuck(text);
                }
            }
        }
    }

    async fn describe(&self, replica: &Replica, stillness: &Stillness) -> String {
        let mut answers = Vec::new();
        for path in ["/ready", "/live"] {
            answers.push(match replica.answer(&self.http, path).await {
                Ok((status, text)) => format!("{path} {status} {:?}", text.trim()),
                Err(error) => format!("{path} unanswered ({error})"),
            });
        }
        format!(
            "{} has made no progress for {} s although nothing was broken: {}",
            replica.name,
            stillness.still.as_secs(),
            answers.join(", ")
        )
    }
}

/// A sum that changes with everything that the replica finishes or consumes.
fn work(counts: &Counts, replica: &Replica) -> i64 {
    let prefix = crate::metrics::prefix(replica.stage);
    ["consumed", "produced", "written", "dead_letters", "skipped"]
        .iter()
        .map(|name| counts.get(&format!("{prefix}_{name}_total")))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_replica_without_progress_is_stuck_once() {
        let mut one = Stillness::default();
        let limit = 3 * SECOND;
        assert!(
            !one.is_newly_stuck(Some((1, 10)), SECOND, limit),
            "first observation"
        );
        let mut reports = (0..10).map(|_| one.is_newly_stuck(Some((1, 10)), SECOND, limit));
        assert_eq!(reports.position(|is_stuck| is_stuck), Some(3));
        assert!(reports.all(|is_stuck| !is_stuck), "reported again");
        assert!(!one.is_newly_stuck(Some((1, 11)), SECOND, limit), "progress");
        assert_eq!(one.still, Duration::ZERO);
    }

    #[test]
    fn a_process_that_does_not_answer_makes_no_progress() {
        let mut one = Stillness::default();
        assert!(!one.is_newly_stuck(None, 3 * SECOND, 3 * SECOND));
        assert!(one.is_newly_stuck(None, SECOND, 3 * SECOND));
    }

    #[test]
    fn faults_stop_the_clock_without_resetting_it() {
        let mut one = Stillness::default();
        for _ in 0..3 {
            assert!(!one.is_newly_stuck(Some((1, 5)), SECOND, 2 * SECOND));
            assert!(!one.is_newly_stuck(Some((1, 5)), Duration::ZERO, 2 * SECOND));
        }
        assert!(one.is_newly_stuck(Some((1, 5)), SECOND, 2 * SECOND));
    }

    #[test]
    fn a_start_is_progress() {
        let mut one = Stillness::default();
        assert!(!one.is_newly_stuck(Some((1, 0)), SECOND, 2 * SECOND));
        assert!(!one.is_newly_stuck(Some((1, 0)), 2 * SECOND, 2 * SECOND));
        assert!(!one.is_newly_stuck(Some((2, 0)), SECOND, 2 * SECOND));
    }
}
