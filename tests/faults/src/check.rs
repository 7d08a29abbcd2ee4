//! Checks whether every message has its outcome, and whether counts add up while nothing moves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::failure::Outcome;
use crate::ledger::{Name, Stage};
use crate::metrics::{Counts, prefix};
use crate::replica::Replica;
use crate::world::{World, group};
use stage::lock;

/// The timeout for one query while the database may be unavailable.
const QUESTION: Duration = Duration::from_secs(4);
/// Points are searched this far around a window's time range, because messages of a burst are timestamped
/// ahead of the clock.
const AROUND_MS: i64 = 5_000;

/// The state at the last check at rest.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// Metrics by replica and its number of starts.
    counts: HashMap<(String, u32), (Stage, Counts)>,
    /// The number of messages in the ledger.
    sent: usize,
}

impl World {
    /// Waits until the first `upto` messages of the ledger have their outcome; returns whether that happened
    /// within `timeout`.
    pub(crate) async fn settle(&self, upto: usize, timeout: Duration) -> bool {
        let start = Instant::now();
        loop {
            self.revive();
            if self.look(upto).await {
                self.note_overdue();
            }
            if lock(&self.ledger).outstanding(upto) == 0 {
                return true;
            }
            if start.elapsed() > timeout {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Restarts replicas that exited by themselves, as Kubernetes would, and records a complaint about each.
    fn revive(&self) {
        // A fault may have killed it and not restarted it yet.
        let at_large = |replica: &&Arc<Replica>| !self.claims.has(&replica.name);
        for replica in self.replicas.iter().filter(at_large) {
            if let Some(status) = replica.ended() {
                let mut ledger = lock(&self.ledger);
                ledger.complain(format!("{} exited by itself: {status}", replica.name));
                if let Err(error) = replica.restart() {
                    ledger.complain(stage::chain(&error));
                }
            }
        }
    }

    /// Records, once per fault, each partition in which messages wait although nothing is broken.
    fn note_overdue(&self) {
        let mut ledger = lock(&self.ledger);
        for ((stage, place), waits) in ledger.overdue(self.stuck_after) {
            if ledger.is_news(format!("{stage:?} {place}")) {
                ledger.note_stuck(format!(
                    "{} has left messages of {place} unprocessed for {} s although nothing was broken",
                    prefix(stage),
                    waits.as_secs()
                ));
            }
        }
    }

    /// Looks once for what the first `upto` messages still wait for; returns whether everything could be
    /// checked.
    async fn look(&self, upto: usize) -> bool {
        let mut is_seen = true;
        let (spans, waits) = {
            let mut ledger = lock(&self.ledger);
            ledger.place_early();
            (ledger.spans(upto), ledger.waits_for_a_commit(upto))
        };
        for span in spans {
            // If the database is unavailable, it is queried again in the next round.
            is_seen &= self.read_points(span, None, QUESTION).await.is_ok();
        }
        if waits {
            for stage in [Stage::Transform, Stage::Sink] {
                match self.cluster.committed(group(stage), &self.topics_of(stage)) {
                    Ok(positions) => lock(&self.ledger).committed(stage, &positions),
                    Err(_) => is_seen = false,
                }
            }
        }
        is_seen
    }

    /// Records all points of a time span in the ledger, which detects unexpected ones; returns their number.
    pub(crate) async fn read_points(
        &self,
        span: (i64, i64),
        measurement: Option<&str>,
        timeout: Duration,
    ) -> Outcome<usize> {
        let points = self.database.points(span, measurement, timeout).await?;
        let mut ledger = lock(&self.ledger);
        for point in &points {
            let line = self
                .lines
                .iter()
                .position(|line| line.measurement == point.measurement);
            let name: Name = (line.unwrap_or(usize::MAX), point.sequence);
            ledger.point(name, point.time_ms);
        }
        Ok(points.len())
    }

    /// Pauses the traffic, waits for the last messages, and compares every count; complaints go to the
    /// ledger.
    pub(crate) async fn check_at_rest(&self, since_ms: i64, remembered: &mut Remembered) -> Outcome<bool> {
        self.traffic.set_paused(true);
        let upto = lock(&self.ledger).len();
        let settled = self.settle(upto, Duration::from_secs(60)).await;
        if !settled {
            let given_up = lock(&self.ledger).give_up(upto);
            lock(&self.ledger).complain(format!("{given_up} messages were given up"));
        }
        let now_ms = stage::unix_micros() / 1_000;
        // All points of the window, not only the awaited ones, so that duplicates are detected.
        self.read_points(
            (since_ms - AROUND_MS, now_ms + AROUND_MS),
            None,
            Duration::from_secs(20),
        )
        .await?;
        self.check_counts(remembered).await;
        self.traffic.set_paused(false);
        Ok(settled)
    }

    /// In each process: consumed = produced (or written) + dead-lettered + skipped + in flight.
    async fn check_counts(&self, remembered: &mut Remembered) {
        let mut now = Remembered {
            sent: lock(&self.ledger).len(),
            ..Remembered::default()
        };
        for replica in &self.replicas {
            let deadline = Instant::now() + Duration::from_secs(10);
            let found = loop {
                let found = match replica.counts(&self.http).await {
                    Ok(counts) => counts.add_up(replica.stage).map(|()| counts),
                    Err(error) => Err(stage::chain(&error)),
                };
                // The gauge of messages in flight is updated once a second.
                if found.is_ok() || Instant::now() > deadline {
                    break found;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            };
            match found {
                Ok(counts) => {
                    now.counts
                        .insert((replica.name.clone(), replica.starts()), (replica.stage, counts));
                }
                Err(why) => lock(&self.ledger)
                    .complain(format!("the counts of {} do not add up: {why}", replica.name)),
            }
        }
        self.check_growth(remembered, &now);
        *remembered = now;
    }

    /// If nothing was started and no partition was lost since the last check at rest, the stages together
    /// have consumed each message once: saltransform what was sent, influxsink what saltransform produced.
    fn check_growth(&self, before: &Remembered, now: &Remembered) {
        let rebalances = |counts: &Counts| counts.get("kafka_rebalances_total");
        let is_same = now.counts.len() == self.replicas.len()
            && now.counts.iter().all(|(replica, (_, counts))| {
                let earlier = before.counts.get(replica);
                earlier.is_some_and(|(_, earlier)| rebalances(earlier) == rebalances(counts))
            });
        if !is_same {
            return;
        }
        let grown = |stage: Stage, name: &str| -> i64 {
            let of = |at: &Remembered| -> i64 {
                let counts = at.counts.values().filter(|(found, _)| *found == stage);
                counts.map(|(_, counts)| counts.get(name)).sum()
            };
            of(now) - of(before)
        };
        let inputs = self.topics_of(Stage::Transform);
        let mut ledger = lock(&self.ledger);
        let sent = ledger.entries.get(before.sent..now.sent).unwrap_or_default();
        let (mut texts, mut others) = (0, 0);
        for entry in sent {
            let topic = entry.origin.as_ref().map(|origin| &*origin.topic);
            match topic.is_some_and(|topic| inputs.iter().any(|input| input == topic)) {
                true => texts += entry.weight as i64,
                false => others += entry.weight as i64,
            }
        }
        let produced = grown(Stage::Transform, "saltransform_produced_total");
        for (name, taken, due) in [
            (
                "saltransform",
                grown(Stage::Transform, "saltransform_consumed_total"),
                texts,
            ),
            (
                "influxsink",
                grown(Stage::Sink, "influxsink_consumed_total"),
                produced + others,
            ),
        ] {
            if taken != due {
                ledger.complain(format!(
                    "the replicas of {name} consumed {taken} messages, expected {due}"
                ));
            }
        }
    }
}
