//! Output to stderr, which may be closed, full, or a pipe that nobody reads: then output is dropped and counted, and no
//! stage waits for it or ends because of it.
//!
//! ```text
//!  log lines, last words ──▶ at most MAX_PENDING bytes ──▶ one thread ──▶ stderr
//! ```
//!
//! [`start`] creates the thread; logging calls it. Without it (a command that logs nothing), each text is written at
//! once by its own thread.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use prometheus::IntCounter;

use crate::address::masked;
use crate::metrics::log_lines_dropped;

/// The queue for stderr, in bytes: about ten thousand lines.
const MAX_PENDING: usize = 1 << 20;
/// How long the end of a process waits for a reader of its last lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Writes one line to stderr, in the form of `eprintln!`. Unlike that macro it neither panics nor blocks a stage.
#[macro_export]
macro_rules! stderr_line {
    ($($text:tt)*) => {
        $crate::stderr::write(::std::format_args!("{}\n", ::std::format_args!($($text)*)))
    };
}

/// Writes text without a line's end, in the form of `eprint!`: a question, or the beginning of a line.
#[macro_export]
macro_rules! stderr_text {
    ($($text:tt)*) => {
        $crate::stderr::write(::std::format_args!($($text)*))
    };
}

/// Called by the macros.
pub fn write(text: fmt::Arguments<'_>) {
    // One write per text, so that those of several threads do not mix.
    write_bytes(text.to_string().as_bytes());
}

/// What is secret in an address is hidden here, whichever text quotes it.
fn write_bytes(text: &[u8]) {
    let shown = std::str::from_utf8(text).map(masked);
    let text = shown.as_ref().map_or(text, |shown| shown.as_bytes());
    match QUEUE.get() {
        Some(queue) => queue.push(text),
        None => drop(io::stderr().write_all(text)),
    }
}

/// Starts the thread; a second call changes nothing.
pub(crate) fn start() {
    if let Some(dropped) = log_lines_dropped() {
        QUEUE.get_or_init(|| Queue::new(io::stderr(), dropped.clone()));
    }
}

/// Waits until the queue is written, at most [`FLUSH_TIMEOUT`]: for the end of a process.
pub fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(FLUSH_TIMEOUT);
    }
}

/// For `tracing_subscriber`: each event is one write.
pub(crate) struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        write_bytes(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The queue of the thread.
struct Queue {
    shared: Arc<Shared>,
    dropped: IntCounter,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Default)]
struct Pending {
    text: Vec<u8>,
    /// Whether the thread has taken text and not yet written it.
    is_writing: bool,
    /// Lines dropped since the last write.
    dropped: u64,
}

impl Queue {
    fn new(mut to: impl Write + Send + 'static, dropped: IntCounter) -> Self {
        let shared: Arc<Shared> = Arc::default();
        let (mine, counted) = (Arc::clone(&shared), dropped.clone());
        let spawned = std::thread::Builder::new()
            .name("stderr".to_owned())
            .spawn(move || mine.carry(&mut to, &counted));
        // Without a thread, output fills the queue and is dropped.
        drop(spawned);
        Self { shared, dropped }
    }

    fn push(&self, text: &[u8]) {
        let mut pending = crate::lock(&self.shared.pending);
        if pending.text.len() + text.len() > MAX_PENDING {
            pending.dropped += 1;
            self.dropped.inc();
            return;
        }
        pending.text.extend_from_slice(text);
        drop(pending);
        self.shared.changed.notify_all();
    }

    fn flush(&self, timeout: Duration) {
        let end = Instant::now() + timeout;
        let mut pending = crate::lock(&self.shared.pending);
        while pending.is_writing || !pending.text.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(pending, left);
            pending = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }
}

impl Shared {
    /// The thread's work. It ends with the process.
    fn carry(&self, to: &mut impl Write, counted: &IntCounter) {
        loop {
            let mut pending = crate::lock(&self.pending);
            while pending.text.is_empty() {
                let waited = self.changed.wait(pending);
                pending = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
            }
            let text = std::mem::take(&mut pending.text);
            let dropped = std::mem::take(&mut pending.dropped);
            pending.is_writing = true;
            drop(pending);
            if to.write_all(&text).is_err() {
                counted.inc_by(text.iter().filter(|byte| **byte == b'\n').count() as u64);
            } else if dropped > 0 {
                let _ = writeln!(
                    to,
                    "{dropped} log lines dropped: stderr did not take them in time"
                );
            }
            crate::lock(&self.pending).is_writing = false;
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, Sender, bounded};

    use super::*;

    /// A pipe whose reader accepts a write only on request.
    struct Pipe {
        go_on: Receiver<()>,
        written: Sender<String>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // An error means that the reader is gone: from then on nothing blocks.
            let _ = self.go_on.recv();
            let _ = self.written.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn counter() -> IntCounter {
        IntCounter::new("dropped", "dropped").unwrap()
    }

    #[test]
    fn a_pipe_that_nobody_reads_drops_lines_and_blocks_nobody() {
        let (free, go_on) = bounded(0);
        let (written, read) = bounded(16);
        let dropped = counter();
        let queue = Queue::new(Pipe { go_on, written }, dropped.clone());
        let line = format!("{}\n", "x".repeat(1_023));
        for _ in 0..3_000 {
            queue.push(line.as_bytes());
        }
        assert!((900..3_000).contains(&dropped.get()), "{}", dropped.get());
        let since = Instant::now();
        queue.flush(Duration::from_millis(50));
        assert!(
            since.elapsed() < Duration::from_secs(5),
            "a flush does not wait for ever"
        );
        // Somebody reads again: what had room comes, and how much had none.
        drop(free);
        queue.flush(Duration::from_secs(30));
        let text: String = read.try_iter().collect();
        let kept = text.lines().filter(|found| found.len() == 1_023).count() as u64;
        assert_eq!(kept + dropped.get(), 3_000);
        let said = format!(
            "{} log lines dropped: stderr did not take them in time",
            dropped.get()
        );
        assert_eq!(text.lines().filter(|found| **found == said).count(), 1);
    }

    #[test]
    fn a_full_disk_is_counted_and_nothing_else() {
        let dropped = counter();
        let queue = Queue::new(Full, dropped.clone());
        queue.push(b"one\ntwo\n");
        queue.flush(Duration::from_secs(30));
        assert_eq!(dropped.get(), 2);
    }
}
