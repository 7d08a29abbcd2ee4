//! One producer of a load: sends each message when it is due, and counts acknowledgements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use stage::kafka::OneShotContext;
use stage::reports_to_its_reporter;
use stage::unix_micros;

use super::stamp::Stamp;
use crate::failure::Failure;

/// How long the last messages may take to be acknowledged.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest wait between two messages, so that acknowledgements are served and a stop is noticed.
const POLL_TIMEOUT: Duration = Duration::from_millis(20);

/// The acknowledgements so far; clones share them.
#[derive(Clone, Default)]
pub(super) struct Tally {
    reporter: OneShotContext,
    acknowledged: Arc<AtomicU64>,
}

impl Tally {
    /// Messages that the brokers have acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

reports_to_its_reporter!(Tally);

impl ProducerContext for Tally {
    type DeliveryOpaque = Box<bool>;

    fn delivery(&self, result: &DeliveryResult<'_>, counted: Box<bool>) {
        if *counted && result.is_ok() {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A producer and its part of the load.
pub(super) struct Sender {
    pub(super) config: ClientConfig,
    pub(super) run: u64,
    pub(super) producer: u32,
    pub(super) topics: Vec<String>,
    /// Messages per second in all of its topics together.
    pub(super) rate: f64,
    pub(super) size: usize,
    /// Messages to send in all.
    pub(super) messages: u64,
    pub(super) tally: Tally,
}

impl Sender {
    /// Sends a message to each topic, so that connections, leaders and the producer's id are known before time is measured.
    pub(super) fn warm_up(&self) -> Result<BaseProducer<Tally>, Failure> {
        let client: BaseProducer<Tally> = self
            .config
            .create_with_context(self.tally.clone())
            .map_err(Failure::kafka("making a producer"))?;
        let mut message = self.message();
        for topic in &self.topics {
            self.send(&client, topic, &mut message, Stamp::WARM_UP, 0)?;
        }
        client
            .flush(FLUSH_TIMEOUT)
            .map_err(Failure::kafka("sending the first messages"))?;
        Ok(client)
    }

    /// Sends all messages unless it is stopped; returns how many were sent.
    pub(super) fn run(
        &self,
        client: &BaseProducer<Tally>,
        is_stopped: &(dyn Fn() -> bool + Sync),
    ) -> Result<u64, Failure> {
        let start = unix_micros();
        let mut message = self.message();
        let mut number = 0;
        let mut topics = self.topics.iter().cycle();
        while number < self.messages && !is_stopped() {
            let due = start + (number as f64 / self.rate * 1e6) as i64;
            let wait = due - unix_micros();
            if wait > 0 {
                client.poll(Duration::from_micros(wait.unsigned_abs()).min(POLL_TIMEOUT));
                continue;
            }
            if let Some(topic) = topics.next() {
                self.send(client, topic, &mut message, number, due)?;
            }
            number += 1;
            client.poll(Duration::ZERO);
        }
        // What is not acknowledged by then counts as failed.
        let _ = client.flush(FLUSH_TIMEOUT);
        Ok(number)
    }

    fn message(&self) -> Vec<u8> {
        // Compresses about as well as telemetry.
        (0..self.size).map(|index| (index * 37 % 101) as u8).collect()
    }

    /// Sends one message; while the queue is full, waits for room.
    fn send(
        &self,
        client: &BaseProducer<Tally>,
        topic: &str,
        message: &mut [u8],
        number: u64,
        due: i64,
    ) -> Result<(), Failure> {
        let stamp = Stamp {
            run: self.run,
            producer: self.producer,
            number,
            due,
        };
        stamp.write(message);
        let counted = Box::new(number != Stamp::WARM_UP);
        let mut record = BaseRecord::<(), [u8], _>::with_opaque_to(topic, counted).payload(message);
        loop {
            match client.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    client.poll(POLL_TIMEOUT);
                    record = back;
                }
                Err((source, _)) => {
                    return Err(Failure::Kafka {
                        doing: format!("sending to {topic}"),
                        source,
                    });
                }
            }
        }
    }
}
