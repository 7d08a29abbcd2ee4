//! The shutdown of a process: requested once, drained within a deadline, then given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::signals::StopSignals;
use super::watchdog;

/// Whether the process has to end. Cheap to clone; every thread and task holds one.
#[derive(Debug, Clone)]
pub struct Shutdown {
    asked: Arc<watch::Sender<Option<Instant>>>,
    failed: Arc<AtomicBool>,
    drain: Duration,
    /// For a generation: whether it is over. The process continues.
    abandoned: Option<Arc<watch::Sender<bool>>>,
}

impl Shutdown {
    /// Not requested yet; a drain may take `drain`.
    pub fn new(drain: Duration) -> Self {
        Self {
            asked: Arc::new(watch::Sender::new(None)),
            failed: Arc::default(),
            drain,
            abandoned: None,
        }
    }

    /// For a command: signals request it, and the process ends a few seconds after `drain` even if its output or a
    /// service holds it up. Call it within a runtime.
    pub fn of_command(drain: Duration) -> Self {
        let shutdown = Self::new(drain);
        shutdown.ask_on_signals();
        shutdown.end_process_after_deadline();
        shutdown
    }

    /// For clients and threads that may end before the process and be replaced. Everything except [`Shutdown::abandon`]
    /// applies to the whole process.
    pub fn generation(&self) -> Self {
        Self {
            abandoned: Some(Arc::new(watch::Sender::new(false))),
            ..self.clone()
        }
    }

    /// Ends a generation without a drain. Outside a generation, the process ends with an error.
    pub fn abandon(&self) {
        match &self.abandoned {
            Some(abandoned) => drop(abandoned.send_replace(true)),
            None => self.fail(),
        }
    }

    /// Whether the generation was abandoned.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned
            .as_ref()
            .is_some_and(|abandoned| *abandoned.borrow())
    }

    /// Requests the process to drain and end. The first call sets the deadline.
    pub fn ask(&self) {
        self.asked
            .send_if_modified(|at| at.is_none() && at.replace(Instant::now()).is_none());
    }

    /// The same because of an error, which the exit code shows.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
        self.ask();
    }

    /// Held by a thread that others wait for: a panic in it ends the process, which would otherwise stay in its group
    /// and do nothing.
    pub fn fail_on_panic(&self) -> FailOnPanic<'_> {
        FailOnPanic(self)
    }

    /// Whether the shutdown was requested because of an error.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Whether the shutdown was requested.
    pub fn is_set(&self) -> bool {
        self.is_abandoned() || self.asked.borrow().is_some()
    }

    /// Whether the drain has passed its deadline: unfinished messages stay uncommitted and are read again by the next
    /// process.
    pub fn given_up(&self) -> bool {
        self.is_abandoned() || self.asked.borrow().is_some_and(|at| at.elapsed() >= self.drain)
    }

    /// The drain's deadline; none before the shutdown is requested.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (*self.asked.borrow()).and_then(|at| at.checked_add(self.drain))
    }

    /// Resolves when the shutdown is requested.
    pub async fn wait(&self) {
        let mut asked = self.asked.subscribe();
        let abandoned = async {
            match &self.abandoned {
                Some(abandoned) => drop(abandoned.subscribe().wait_for(|over| *over).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = asked.wait_for(Option::is_some) => {}
            () = abandoned => {}
        }
    }

    /// Blocks this thread for `time`. False if the drain was given up first.
    pub fn wait_unless_given_up(&self, time: Duration) -> bool {
        // Short steps suffice: a drain's deadline is seconds away, and waits are rare and long.
        const CHECK_INTERVAL: Duration = Duration::from_millis(20);
        let end = Instant::now() + time;
        loop {
            if self.given_up() {
                return false;
            }
            match end.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => std::thread::sleep(left.min(CHECK_INTERVAL)),
                _ => return true,
            }
        }
    }

    /// From this call on, a requested shutdown ends the process (exit code 1) a few seconds after the drain's deadline,
    /// even if its threads hang. For a process of its own, not for a service within another program.
    pub fn end_process_after_deadline(&self) {
        if let Err(error) = watchdog::watch(self, watchdog::CLOSE_TIMEOUT) {
            tracing::warn!(%error, "the drain's deadline cannot be watched: a stop may take longer");
        }
    }

    /// From this call on, SIGTERM, SIGINT and SIGHUP request the shutdown; a second signal ends the process at once. Call
    /// it within a runtime.
    pub fn ask_on_signals(&self) {
        let shutdown = self.clone();
        let mut signals = match StopSignals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                tracing::warn!(%error, "signals cannot be listened to: they end the process at once");
                return;
            }
        };
        tokio::spawn(async move {
            signals.next().await;
            tracing::info!(
                deadline_seconds = shutdown.drain.as_secs_f64(),
                "stopping: finishing what was read; a second signal stops at once"
            );
            shutdown.ask();
            signals.next().await;
            tracing::warn!("second signal: stopping at once, what was not committed is read again");
            crate::stderr::flush();
            std::process::exit(130);
        });
    }
}

/// See [`Shutdown::fail_on_panic`].
#[derive(Debug)]
#[must_use]
pub struct FailOnPanic<'a>(&'a Shutdown);

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a thread panicked, see above; stopping, what was not committed is read again");
            self.0.fail();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_up_only_after_the_deadline() {
        let shutdown = Shutdown::new(Duration::from_millis(30));
        assert!(!shutdown.is_set() && !shutdown.given_up());
        shutdown.ask();
        assert!(shutdown.is_set() && !shutdown.given_up());
        assert!(
            !shutdown.wait_unless_given_up(Duration::from_secs(60)),
            "the deadline ends a long wait"
        );
        assert!(shutdown.given_up() && !shutdown.has_failed());
    }

    #[tokio::test]
    async fn a_generation_ends_alone_or_with_the_process() {
        let shutdown = Shutdown::new(Duration::from_secs(60));
        let (first, second) = (shutdown.generation(), shutdown.generation());
        first.clone().abandon();
        first.wait().await;
        assert!(first.is_set() && first.given_up() && first.is_abandoned());
        assert!(!shutdown.is_set() && !second.is_set() && !second.is_abandoned());
        second.fail();
        shutdown.wait().await;
        assert!(shutdown.has_failed() && second.is_set() && !second.given_up());
    }

    #[tokio::test]
    async fn wakes_who_waits() {
        let shutdown = Shutdown::new(Duration::from_secs(1));
        let waiter = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.wait().await }
        });
        shutdown.fail();
        waiter.await.unwrap();
        assert!(shutdown.has_failed());
    }
}
