//! Recreates a stage's clients within the process when they cannot continue: they are stuck, use a topic that was deleted,
//! or the brokers refuse the transactional producer. The stage runs in generations, each with its own
//! clients and threads. What a generation has not finished is read again by the next one, as after a restart.
//!
//! The destructor of a stuck client may never return. A generation that is over is therefore left to its own thread,
//! and the number of such generations is limited: then the process ends, and its supervisor restarts it.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::IntakeError;
use crate::metrics::KafkaMetrics;
use crate::service::Shutdown;

/// Generations that may follow the first.
const MAX_REMAKES: u32 = 3;
/// If recreated clients are stuck again within this multiple of the stuck timeout, recreating them did not help.
const HELPED: u32 = 10;
/// How long a generation's threads may take to release its clients. They only have to check its shutdown.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a generation is followed by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remake {
    /// A client was stuck, and the next one may be too: a limited number of times.
    Stuck,
    /// A topic was recreated: any number of times.
    Stale,
    /// The transactional producer cannot continue: any number of times, but a limited number in a row without a
    /// transaction that was committed.
    Transactions {
        /// Whether this producer has committed one.
        has_committed: bool,
    },
}

impl IntakeError {
    /// Whether recreating the clients may help.
    pub fn remake(&self) -> Option<Remake> {
        match self {
            Self::Stuck { .. } => Some(Remake::Stuck),
            Self::Stale => Some(Remake::Stale),
            Self::Transactions { has_committed, .. } => Some(Remake::Transactions {
                has_committed: *has_committed,
            }),
            _ => None,
        }
    }
}

/// Runs a stage until it ends, with clients that are recreated when they are stuck or stale.
///
/// `run` creates the clients and runs the stage with them until the shutdown that it receives; it reports its result
/// before it drops the clients. `stuck_timeout` is that of the clients' watch.
pub fn run_generations<E>(
    shutdown: &Shutdown,
    metrics: &KafkaMetrics,
    stuck_timeout: Duration,
    run: impl Fn(&Shutdown, &dyn Fn(Result<(), E>)) + Send + Sync + 'static,
    remake: fn(&E) -> Option<Remake>,
) -> Result<(), E>
where
    E: From<IntakeError> + Send + 'static,
{
    let (run, counted) = (Arc::new(run), metrics.stuck.with_label_values(&["all", "remade"]));
    let mut remade = 0;
    let mut without_commit = 0;
    loop {
        let start = Instant::now();
        let generation = shutdown.generation();
        let (say, said) = bounded(1);
        let thread = thread::spawn({
            let (run, generation) = (Arc::clone(&run), generation.clone());
            move || run(&generation, &|result| drop(say.send(result)))
        });
        let error = match wait(&said, &generation) {
            Waited::Said(Err(error)) if remake(&error).is_some() => error,
            Waited::Said(result) => {
                return thread
                    .join()
                    .map_or_else(|panic| resume_unwind(panic), |()| result);
            }
            Waited::Panicked => {
                // It reports its result, or it panics.
                return thread.join().map_or_else(|panic| resume_unwind(panic), Ok);
            }
            Waited::Hangs => {
                tracing::error!("threads do not release a stuck kafka client; stopping, nothing is lost");
                shutdown.fail();
                return Err(IntakeError::Stuck { client: "all" }.into());
            }
        };
        if shutdown.is_set() {
            // A requested stop stays one: the next process reads the new topic from its beginning.
            let is_stopped = remake(&error) == Some(Remake::Stale) && !shutdown.has_failed();
            return if is_stopped { Ok(()) } else { Err(error) };
        }
        match remake(&error) {
            Some(Remake::Stale) => {
                tracing::warn!("kafka clients are recreated because a topic was recreated; nothing is lost");
                continue;
            }
            Some(Remake::Transactions { has_committed }) if has_committed || without_commit < MAX_REMAKES => {
                tracing::warn!(
                    "kafka clients are recreated because the transactional producer cannot continue; nothing is lost"
                );
                without_commit = if has_committed { 0 } else { without_commit + 1 };
                continue;
            }
            Some(Remake::Transactions { .. }) => {
                tracing::error!(
                    without_commit,
                    "the transactional producer cannot continue, and recreating it does not help; stopping, nothing is lost"
                );
                shutdown.fail();
                return Err(error);
            }
            Some(Remake::Stuck) | None => {}
        }
        if remade == MAX_REMAKES || (remade > 0 && start.elapsed() < stuck_timeout * HELPED) {
            tracing::error!(
                remade,
                "a kafka client is stuck although the cluster works, and recreating it does not help; stopping, nothing is lost"
            );
            shutdown.fail();
            return Err(error);
        }
        tracing::warn!(
            "a kafka client is stuck although the cluster works; all are recreated, nothing is lost"
        );
        counted.inc();
        remade += 1;
    }
}

enum Waited<E> {
    Said(Result<(), E>),
    Panicked,
    /// Abandoned long ago, and still running.
    Hangs,
}

fn wait<E>(said: &Receiver<Result<(), E>>, generation: &Shutdown) -> Waited<E> {
    let mut abandoned: Option<Instant> = None;
    loop {
        match said.recv_timeout(Duration::from_millis(200)) {
            Ok(result) => return Waited::Said(result),
            Err(RecvTimeoutError::Disconnected) => return Waited::Panicked,
            Err(RecvTimeoutError::Timeout) if generation.is_abandoned() => {
                if abandoned.get_or_insert_with(Instant::now).elapsed() > RELEASE_TIMEOUT {
                    return Waited::Hangs;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use rdkafka::error::KafkaError;

    use super::*;

    const REMAKE: fn(&IntakeError) -> Option<Remake> = IntakeError::remake;

    fn metrics() -> KafkaMetrics {
        KafkaMetrics::register(&prometheus::Registry::new()).unwrap()
    }

    fn stuck() -> Result<(), IntakeError> {
        Err(IntakeError::Stuck { client: "consumer" })
    }

    #[test]
    fn a_generation_that_is_stuck_is_followed_by_another_though_its_thread_never_ends() {
        let shutdown = Shutdown::new(Duration::from_secs(1));
        let (metrics, runs) = (metrics(), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&runs);
        let (hold, held) = bounded::<()>(0);
        let run = move |generation: &Shutdown, say: &dyn Fn(Result<(), IntakeError>)| {
            if counted.fetch_add(1, Ordering::Relaxed) == 0 {
                generation.abandon();
                say(stuck());
                // Its client's destruction.
                let _ = held.recv();
            } else {
                assert!(!generation.is_set());
                say(Ok(()));
            }
        };
        run_generations(&shutdown, &metrics, Duration::from_millis(1), run, REMAKE).unwrap();
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        assert!(!shutdown.is_set());
        drop(hold);
    }

    #[test]
    fn what_does_not_help_ends_the_process() {
        let shutdown = Shutdown::new(Duration::from_secs(1));
        for (stuck_timeout, expected) in [(Duration::from_secs(60), 2), (Duration::ZERO, MAX_REMAKES + 1)] {
            let runs = Arc::new(AtomicU32::new(0));
            let counted = Arc::clone(&runs);
            let run = move |generation: &Shutdown, say: &dyn Fn(Result<(), IntakeError>)| {
                counted.fetch_add(1, Ordering::Relaxed);
                generation.abandon();
                say(stuck());
            };
            let shutdown = Shutdown::new(Duration::from_secs(1));
            let error = run_generations(&shutdown, &metrics(), stuck_timeout, run, REMAKE).unwrap_err();
            assert!(error.remake() == Some(Remake::Stuck) && shutdown.has_failed());
            assert_eq!(runs.load(Ordering::Relaxed), expected);
        }
        assert!(!shutdown.is_set());
    }

    #[test]
    fn a_topic_may_be_recreated_any_number_of_times() {
        let shutdown = Shutdown::new(Duration::from_secs(1));
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let run = move |generation: &Shutdown, say: &dyn Fn(Result<(), IntakeError>)| {
            generation.abandon();
            say(match counted.fetch_add(1, Ordering::Relaxed) {
                9 => Ok(()),
                _ => Err(IntakeError::Stale),
            });
        };
        run_generations(&shutdown, &metrics(), Duration::from_secs(60), run, REMAKE).unwrap();
        assert_eq!(runs.load(Ordering::Relaxed), 10);
        assert!(!shutdown.has_failed());
    }

    #[test]
    fn transactions_of_which_none_is_committed_end_the_process() {
        for (has_committed, fails, expected) in [
            (false, u32::MAX, MAX_REMAKES + 1),
            (true, 9, 10),
            (false, MAX_REMAKES, MAX_REMAKES + 1),
        ] {
            let shutdown = Shutdown::new(Duration::from_secs(1));
            let runs = Arc::new(AtomicU32::new(0));
            let counted = Arc::clone(&runs);
            let run = move |generation: &Shutdown, say: &dyn Fn(Result<(), IntakeError>)| {
                generation.abandon();
                say(match counted.fetch_add(1, Ordering::Relaxed) {
                    run if run < fails => Err(IntakeError::Transactions {
                        has_committed,
                        source: KafkaError::Canceled,
                    }),
                    _ => Ok(()),
                });
            };
            let result = run_generations(&shutdown, &metrics(), Duration::from_secs(60), run, REMAKE);
            assert_eq!(runs.load(Ordering::Relaxed), expected);
            assert_eq!(result.is_ok(), !shutdown.has_failed());
            assert_eq!(result.is_ok(), fails < u32::MAX);
        }
    }

    #[test]
    fn a_stop_while_a_topic_is_found_recreated_succeeds() {
        for (fails, expected) in [(false, true), (true, false)] {
            let shutdown = Shutdown::new(Duration::from_secs(1));
            let asked = shutdown.clone();
            let run = move |generation: &Shutdown, say: &dyn Fn(Result<(), IntakeError>)| {
                if fails {
                    asked.fail();
                } else {
                    asked.ask();
                }
                generation.abandon();
                say(Err(IntakeError::Stale));
            };
            let result = run_generations(&shutdown, &metrics(), Duration::from_secs(60), run, REMAKE);
            assert_eq!(result.is_ok(), expected, "{result:?}");
        }
    }

    #[test]
    #[should_panic(expected = "a bug")]
    fn a_panic_is_the_callers() {
        let shutdown = Shutdown::new(Duration::from_secs(1));
        let run = |_: &Shutdown, _: &dyn Fn(Result<(), IntakeError>)| panic!("a bug");
        let _ = run_generations(&shutdown, &metrics(), Duration::ZERO, run, REMAKE);
    }
}
