//! A steady stream of SAL text at a given number of bytes per second: all topics in turn, each message with
//! its send time. Runs in its own thread, because timers of a busy runtime fire late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::producer::{DefaultProducerContext, Producer, ThreadedProducer};

use crate::failure::{Doing, Failure, Outcome};
use crate::kafka::send;
use crate::template::{Templates, Topic};

/// A topic, its messages, and their destination.
pub(crate) struct Line {
    pub(crate) topic: Topic,
    pub(crate) templates: Templates,
    pub(crate) input: String,
}

/// The amounts sent so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) bytes: u64,
    pub(crate) messages: u64,
}

/// Sends until it is stopped or dropped.
pub(crate) struct Sender {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Outcome<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    bytes: AtomicU64,
    messages: AtomicU64,
    stopped: AtomicBool,
}

impl Sender {
    /// Starts sending, each topic equally often.
    pub(crate) fn start(
        producer: ThreadedProducer<DefaultProducerContext>,
        lines: Vec<Line>,
        bytes_a_second: f64,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || run(&producer, &lines, bytes_a_second, &for_thread));
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// The amounts sent so far.
    pub(crate) fn sent(&self) -> Sent {
        Sent {
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            messages: self.shared.messages.load(Ordering::Relaxed),
        }
    }

    /// Ends the stream; fails if it ended earlier.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        self.shared.stopped.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err(Failure::Unexpected("the sender has ended".to_owned())),
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }
}

fn run(
    producer: &ThreadedProducer<DefaultProducerContext>,
    lines: &[Line],
    bytes_a_second: f64,
    shared: &Shared,
) -> Outcome<()> {
    let begun = Instant::now();
    let mut text = Vec::new();
    let mut bytes = 0_u64;
    let mut last_ms = vec![0; lines.len()];
    for round in 0_u64.. {
        for (line, last_ms) in lines.iter().zip(&mut last_ms) {
            let due = Duration::from_secs_f64(bytes as f64 / bytes_a_second);
            let early = due.saturating_sub(begun.elapsed());
            // A shorter sleep takes longer than requested.
            if early > Duration::from_millis(1) {
                thread::sleep(early);
            }
            if shared.stopped.load(Ordering::Relaxed) {
                return producer
                    .flush(Duration::from_secs(30))
                    .doing("send the last messages");
            }
            // Records of dialect efd have milliseconds: a topic's next message is at least a millisecond later.
            *last_ms = (stage::unix_micros() / 1_000).max(*last_ms + 1);
            line.templates.write(round, *last_ms * 1_000, &mut text);
            send(producer, &line.input, None, &text)?;
            bytes += text.len() as u64;
            shared.bytes.store(bytes, Ordering::Relaxed);
            shared.messages.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}
