//! What the four binaries share: everything between a Kafka broker and a stage's own work.
//!
//! In the order in which a message meets it:
//!
//! | module | what it is |
//! |---|---|
//! | [`config`] | the flags that all binaries have in common, each with an environment variable |
//! | [`service`] | a process's life: logging, signals, `/metrics` `/ready` `/live`, drain with a deadline |
//! | [`kafka`] | client configuration and the context that turns librdkafka's callbacks into logs and metrics |
//! | [`intake`] | the consumer loop: batches to workers, back-pressure, rebalances, commits |
//! | [`offsets`] | the pure structure that says which offset may be committed |
//! | [`origin`] | where a message came from |
//! | [`reason`] | why a message cannot be carried |
//! | [`headers`] | a message's own headers, read with care |
//! | [`readable`] | its key and headers as JSON |
//! | [`registry`] | schemas by id and by subject: cached, single-flight; waited for while they are unknown |
//! | [`records`] | records as JSON, by those schemas |
//! | [`dead_letter`] | what cannot be carried: the original bytes, with origin, stage and reason |
//! | [`tls`] | whom the clients of registry and database trust |
//! | [`retry`] | whether another try can help, and when |
//! | [`topics`] | creates topics |
//! | [`nearest`] | what may have been meant by a name that is not there |
//! | [`sanitize`] | what others wrote, as it may be shown |
//! | [`stderr`] | what a process says, without waiting for a reader |
//! | [`stdout`] | where a command's answer goes |
//! | [`metrics`] | every metric's name, in one file |
//!
//! An offset is committed only when its message, and each one before it in the partition, has reached the next
//! system or the dead-letter topic. That is all of the delivery promise; [`offsets`] holds it and nothing else may
//! move a group forward.

pub mod config;
pub mod dead_letter;
pub mod headers;
pub mod intake;
pub mod kafka;
mod labels;
pub mod memory;
pub mod metrics;
pub mod nearest;
pub mod offsets;
pub mod origin;
pub mod readable;
pub mod reason;
pub mod records;
pub mod registry;
pub mod retry;
pub mod sanitize;
pub mod service;
pub mod stderr;
pub mod stdout;
pub mod tls;
pub mod topics;

pub use sanitize::Printable;

use std::error::Error;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// An error and its sources on one line, outermost first, as the binaries print it: [`Printable`], as errors quote what
/// came over the wire.
///
/// ```
/// let inner = std::io::Error::other("connection refused");
/// assert_eq!(stage::chain(&inner), "connection refused");
/// ```
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let _ = write!(text, ": {inner}");
        source = inner.source();
    }
    Printable(text).to_string()
}

/// Now, in microseconds since 1970 (UTC).
pub fn unix_micros() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

/// Locks, whether or not a thread panicked with the lock held: what our locks hold is whole between any two statements.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
