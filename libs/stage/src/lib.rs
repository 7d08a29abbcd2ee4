//! The runtime that the four binaries share: everything between a Kafka broker and a stage's own work.
//!
//! The modules:
//!
//! | module | what it is |
//! |---|---|
//! | [`address`] | addresses of other services, whose secrets are never shown |
//! | [`config`] | the flags that all binaries have in common, each with an environment variable |
//! | [`service`] | the life of a process: logging, signals, `/metrics` `/ready` `/live`, drain with a deadline, exit code |
//! | [`kafka`] | client configuration and the context that turns librdkafka's callbacks into logs and metrics |
//! | [`intake`] | the consumer loop: batches to workers, back-pressure, rebalances, commits |
//! | [`offsets`] | the pure structure that says which offset may be committed |
//! | [`origin`] | where a message came from |
//! | [`reason`] | why a message cannot be carried |
//! | [`headers`] | safe access to a message's headers |
//! | [`readable`] | its key and headers as JSON |
//! | [`registry`] | schemas by id and by subject: cached, with one request at a time; unknown ones are waited for |
//! | [`records`] | records as JSON, decoded with those schemas |
//! | [`dead_letter`] | what cannot be carried: the original bytes, with origin, step and reason |
//! | [`tls`] | the authorities that the clients of registry and database trust |
//! | [`retry`] | whether a retry can help, and when |
//! | [`create_topics`] | creates topics |
//! | [`topic_collision`] | topics whose names Kafka takes for the same |
//! | [`nearest`] | suggestions for a name that does not exist |
//! | [`shell`] | completions for shells, and manual pages |
//! | [`sanitize`] | untrusted text, made safe to show |
//! | [`stderr`] | output to stderr that never blocks |
//! | [`stdout`] | a command's output |
//! | [`metrics`] | the metrics of the process, its Kafka clients and logging, and helpers to register others |
//!
//! An offset is committed only when its message, and each one before it in the partition, has reached the next system
//! or the dead-letter topic. That is the whole delivery guarantee: [`offsets`] implements it, and nothing else may
//! advance a group.

pub mod address;
pub mod config;
pub mod create_topics;
pub mod dead_letter;
pub mod headers;
pub mod intake;
pub mod kafka;
mod labels;
pub mod listed_topics;
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
pub mod shell;
pub mod stderr;
pub mod stdout;
pub mod text;
pub mod tls;
pub mod topic_collision;

pub use sanitize::Printable;

use std::error::Error;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// An error and its sources on one line, outermost first, as the binaries print it: [`Printable`], because errors quote
/// what came from the network, and [`masked`](address::masked), because they quote addresses. What an error says of its
/// source itself, as those of rdkafka do, is not said again.
///
/// ```
/// let inner = std::io::Error::other("connection refused");
/// assert_eq!(stage::chain(&inner), "connection refused");
/// ```
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            let _ = write!(text, ": {inner_text}");
        }
        source = inner.source();
    }
    Printable(address::masked(&text)).to_string()
}

/// The current time, in milliseconds since 1970 (UTC), the unit of Kafka's timestamps.
pub fn unix_millis() -> i64 {
    unix_micros() / 1_000
}

/// The current time, in microseconds since 1970 (UTC).
pub fn unix_micros() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

/// Locks even if a thread panicked with the lock held: the locked data is consistent between any two statements.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    use super::*;

    #[test]
    fn an_error_that_quotes_its_source_says_it_once() {
        let error = KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
        assert!(error.source().is_some());
        assert_eq!(
            chain(&error),
            "Meta data fetch error: UnknownTopicOrPartition (Broker: Unknown topic or partition)"
        );
    }
}
