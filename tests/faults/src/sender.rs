//! The traffic's producers: they note acknowledgements in the ledger, and give back what librdkafka refuses.

use std::sync::{Arc, mpsc};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Message};
use stage::lock;

use crate::failure::{Failure, Outcome};
use crate::ledger::{Origin, SharedLedger};

/// Notes acknowledgements in the ledger.
pub(crate) struct Acknowledged {
    ledger: SharedLedger,
    /// Takes what is to be sent again.
    refused: mpsc::Sender<Refused>,
}

/// What librdkafka has refused, as it knew an older form of the topic.
pub(crate) struct Refused {
    pub(crate) topic: String,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) entry: usize,
}

/// The number of no entry.
pub(crate) const NOBODY: usize = usize::MAX;

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<usize>) {
        match result {
            Ok(_) if *number == NOBODY => {}
            Ok(message) => lock(&self.ledger).acknowledge(
                *number,
                Origin {
                    topic: message.topic().into(),
                    partition: message.partition(),
                    offset: message.offset(),
                },
            ),
            Err((error, message)) if *number != NOBODY && is_of_an_older_topic(error) => {
                let refused = Refused {
                    topic: message.topic().into(),
                    value: message.payload().map(Into::into),
                    entry: *number,
                };
                let _ = self.refused.send(refused);
            }
            Err((error, _)) => lock(&self.ledger).complain(format!(
                "the sender's own: message {number} is not acknowledged: {error}"
            )),
        }
    }
}

pub(crate) fn create(
    config: &ClientConfig,
    ledger: &SharedLedger,
    refused: &mpsc::Sender<Refused>,
) -> Outcome<ThreadedProducer<Acknowledged>> {
    let (ledger, refused) = (Arc::clone(ledger), refused.clone());
    let producer = config.create_with_context(Acknowledged { ledger, refused });
    producer.map_err(Failure::kafka("make the sender's producer"))
}

/// A topic that is made anew has other partitions for a moment, or none.
fn is_of_an_older_topic(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    matches!(
        error.rdkafka_error_code(),
        Some(UnknownPartition | UnknownTopic | UnknownTopicOrPartition)
    )
}
