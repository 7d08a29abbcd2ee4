//! The commit thread of transactions (`transaction.rs`) as others see it: they ask it to end a transaction, and it is watched
//! for calls into librdkafka that do not return.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rdkafka::error::KafkaResult;

use crate::lock;
use crate::service::Shutdown;

/// How long one call to librdkafka may take; each is repeated until it succeeds or the service gives up.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// A call that takes this long will not return.
const STUCK_AFTER: Duration = Duration::from_secs(30);
/// The same when the service has given up.
const GIVEN_UP_STUCK_AFTER: Duration = Duration::from_secs(5);

/// What the commit thread is asked for.
pub(super) enum Request {
    /// Answered when the transaction has ended.
    EndTransaction(Sender<()>),
    /// No more messages come: commit a last time and end the thread.
    End,
}

/// A handle on the commit thread, held by the consumer's context.
pub(super) struct CommitThreadHandle {
    requests: Sender<Request>,
    /// Partitions have left without their offsets: the transaction that holds their records must not be committed.
    doomed: AtomicBool,
    /// Since when the thread is in a call to librdkafka.
    calling: Mutex<Option<Instant>>,
}

impl CommitThreadHandle {
    /// The handle, and the requests that the thread receives.
    pub(super) fn new() -> (Self, Receiver<Request>) {
        let (requests, received) = bounded(4);
        let thread = Self {
            requests,
            doomed: AtomicBool::new(false),
            calling: Mutex::default(),
        };
        (thread, received)
    }

    /// Ends the transaction. False if it has neither been committed nor aborted within `timeout`.
    pub(super) fn end_transaction(&self, timeout: Duration) -> bool {
        let (reply, answer) = bounded(1);
        self.requests.try_send(Request::EndTransaction(reply)).is_ok() && answer.recv_timeout(timeout).is_ok()
    }

    /// The open transaction must be aborted.
    pub(super) fn doom(&self) {
        self.doomed.store(true, Ordering::Release);
    }

    /// Whether the open transaction must be aborted.
    pub(super) fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::Acquire)
    }

    /// The transaction has been aborted.
    pub(super) fn clear_doomed(&self) {
        self.doomed.store(false, Ordering::Release);
    }

    /// Makes a call that [`CommitThreadHandle::watch`] sees.
    pub(super) fn call(&self, call: impl Fn() -> KafkaResult<()>) -> KafkaResult<()> {
        *lock(&self.calling) = Some(Instant::now());
        let result = call();
        *lock(&self.calling) = None;
        result
    }

    /// Ends the thread once it has served earlier requests.
    pub(super) fn end(&self) {
        let _ = self.requests.send(Request::End);
    }

    /// Watches the thread until `over` is closed, and ends the process when it hangs.
    ///
    /// Seen with librdkafka 2.12: after the group's coordinator was lost, a call never returned, whatever its time-out
    /// (librdkafka's issues 5456 and 5511; saltransform's producer has a setting against it). A thread cannot be taken out
    /// of such a call. A new process aborts the transaction and reads its messages again.
    pub(super) fn watch(&self, over: &Receiver<()>, shutdown: &Shutdown) {
        while over.recv_timeout(CALL_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            if shutdown.is_abandoned() {
                // The code that creates the next clients waits for these with a bound of its own.
                return;
            }
            let since = *lock(&self.calling);
            let Some(time) = since.map(|since| since.elapsed()) else {
                continue;
            };
            if is_stuck(time, shutdown.given_up()) {
                let seconds = time.as_secs();
                tracing::error!(
                    seconds,
                    "a call of librdkafka does not return; ending at once, nothing is lost"
                );
                crate::stderr::flush();
                std::process::exit(1);
            }
        }
    }
}

fn is_stuck(time: Duration, given_up: bool) -> bool {
    time > if given_up {
        GIVEN_UP_STUCK_AFTER
    } else {
        STUCK_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_call_that_outlives_its_time_out_by_far_is_stuck() {
        assert!(!is_stuck(CALL_TIMEOUT * 5, false) && is_stuck(STUCK_AFTER * 2, false));
        assert!(!is_stuck(CALL_TIMEOUT, true) && is_stuck(STUCK_AFTER, true));
        let (thread, _requests) = CommitThreadHandle::new();
        thread
            .call(|| {
                assert!(lock(&thread.calling).is_some());
                Ok(())
            })
            .unwrap();
        assert_eq!(*lock(&thread.calling), None);
    }

    /// It would end this process.
    #[test]
    fn a_call_of_clients_that_are_given_up_ends_nothing() {
        let (thread, _requests) = CommitThreadHandle::new();
        *lock(&thread.calling) = Instant::now().checked_sub(2 * STUCK_AFTER);
        assert!(lock(&thread.calling).is_some());
        let shutdown = Shutdown::new(Duration::ZERO).generation();
        shutdown.abandon();
        let (_open, over) = bounded(0);
        thread.watch(&over, &shutdown);
    }
}
