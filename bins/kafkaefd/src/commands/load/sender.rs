//! One producer of the load: sends each message when it is due, and counts what the brokers say of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use stage::kafka::OneShotContext;
use stage::reports_to_its_reporter;
use stage::service::Shutdown;
use stage::unix_micros;

use super::stamp::Stamp;
use operator::failure::Failure;

/// How long the last messages may take to be acknowledged.
const FLUSH: Duration = Duration::from_secs(30);
/// The longest sleep between two messages, so that acknowledgements are heard and a stop is seen.
const NAP: Duration = Duration::from_millis(20);

/// What the brokers said so far; shared with who shows it.
#[derive(Clone, Default)]
pub(super) struct Tally {
    reporter: OneShotContext,
    acknowledged: Arc<AtomicU64>,
}

impl Tally {
    /// Messages that the brokers have.
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
    /// Messages a second, over all of its topics.
    pub(super) rate: f64,
    pub(super) size: usize,
    /// Messages to send in all.
    pub(super) messages: u64,
    pub(super) tally: Tally,
}

impl Sender {
    /// A message to each topic, so that connections, leaders and the producer's id are there before the clock runs.
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
            .flush(FLUSH)
            .map_err(Failure::kafka("sending the first messages"))?;
        Ok(client)
    }

    /// Sends until all is sent or the stop is asked for; answers how many were sent.
    pub(super) fn run(&self, client: &BaseProducer<Tally>, stop: &Shutdown) -> Result<u64, Failure> {
        let start = unix_micros();
        let mut message = self.message();
        let mut number = 0;
        let mut topics = self.topics.iter().cycle();
        while number < self.messages && !stop.is_set() {
            let due = start + (number as f64 / self.rate * 1e6) as i64;
            let wait = due - unix_micros();
            if wait > 0 {
                client.poll(Duration::from_micros(wait.unsigned_abs()).min(NAP));
                continue;
            }
            if let Some(topic) = topics.next() {
                self.send(client, topic, &mut message, number, due)?;
            }
            number += 1;
            client.poll(Duration::ZERO);
        }
        // What is not acknowledged by then was not taken.
        let _ = client.flush(FLUSH);
        Ok(number)
    }

    fn message(&self) -> Vec<u8> {
        // Something that compresses about as well as telemetry does.
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
                    client.poll(NAP);
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
