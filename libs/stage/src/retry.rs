//! Whether a retry can help, and when: the three verdicts on every error of the pipeline.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::service::Shutdown;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Something outside is unavailable or busy: wait (as long as requested, if it was) and retry.
    Retry(Option<Duration>),
    /// This message can never be carried: store its bytes in the dead-letter topic and continue.
    DeadLetter,
    /// The process cannot continue (invalid configuration, fenced producer): stop, and let the operator act.
    Fatal,
}

/// Capped exponential waits with jitter (crate `backon`): they double from `first` to `cap`, each plus a random part of
/// itself.
///
/// The jitter keeps replicas that lost the same registry from returning to it together.
#[derive(Debug)]
pub struct Backoff {
    shape: ExponentialBuilder,
    waits: ExponentialBackoff,
}

impl Backoff {
    /// Waits of `first`, then twice that, and so on up to `cap`, without limit.
    pub fn new(first: Duration, cap: Duration) -> Self {
        let shape = ExponentialBuilder::new()
            .with_min_delay(first)
            .with_max_delay(cap)
            .with_jitter()
            .without_max_times();
        Self {
            shape,
            waits: shape.build(),
        }
    }

    /// The next wait; `asked` (a `Retry-After`) is its lower limit.
    pub fn next_wait(&mut self, asked: Option<Duration>) -> Duration {
        let own = self.waits.next().unwrap_or_default();
        asked.map_or(own, |least| least.max(own))
    }

    /// After a success: the next failure starts with short waits again.
    pub fn reset(&mut self) {
        self.waits = self.shape.build();
    }

    /// Waits on this thread, in small steps. False if the service gave up first.
    pub fn wait(&mut self, asked: Option<Duration>, shutdown: &Shutdown) -> bool {
        shutdown.wait_unless_given_up(self.next_wait(asked))
    }
}

impl Default for Backoff {
    /// 100 ms up to 10 s: fast enough to notice a restarted registry, slow enough not to overload it.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_no_further() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(50));
        let waits: Vec<_> = (0..20).map(|_| backoff.next_wait(None)).collect();
        assert!(waits[0] <= Duration::from_millis(20));
        assert!(
            waits.iter().all(|wait| *wait <= Duration::from_millis(100)),
            "the cap plus its jitter"
        );
        assert!(waits[5..].iter().all(|wait| *wait >= Duration::from_millis(50)));
        backoff.reset();
        assert!(backoff.next_wait(None) <= Duration::from_millis(20));
    }

    #[test]
    fn a_retry_after_is_kept_to() {
        let mut backoff = Backoff::default();
        let asked = Duration::from_secs(3);
        assert!(backoff.next_wait(Some(asked)) >= asked);
    }
}
