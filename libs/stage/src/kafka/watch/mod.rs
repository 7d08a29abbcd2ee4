//! The watch: detects a Kafka client that has stalled while the cluster works, which no error reports.
//!
//! librdkafka 2.12 can lose all its brokers and never look for one again: a metadata response with topics and without
//! brokers, as a fenced broker gives, clears its list (its issue 5301). Other clients then work with the same cluster,
//! and this one waits for ever. So progress is what counts, and a fresh client distinguishes a stuck client from an
//! unavailable cluster: an outage is waited out, however long.
//!
//! ```text
//!  no progress ─▶ does a fresh client find the cluster healthy? ─ no ─▶ an outage: wait
//!                                   │ yes
//!                                   ├─ this client gets no answer ─▶ it starts from its bootstrap brokers again
//!                                   └─ for too long ───────────────▶ stuck: it is recreated, or the process ends
//! ```

mod client;
mod look;
mod silence;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rdkafka::ClientConfig;

pub use self::client::AnyClient;
use self::look::{Look, Sight};
pub use self::silence::Silence;
use crate::metrics::KafkaMetrics;

/// The time for an answer to the client. A fresh one has a second for each attempt; on an overloaded machine the
/// watched one must not look worse.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// If the client gets answers and the cluster is fully healthy, a stall may last this many times as long: a rebalance
/// of a large group takes minutes.
const ANSWERED: u32 = 5;
/// And at least this long: a consumer's progress is known from its statistics, which arrive every few seconds.
const MIN_ANSWERED: Duration = Duration::from_secs(60);

/// The progress of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It waits for nothing.
    Idle,
    /// A number that changes with each step.
    At(u64),
    /// None, which has been established while the client got answers.
    Stalled,
    /// Unknown; only the client's answers count.
    Unknown,
}

/// A client as its watch sees it.
pub trait Watched: Send + Sync {
    /// The name for log lines and the label of the metric.
    fn name(&self) -> &'static str;
    /// Its progress. A consumer makes none while messages wait in a partition that it does not fetch.
    fn progress(&self) -> Progress;
    /// The client itself.
    fn client(&self) -> &dyn AnyClient;
    /// Its configuration, with which a fresh client examines the cluster.
    fn config(&self) -> &ClientConfig;
    /// Its consumer group, whose coordinator must also answer.
    fn group(&self) -> Option<&str> {
        None
    }
    /// Whether it uses a topic that was recreated since it first saw it.
    fn is_stale(&self) -> bool {
        false
    }
}

/// Why a client has become useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// The client of this name makes no progress although the cluster works.
    Stuck(&'static str),
    /// A topic was deleted and recreated. librdkafka (2.12.1, `rd_kafka_toppar_leader_update`) regards the new topic's
    /// leaders as outdated while the old topic's had a higher epoch, and keeps asking a broker that refuses.
    Stale,
}

/// How long a client may make no progress while the cluster works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// If it gets no answer while a fresh one does.
    pub stuck_timeout: Duration,
    /// If it gets answers and the cluster is fully healthy.
    pub answered_timeout: Duration,
}

impl From<Duration> for Limits {
    /// The limits that follow from the stuck timeout.
    fn from(stuck_timeout: Duration) -> Self {
        Self {
            stuck_timeout,
            answered_timeout: (stuck_timeout * ANSWERED).max(MIN_ANSWERED),
        }
    }
}

/// Watches clients until `over` is closed or one has become useless, and returns why.
pub fn watch(
    clients: &[Arc<dyn Watched + '_>],
    limits: Limits,
    metrics: &KafkaMetrics,
    over: &Receiver<()>,
) -> Option<GivenUp> {
    let stuck_timeout = limits.stuck_timeout;
    let turn = (stuck_timeout / 30).clamp(Duration::from_millis(50), Duration::from_secs(1));
    for client in clients {
        for remedy in ["bootstrap", "given_up"] {
            // It is there from the start, with 0.
            metrics.stuck.with_label_values(&[client.name(), remedy]);
        }
    }
    let mut standings: Vec<_> = clients
        .iter()
        .map(|_| Standing::new(stuck_timeout, limits.answered_timeout, Instant::now()))
        .collect();
    loop {
        if over.recv_timeout(turn) != Err(RecvTimeoutError::Timeout) {
            return None;
        }
        if clients.iter().any(|client| client.is_stale()) {
            return Some(GivenUp::Stale);
        }
        for (client, standing) in clients.iter().zip(&mut standings) {
            if !standing.is_due(client.progress(), Instant::now()) {
                continue;
            }
            let sight = look::in_a_thread(Look::of(client.as_ref()), over)?;
            let is_answered =
                sight.is_reached() && client.client().is_answered(ANSWER_TIMEOUT.min(stuck_timeout));
            if standing.judge(sight, is_answered, Instant::now()) {
                count(metrics, client.name(), "given_up");
                return Some(GivenUp::Stuck(client.name()));
            }
            if sight.is_reached() && !is_answered {
                count(metrics, client.name(), "bootstrap");
                tracing::warn!(
                    client = client.name(),
                    "kafka answers other clients and not this one; it starts from its bootstrap brokers again"
                );
                client.client().bootstrap_again(client.config());
            }
        }
    }
}

fn count(metrics: &KafkaMetrics, client: &str, remedy: &str) {
    metrics.stuck.with_label_values(&[client, remedy]).inc();
}

/// The stall of a client.
struct Standing {
    /// Without answers.
    stuck_timeout: Duration,
    /// With answers.
    answered_timeout: Duration,
    progress: Progress,
    /// When it last made progress.
    moved: Instant,
    looked: Option<Instant>,
    /// Since when each examination found the cluster reachable and the client without an answer.
    unanswered: Option<Instant>,
    /// The same with answers, and a fully healthy cluster.
    answered: Option<Instant>,
}

impl Standing {
    fn new(stuck_timeout: Duration, answered_timeout: Duration, now: Instant) -> Self {
        Self {
            stuck_timeout,
            answered_timeout,
            progress: Progress::Idle,
            moved: now,
            looked: None,
            unanswered: None,
            answered: None,
        }
    }

    /// Whether it is time to examine the cluster, because there has been no progress for a while.
    fn is_due(&mut self, progress: Progress, now: Instant) -> bool {
        let is_moving = match progress {
            Progress::Idle => true,
            Progress::At(_) => progress != self.progress,
            Progress::Stalled | Progress::Unknown => false,
        };
        if is_moving {
            self.moved = now;
            (self.unanswered, self.answered) = (None, None);
        }
        self.progress = progress;
        let pause = (self.stuck_timeout / 6).min(Duration::from_secs(10));
        now - self.moved >= pause && self.looked.is_none_or(|at| now - at >= pause)
    }

    /// Notes an examination. Returns whether the client is stuck.
    fn judge(&mut self, sight: Sight, is_answered: bool, now: Instant) -> bool {
        self.looked = Some(now);
        let since = |held: bool, since: Option<Instant>| held.then(|| since.unwrap_or(now));
        self.unanswered = since(sight.is_reached() && !is_answered, self.unanswered);
        let is_unexplained = sight == Sight::Well && is_answered && self.progress != Progress::Unknown;
        self.answered = since(is_unexplained, self.answered);
        let answered_timeout = match self.progress {
            Progress::Stalled => self.stuck_timeout,
            _ => self.answered_timeout,
        };
        let lasts = |since: Option<Instant>, timeout| since.is_some_and(|since| now - since >= timeout);
        lasts(self.unanswered, self.stuck_timeout) || lasts(self.answered, answered_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUCK_TIMEOUT: Duration = Duration::from_secs(60);

    /// Without progress from now on, and now.
    fn standing(progress: Progress) -> (Standing, Instant) {
        let now = Instant::now();
        let mut standing = Standing::new(STUCK_TIMEOUT, 5 * STUCK_TIMEOUT, now);
        assert!(!standing.is_due(progress, now));
        (standing, now)
    }

    #[test]
    fn an_outage_is_not_a_standstill_of_ours() {
        let (mut standing, start) = standing(Progress::At(1));
        assert!(standing.is_due(Progress::At(1), start + STUCK_TIMEOUT));
        for turn in 0..10 {
            assert!(!standing.judge(Sight::Away, false, start + turn * STUCK_TIMEOUT));
        }
    }

    #[test]
    fn a_client_without_answers_is_stuck_after_the_timeout() {
        let (mut standing, start) = standing(Progress::At(1));
        assert!(!standing.judge(Sight::Reached, false, start));
        // An outage in between restarts the time.
        assert!(!standing.judge(Sight::Away, false, start + STUCK_TIMEOUT / 2));
        let again = start + STUCK_TIMEOUT;
        assert!(!standing.judge(Sight::Reached, false, again));
        assert!(standing.judge(Sight::Reached, false, again + STUCK_TIMEOUT));
    }

    #[test]
    fn what_moves_is_not_stuck() {
        let (mut standing, start) = standing(Progress::At(1));
        standing.judge(Sight::Well, false, start);
        for (turn, progress) in [(1, Progress::At(2)), (2, Progress::Idle)] {
            let now = start + turn * STUCK_TIMEOUT;
            assert!(!standing.is_due(progress, now));
            assert!(!standing.judge(Sight::Well, false, now));
        }
    }

    #[test]
    fn with_answers_it_takes_longer_and_a_cluster_that_is_well() {
        for (sight, is_stuck) in [(Sight::Well, true), (Sight::Reached, false)] {
            let (mut standing, start) = standing(Progress::At(1));
            assert!(!standing.judge(sight, true, start));
            assert!(!standing.judge(sight, true, start + STUCK_TIMEOUT));
            assert_eq!(standing.judge(sight, true, start + 5 * STUCK_TIMEOUT), is_stuck);
        }
    }

    #[test]
    fn a_stall_that_is_certain_takes_no_longer_than_one_without_answers() {
        let (mut standing, start) = standing(Progress::At(1));
        assert!(!standing.is_due(Progress::At(2), start));
        assert!(standing.is_due(Progress::Stalled, start + STUCK_TIMEOUT));
        assert!(!standing.judge(Sight::Well, true, start + STUCK_TIMEOUT));
        assert!(
            !standing.judge(Sight::Reached, true, start + 2 * STUCK_TIMEOUT),
            "not well"
        );
        assert!(!standing.judge(Sight::Well, true, start + 3 * STUCK_TIMEOUT));
        assert!(standing.judge(Sight::Well, true, start + 4 * STUCK_TIMEOUT));
    }

    #[test]
    fn what_cannot_be_told_needs_a_client_without_answers() {
        let (mut standing, start) = standing(Progress::Unknown);
        assert!(standing.is_due(Progress::Unknown, start + STUCK_TIMEOUT));
        assert!(!standing.judge(Sight::Well, true, start + STUCK_TIMEOUT));
        assert!(!standing.judge(Sight::Well, true, start + 6 * STUCK_TIMEOUT));
    }

    struct Recreated(ClientConfig);

    impl Watched for Recreated {
        fn name(&self) -> &'static str {
            "consumer"
        }

        fn progress(&self) -> Progress {
            Progress::Idle
        }

        fn client(&self) -> &dyn AnyClient {
            unreachable!("a client that is stale is not asked")
        }

        fn config(&self) -> &ClientConfig {
            &self.0
        }

        fn is_stale(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_client_that_knows_a_topic_of_before_is_given_up_at_once() {
        let metrics = KafkaMetrics::register(&prometheus::Registry::new()).unwrap();
        let (_open, over) = crossbeam_channel::bounded(0);
        let clients: [Arc<dyn Watched>; 1] = [Arc::new(Recreated(ClientConfig::new()))];
        let given_up = watch(&clients, Duration::from_secs(3_600).into(), &metrics, &over);
        assert_eq!(given_up, Some(GivenUp::Stale));
    }
}
