//! Why an intake ends before it is asked to.

use rdkafka::error::KafkaError;

use super::worker::WorkerError;
use crate::kafka::GivenUp;

/// The intake cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The consumer cannot be made or subscribed: a wrong setting or expression.
    #[error("cannot consume {topics}")]
    Setup {
        /// What was to be consumed.
        topics: String,
        /// librdkafka's words.
        #[source]
        source: KafkaError,
    },
    /// librdkafka cannot recover; the log says of what, just before.
    #[error("a kafka client cannot go on")]
    Fatal(#[source] Option<KafkaError>),
    /// Where the range starts and ends cannot be found out.
    #[error("cannot find the range's offsets")]
    Range(#[source] KafkaError),
    /// Nothing to read in the range.
    #[error(
        "no partition of {topics} was given to us within a minute: wrong names, or more replicas than partitions"
    )]
    NothingAssigned {
        /// What was to be consumed.
        topics: String,
    },
    /// After an aborted transaction, the consumer cannot be set back.
    #[error("cannot go back to the committed offsets")]
    Rewind(#[source] KafkaError),
    /// A client makes no progress though the cluster works. Another one may.
    #[error("kafka client is stuck: {client}")]
    Stuck {
        /// Its name.
        client: &'static str,
    },
    /// A topic was deleted and recreated, which the clients take for the old one. Others do not.
    #[error("a topic was deleted and recreated")]
    Stale,
    /// A worker cannot go on.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

impl From<GivenUp> for IntakeError {
    fn from(why: GivenUp) -> Self {
        match why {
            GivenUp::Stuck(client) => Self::Stuck { client },
            GivenUp::Stale => Self::Stale,
        }
    }
}
