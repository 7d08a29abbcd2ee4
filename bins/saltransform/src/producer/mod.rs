//! The producer, in one of two kinds: each record acknowledged by itself (at least once, the default), or records, dead
//! letters and offsets together in transactions (exactly once).

mod acknowledged;
mod alone;
mod calls;
mod refused;
mod reports;
mod sent;
mod tally;
mod transactional;
mod transactional_deliveries;
mod watched;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::Message as _;
use stage::config::KafkaConfigError;
use stage::dead_letter::allow_large;
use stage::intake::{Consumed, TransactionalSink};
use stage::kafka::{SAFE_PRODUCER, Watched};
use stage::reason::Reason;

pub(crate) use acknowledged::{Acknowledged, Returned};
pub(crate) use sent::{Counter, Sent};
pub(crate) use transactional::{Identity, Transactional};

use crate::config::RunArgs;
use crate::schema_cache_entry::Target;

/// The producer's configuration.
pub(crate) fn config(args: &RunArgs) -> Result<ClientConfig, KafkaConfigError> {
    let (idempotence, acks) = if args.disable_producer_acks {
        tracing::warn!(
            "acknowledgements are off: a record counts as produced when it is sent, and may be lost"
        );
        ("false", "0")
    } else {
        ("true", "all")
    };
    let transaction_timeout = args.transaction_timeout.as_millis().to_string();
    let mut config = vec![
        SAFE_PRODUCER[0],
        SAFE_PRODUCER[1],
        ("client.id", "saltransform"),
        ("enable.idempotence", idempotence),
        ("acks", acks),
        ("compression.type", &args.compression),
        // A linger of 5 ms fills batches at the observatory's rates without a noticeable delay.
        ("linger.ms", "5"),
        // A full queue is the back-pressure: 32 MiB, then the workers wait.
        ("queue.buffering.max.kbytes", "32768"),
    ];
    if args.exactly_once {
        // A record must not outlive its transaction.
        config.push(("transaction.timeout.ms", &transaction_timeout));
        // librdkafka 2.12 waits without limit for a group coordinator that the cluster no longer lists, until any
        // broker's connection changes (its issues 5456 and 5511). Closing idle connections makes them change.
        config.push(("connections.max.idle.ms", "2000"));
    } else {
        // Without limit: an unavailable broker is waited for, and the input's offset does not move.
        config.push(("message.timeout.ms", "0"));
    }
    let mut config = args.kafka.client_config(&config)?;
    allow_large(&mut config);
    Ok(config)
}

/// A record to send.
pub(crate) struct Outgoing<'r> {
    pub(crate) topic: &'r str,
    /// The record's own key, or none: then it is its message's.
    pub(crate) key: Option<&'r [u8]>,
    pub(crate) frame: &'r [u8],
}

impl<'r> Outgoing<'r> {
    /// The key to send. A message's own is a copy, because it outlives the message, which librdkafka holds by then.
    fn key_beside(&self, sent: &Sent<'_>) -> Option<Cow<'r, [u8]>> {
        let of_message = || sent.consumed.message.key().map(|key| Cow::Owned(key.to_vec()));
        self.key.map(Cow::Borrowed).or_else(of_message)
    }
}

/// The producer, shared by all workers.
#[derive(Clone)]
pub(crate) enum Producer<'m> {
    /// A message is finished when the broker has its record.
    Acknowledged(Arc<Acknowledged<'m>>),
    /// A message is finished when the transaction with its record is committed.
    Transactional(Arc<Transactional<'m>>),
}

impl<'m> Producer<'m> {
    /// Whether a record for this target can be sent now. A failure within a transaction aborts all of it, so the
    /// transactional producer checks beforehand; otherwise the broker's answer to the record is enough.
    pub(crate) fn accepts(&self, target: &Target) -> bool {
        match self {
            Self::Acknowledged(_) => true,
            Self::Transactional(producer) => producer.accepts(target),
        }
    }

    /// Sends a record, and waits while the queue is full, which is the back-pressure.
    pub(crate) fn send(&self, record: Outgoing<'_>, sent: Sent<'m>) {
        match self {
            Self::Acknowledged(producer) => producer.send(record, sent),
            Self::Transactional(producer) => producer.send(record, sent),
        }
    }

    /// Sends a message to the dead-letter topic.
    pub(crate) fn dead_letter(&self, consumed: Consumed<'m>, reason: Reason, counter: &Counter) {
        match self {
            Self::Acknowledged(producer) => producer.dead_letter(consumed, reason),
            Self::Transactional(producer) => producer.dead_letter(consumed, reason, counter),
        }
    }

    /// Finishes a message that carries nothing.
    pub(crate) fn skip(&self, consumed: Consumed<'m>, reason: &'static str) {
        match self {
            Self::Acknowledged(producer) => producer.skip(consumed, reason),
            Self::Transactional(producer) => producer.skip(consumed, reason),
        }
    }

    /// Serves the delivery reports that are there, and those that come within `timeout`.
    pub(crate) fn poll(&self, timeout: Duration) {
        match self {
            Self::Acknowledged(producer) => producer.poll(timeout),
            Self::Transactional(producer) => producer.poll(timeout),
        }
    }

    /// Returned records, to be sent again or as dead letters.
    pub(crate) fn take_returned(&self) -> Vec<Returned<'m>> {
        match self {
            Self::Acknowledged(producer) => producer.take_returned(),
            Self::Transactional(_) => Vec::new(),
        }
    }

    /// Waits for dead letters that have their own producer.
    pub(crate) fn flush_letters(&self, timeout: Duration) {
        if let Self::Acknowledged(producer) = self {
            producer.flush_letters(timeout);
        }
    }

    /// The clients, which the intake watches.
    pub(crate) fn clients(&self) -> Vec<Arc<dyn Watched + 'm>> {
        match self {
            Self::Acknowledged(producer) => {
                vec![Arc::clone(producer) as Arc<dyn Watched + 'm>, producer.letters()]
            }
            Self::Transactional(producer) => vec![Arc::clone(producer) as Arc<dyn Watched + 'm>],
        }
    }

    /// The transactional producer, whose transactions the intake ends.
    pub(crate) fn transaction(&self) -> Option<Arc<dyn TransactionalSink + 'm>> {
        match self {
            Self::Acknowledged(_) => None,
            Self::Transactional(producer) => Some(Arc::clone(producer) as Arc<dyn TransactionalSink + 'm>),
        }
    }
}

/// The reason of a dead letter whose record the broker refuses.
pub(crate) fn refused_by_broker(detail: String) -> Reason {
    Reason {
        step: "produce",
        reason: "refused_by_broker",
        detail,
    }
}
