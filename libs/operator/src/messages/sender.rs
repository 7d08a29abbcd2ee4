//! Sends messages and keeps account of each: it has arrived, or there is a reason why not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};
use serde::Serialize;
use stage::intake::transaction_failure;
use stage::kafka::{OneShotContext, record_refusal};
use stage::lock;
use stage::reports_to_its_reporter;

use super::message::Header;
use crate::failure::Failure;

/// How long a message may be in flight before it counts as not delivered.
const REQUEST_TIMEOUT: &str = "60000";

/// How long one wait for messages in flight lasts before it is seen whether there is still something to wait for.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// What is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outgoing<'m> {
    /// Where to.
    pub topic: &'m str,
    /// Left to Kafka without one: by the key, or any.
    pub partition: Option<i32>,
    /// Keeps messages in order.
    pub key: Option<&'m [u8]>,
    /// None makes a tombstone.
    pub value: Option<&'m [u8]>,
    /// In their order.
    pub headers: &'m [Header],
}

/// Where a message lies in its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Position {
    /// The partition's number.
    pub partition: i32,
    /// Where in the partition.
    pub offset: i64,
}

/// A message that has not arrived.
#[derive(Debug)]
pub struct Lost {
    /// The number that it was sent with.
    pub number: u64,
    /// Why.
    pub error: KafkaError,
    /// The same as text, with what to do about it.
    pub reason: String,
}

/// Sends messages, each with a number by which its failure is reported.
pub struct Sender {
    producer: BaseProducer<Account>,
}

/// What became of the messages; the producer's context.
#[derive(Default)]
pub struct Account {
    reporter: OneShotContext,
    delivered: AtomicU64,
    newest: Mutex<Option<Position>>,
    lost: Mutex<Vec<Lost>>,
}

impl Sender {
    /// A producer with this configuration, which should be [`crate::cluster::Cluster::producer_config`]'s with what the
    /// command adds.
    pub fn new(mut config: ClientConfig) -> Result<Self, Failure> {
        if config.get("message.timeout.ms").is_none() && config.get("transactional.id").is_none() {
            config.set("message.timeout.ms", REQUEST_TIMEOUT);
        }
        Ok(Self {
            producer: config
                .create_with_context(Account::default())
                .map_err(Failure::kafka("making a producer"))?,
        })
    }

    /// The producer itself, for transactions.
    pub fn producer(&self) -> &BaseProducer<Account> {
        &self.producer
    }

    /// Sends one; waits while too many are in flight. What Kafka's client refuses at once counts as lost.
    pub fn send(&self, message: &Outgoing<'_>, number: u64) {
        let mut record = BaseRecord::<[u8], [u8], Box<u64>>::with_opaque_to(message.topic, Box::new(number));
        if let Some(partition) = message.partition {
            record = record.partition(partition);
        }
        if let Some(key) = message.key {
            record = record.key(key);
        }
        if let Some(value) = message.value {
            record = record.payload(value);
        }
        if !message.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(message.headers.len());
            record = record.headers(message.headers.iter().fold(headers, |headers, (key, value)| {
                headers.insert(rdkafka::message::Header {
                    key,
                    value: value.as_deref(),
                })
            }));
        }
        while let Err((error, returned)) = self.producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                let reason = stage::chain(&error);
                lock(&self.account().lost).push(Lost {
                    number,
                    error,
                    reason,
                });
                return;
            }
            self.producer.poll(Duration::from_millis(100));
            record = returned;
        }
        self.producer.poll(Duration::ZERO);
    }

    /// Sends one while no other is in flight, and waits until it has arrived.
    pub fn deliver(&self, message: &Outgoing<'_>) -> Result<Position, KafkaError> {
        self.send(message, 0);
        self.settle();
        let newest = lock(&self.account().newest).take();
        match (self.take_lost().pop(), newest) {
            (None, Some(position)) => Ok(position),
            (lost, _) => Err(lost.map_or(KafkaError::Canceled, |lost| lost.error)),
        }
    }

    /// Takes in what the brokers have said of messages, waiting for it if asked to.
    pub fn poll(&self, wait: Duration) {
        self.producer.poll(wait);
    }

    /// Waits until each message has arrived or is lost.
    pub fn settle(&self) {
        while self.producer.in_flight_count() > 0 {
            if self.producer.client().fatal_error().is_some() {
                // Nothing goes out any more, and nothing is worth waiting for.
                self.producer.purge(PurgeConfig::default().queue().inflight());
            }
            // Its own patience ends every message's way, so that this ends, too.
            let _ = self.producer.flush(FLUSH_TIMEOUT);
            // What is reported already is not flushed.
            self.producer.poll(Duration::ZERO);
        }
    }

    /// The same for the messages of an open transaction, which are not waited for once it has failed: only its abort reports
    /// all of them. Returns why it has.
    pub fn settle_transaction(&self) -> Option<KafkaError> {
        loop {
            let failure = transaction_failure(&self.producer);
            if failure.is_some() || self.producer.flush(FLUSH_TIMEOUT).is_ok() {
                return failure;
            }
        }
    }

    /// How many have arrived so far.
    pub fn delivered(&self) -> u64 {
        self.account().delivered.load(Ordering::Relaxed)
    }

    /// Those that are lost since this was asked last, by number.
    pub fn take_lost(&self) -> Vec<Lost> {
        let mut lost = std::mem::take(&mut *lock(&self.account().lost));
        lost.sort_by_key(|lost| lost.number);
        lost
    }

    fn account(&self) -> &Account {
        self.producer.context()
    }
}

reports_to_its_reporter!(Account);

impl ProducerContext for Account {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<u64>) {
        match result {
            Ok(message) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
                *lock(&self.newest) = Some(Position {
                    partition: message.partition(),
                    offset: message.offset(),
                });
            }
            Err((error, message)) => lock(&self.lost).push(Lost {
                number: *number,
                error: error.clone(),
                reason: record_refusal(error, message.topic(), message.key().is_some()),
            }),
        }
    }
}
