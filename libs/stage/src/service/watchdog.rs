//! The deadline of a stop, enforced by a separate thread: a process that has to end does end, whatever its other
//! threads wait for. A call into librdkafka can hang (a consumer's close, a client's destruction), and a thread cannot
//! be taken out of it.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use super::Shutdown;

/// The time after the drain's deadline for the last commit and for closing the clients. With the default
/// `--drain-timeout` it stays below the 30 s that Kubernetes waits.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The time for the last log line; stderr itself may be what hangs.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
/// The time for libraries' exit handlers.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Ends this process with exit code 1 if it is still running `grace` after the drain's deadline.
///
/// For a process that only runs this service: a program that embeds stages waits for them itself.
pub(super) fn watch(shutdown: &Shutdown, grace: Duration) -> io::Result<()> {
    // Without drivers and workers, it does not depend on other threads.
    let runtime = Builder::new_current_thread().build()?;
    let shutdown = shutdown.clone();
    let watch = move || {
        runtime.block_on(shutdown.wait());
        // Without a deadline there is nothing to watch.
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
    // In separate threads: neither a log that nobody reads nor a library's hook may block this one.
    let _ = thread::Builder::new().spawn(|| {
        tracing::error!(
            "still stopping after the drain's deadline; ending at once, what was not committed is read again"
        );
    });
    thread::sleep(FLUSH_TIMEOUT);
    let _ = thread::Builder::new().spawn(|| {
        thread::sleep(EXIT_TIMEOUT);
        std::process::abort()
    });
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const CHILD: &str = "WATCHDOG_TEST_CHILD";

    /// Not a test by itself: the test below runs it as a process that hangs while it stops.
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
