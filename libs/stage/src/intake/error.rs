//! Why an intake ends by itself.

use rdkafka::error::KafkaError;

use crate::kafka::GivenUp;

/// The intake cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The consumer cannot be created or subscribed: an invalid setting or expression.
    #[error("cannot consume {topics}")]
    Setup {
        /// What was to be consumed.
        topics: String,
        /// librdkafka's message.
        #[source]
        source: KafkaError,
    },
    /// librdkafka cannot recover; the preceding log line has the cause.
    #[error("a kafka client cannot continue")]
    Fatal(#[source] Option<KafkaError>),
    /// The start and end of the range cannot be determined.
    #[error("cannot find the range's offsets")]
    Range(#[source] KafkaError),
    /// Nothing to read in the range.
    #[error(
        "no partition of {topics} was assigned within a minute: wrong names, or more replicas than partitions"
    )]
    NothingAssigned {
        /// What was to be consumed.
        topics: String,
    },
    /// The consumer cannot seek back after an aborted transaction.
    #[error("cannot go back to the committed offsets")]
    Rewind(#[source] KafkaError),
    /// A client makes no progress although the cluster works. Another one may.
    #[error("kafka client is stuck: {client}")]
    Stuck {
        /// Its name.
        client: &'static str,
    },
    /// A topic was deleted and recreated, and the clients still use the old one. New clients do not.
    #[error("a topic was deleted and recreated")]
    Stale,
    /// The transactional producer cannot continue. Its open transaction is aborted, and a new producer can.
    #[error("the transactional producer cannot continue")]
    Transactions {
        /// Whether it has committed a transaction before.
        has_committed: bool,
        /// Why it cannot.
        #[source]
        source: KafkaError,
    },
    /// A worker cannot continue.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// A worker cannot continue. Everything it has not finished is read again by the next process.
#[derive(Debug, thiserror::Error)]
#[error("worker cannot continue")]
pub struct WorkerError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl WorkerError {
    /// A worker that stops because of `error`.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl From<GivenUp> for IntakeError {
    fn from(why: GivenUp) -> Self {
        match why {
            GivenUp::Stuck(client) => Self::Stuck { client },
            GivenUp::Stale => Self::Stale,
        }
    }
}
