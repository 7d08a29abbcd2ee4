//! The traffic's producers: they record acknowledgements in the ledger and return what librdkafka refuses.

use std::sync::{Arc, mpsc};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Message};
use stage::lock;

use crate::failure::{Failure, Outcome};
use crate::ledger::{Origin, SharedLedger};

/// Records acknowledgements in the ledger.
pub(crate) struct Acknowledged {
    ledger: SharedLedger,
    /// Receives what has to be sent again.
    refused: mpsc::Sender<Refused>,
}

/// A message that librdkafka refused because it knew an older form of the topic.
pub(crate) struct Refused {
    pub(crate) topic: String,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) entry: usize,
}

/// Not the number of any entry.
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
                "the sender itself: message {number} is not acknowledged: {error}"
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

/// A recreated topic has other partitions for a moment, or none.
fn is_of_an_older_topic(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    matches!(
        error.rdkafka_error_code(),
        Some(UnknownPartition | UnknownTopic | UnknownTopicOrPartition)
    )
}
