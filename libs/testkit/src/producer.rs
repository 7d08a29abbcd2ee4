//! Producers whose deliveries are checked: librdkafka's `flush` succeeds if every record has an outcome, whichever, and a
//! record that was refused would look like one that a stage has lost.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

/// How long [`deliver`] waits.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);

/// A producer for [`deliver`].
pub type Producer = BaseProducer<Deliveries>;

/// The records that were not delivered.
#[derive(Debug, Default)]
pub struct Deliveries {
    failed: Mutex<Vec<String>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let failed = format!("{}: {error}", message.topic());
            self.failed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(failed);
        }
    }
}

/// A producer with these settings.
///
/// # Panics
/// If the settings are invalid.
#[expect(clippy::panic, reason = "the test is wrong")]
pub fn producer(config: &ClientConfig) -> Producer {
    match config.create_with_context(Deliveries::default()) {
        Ok(producer) => producer,
        Err(error) => panic!("a producer with {config:?}: {error}"),
    }
}

/// Waits until all records are delivered.
///
/// # Panics
/// If one is not.
pub fn deliver(producer: &Producer) {
    let flushed = producer.flush(DELIVERY_TIMEOUT);
    assert!(flushed.is_ok(), "within {DELIVERY_TIMEOUT:?}: {flushed:?}");
    let failed = producer.context().failed.lock();
    let failed = failed.unwrap_or_else(PoisonError::into_inner);
    assert!(failed.is_empty(), "not delivered: {failed:?}");
}

#[cfg(test)]
mod tests {
    use devstack::Broker;
    use rdkafka::producer::BaseRecord;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;

    const REFUSED: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;

    fn produce(refusals: &[RDKafkaRespErr]) {
        let broker = Broker::start().unwrap();
        broker.create_topic("t", 1).unwrap();
        broker.fail_next(RDKafkaApiKey::Produce, refusals).unwrap();
        let producer = producer(ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()));
        let record = BaseRecord::<(), str>::to("t").payload("x");
        producer.send(record).map_err(|(error, _)| error).unwrap();
        deliver(&producer);
    }

    #[test]
    fn what_is_delivered_passes() {
        produce(&[]);
    }

    #[test]
    #[should_panic(expected = "not delivered: [\"t: ")]
    fn a_refused_record_is_not_a_success() {
        produce(&[REFUSED]);
    }
}
