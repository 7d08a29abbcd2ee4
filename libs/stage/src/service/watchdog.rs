//! The deadline of a stop, kept by a thread of its own: a process that is told to end does end, whatever its other threads
//! wait for. A call into librdkafka can wait for ever (a consumer's close, a client's destruction), and no thread can be taken
//! out of that.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use super::Shutdown;

/// What a process has after its drain's deadline, for the last commit and for closing its clients. With the default
/// `--drain-timeout` it stays below the 30 s that Kubernetes waits.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// For the last log line; stderr itself may be what hangs.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// For what libraries do at a process's exit.
const EXIT: Duration = Duration::from_secs(2);

/// Ends this process with exit code 1 if it is still there `grace` after the drain's deadline.
///
/// For a process that is nothing but this service: whoever runs stages inside a process of its own waits for them by
/// itself.
pub(super) fn watch(shutdown: &Shutdown, grace: Duration) -> io::Result<()> {
    // Without drivers and workers: it depends on no other thread.
    let runtime = Builder::new_current_thread().build()?;
    let shutdown = shutdown.clone();
    let watch = move || {
        runtime.block_on(shutdown.wait());
        // Without an end in sight there is nothing to watch.
        let Some(end) = shutdown.deadline().and_then(|at| at.checked_add(grace)) else {
            return;
        };
        thread::sleep(end.saturating_duration_since(Instant::now()));
        end_process();
    };
    thread::Builder::new()
        .name("deadline".to_owned())
        .spawn(watch)
        .map(drop)
}

fn end_process() -> ! {
    // Threads of their own: neither a log that nobody reads nor a library's hook may hold this one.
    let _ = thread::Builder::new().spawn(|| {
        tracing::error!(
            "still stopping after the drain's deadline; ending at once, what was not committed is read again"
        );
    });
    thread::sleep(LAST_WORDS);
    let _ = thread::Builder::new().spawn(|| {
        thread::sleep(EXIT);
        std::process::abort()
    });
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const CHILD: &str = "WATCHDOG_TEST_CHILD";

    /// Not a test by itself: what the test below runs as a process that hangs while it stops.
    #[test]
    fn hangs_when_it_is_a_child() {
        let Ok(drain) = std::env::var(CHILD) else { return };
        let shutdown = Shutdown::new(Duration::from_millis(drain.parse().unwrap()));
        watch(&shutdown, Duration::from_millis(100)).unwrap();
        // It holds the log, too.
        let _stderr = std::io::stderr().lock();
        shutdown.ask();
        loop {
            thread::park();
        }
    }

    #[test]
    fn a_process_that_hangs_while_it_stops_ends_with_an_error() {
        let start = Instant::now();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "service::watchdog::tests::hangs_when_it_is_a_child"])
            .env(CHILD, "300")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(1), "{status}");
        assert!(
            start.elapsed() >= Duration::from_millis(400),
            "the drain has its time"
        );
    }

    #[test]
    fn a_service_that_is_not_asked_to_end_is_left_alone() {
        let shutdown = Shutdown::new(Duration::ZERO);
        watch(&shutdown, Duration::ZERO).unwrap();
        thread::sleep(Duration::from_millis(50));
        assert!(!shutdown.is_set());
    }
}
