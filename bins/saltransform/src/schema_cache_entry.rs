//! One SAL topic's target, as workers read it and `schema_cache_refresh` replaces it, and why nothing is written while its
//! schema id is in doubt.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sal::plan::Plan;
use sal::record_key::RecordKey;
use stage::kafka::TopicProbe;
use stage::lock;
use stage::registry::RegistryError;
use stage::service::Wait;

/// Where the records of one SAL topic go.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) kafka_topic: String,
    /// The key of its records; without one, they keep their messages' keys.
    pub(crate) key: Option<RecordKey>,
    pub(crate) version: u32,
    pub(crate) schema_id: u32,
    /// The schema, for comparison with what its id means later.
    pub(crate) text: Arc<str>,
    pub(crate) plan: Plan,
    /// Whether the topic's records are delivered.
    pub(crate) probe: Arc<TopicProbe>,
    /// Whether a producer has seen the topic.
    pub(crate) seen: AtomicBool,
}

impl Target {
    pub(crate) fn new(
        kafka_topic: String,
        key: Option<RecordKey>,
        version: u32,
        schema_id: u32,
        text: Arc<str>,
        plan: Plan,
        probe: Arc<TopicProbe>,
    ) -> Self {
        Self {
            kafka_topic,
            key,
            version,
            schema_id,
            text,
            plan,
            probe,
            seen: AtomicBool::new(false),
        }
    }
}

/// One topic's target, and a version by which workers notice a change.
pub(crate) struct Entry {
    pub(crate) state: Mutex<State>,
    version: AtomicU64,
}

pub(crate) struct State {
    pub(crate) target: Arc<Target>,
    /// When the registry was last asked.
    pub(crate) asked: Instant,
    /// The subject's latest id if that version cannot be used.
    pub(crate) refused: Option<u32>,
    /// Since when the registry lacks the id in use although its ids have advanced as far.
    pub(crate) lost: Option<Instant>,
    /// Why nothing is written at present.
    pub(crate) doubt: Option<Doubt>,
}

pub(crate) struct Doubt {
    pub(crate) error: RegistryError,
    /// Shows the reason in `/ready` while it lasts.
    pub(crate) wait: Wait,
}

impl Entry {
    pub(crate) fn new(target: Target, refused: Option<u32>) -> Self {
        let state = State {
            target: Arc::new(target),
            asked: Instant::now(),
            refused,
            lost: None,
            doubt: None,
        };
        Self {
            state: state.into(),
            version: 0.into(),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn current(&self) -> Arc<Target> {
        Arc::clone(&lock(&self.state).target)
    }

    /// How long ago the registry was asked.
    pub(crate) fn age(&self) -> Duration {
        lock(&self.state).asked.elapsed()
    }

    /// Why nothing is written now.
    pub(crate) fn doubt(&self) -> Option<RegistryError> {
        lock(&self.state).doubt.as_ref().map(|doubt| doubt.error.clone())
    }

    /// The id in use means what it meant.
    pub(crate) fn trust(&self) {
        let mut state = lock(&self.state);
        state.asked = Instant::now();
        state.lost = None;
        if let Some(doubt) = state.doubt.take() {
            tracing::info!(
                id = state.target.schema_id,
                "schema id means what it did before; records are written again"
            );
            doubt.wait.answered();
        }
    }

    /// The registry lacks the id in use. Returns whether it has lacked it for that long.
    pub(crate) fn is_lost_for(&self, period: Duration) -> bool {
        let mut state = lock(&self.state);
        state.asked = Instant::now();
        state.lost.get_or_insert_with(Instant::now).elapsed() >= period
    }

    pub(crate) fn changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }
}
