//! The results of the transactional producer's calls, from which its watch tells progress from waiting.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rdkafka::error::KafkaResult;

/// The results of a producer's calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    succeeded: AtomicU64,
    /// Whether the last call of the transaction failed.
    is_failing: AtomicBool,
    /// Whether the last metadata request of a worker had no answer.
    is_unanswered: AtomicBool,
}

impl Calls {
    pub(super) fn answered(&self, is_answered: bool) {
        self.is_unanswered.store(!is_answered, Ordering::Relaxed);
        self.succeeded
            .fetch_add(u64::from(is_answered), Ordering::Relaxed);
    }

    pub(super) fn called(&self, result: KafkaResult<()>) -> KafkaResult<()> {
        self.succeeded
            .fetch_add(u64::from(result.is_ok()), Ordering::Relaxed);
        self.flushed(result)
    }

    /// Not progress by itself: with nothing to send, it succeeds whatever the brokers do.
    pub(super) fn flushed(&self, result: KafkaResult<()>) -> KafkaResult<()> {
        self.is_failing.store(result.is_err(), Ordering::Relaxed);
        result
    }

    /// How many have succeeded, which is progress.
    pub(super) fn succeeded(&self) -> u64 {
        self.succeeded.load(Ordering::Relaxed)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed) || self.is_unanswered.load(Ordering::Relaxed)
    }
}
