//! One question for all topics, before a producer's first record.
//!
//! librdkafka learns where a topic is at its first record: it asks for all topics that it does not know yet, again and
//! again, and holds up whoever sends meanwhile. With an observatory's 3,348 topics their first records took minutes, and
//! the answers three times the memory (docs/performance.md). What is learnt here is asked for no more; what is not, is
//! asked for then.

use std::sync::Once;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::Client;

/// How long the question may take.
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a producer has asked.
pub struct TopicPrefetch(Once);

impl TopicPrefetch {
    /// It has not.
    pub const fn unknown() -> Self {
        Self(Once::new())
    }

    /// Asks, the first time; who comes meanwhile waits for the answer. Blocks.
    pub fn learn<C: ClientContext>(&self, client: &Client<C>) {
        self.0.call_once(|| {
            if let Err(error) = client.fetch_metadata(None, METADATA_TIMEOUT) {
                tracing::debug!(%error, "the cluster's topics could not be learnt at once");
            }
        });
    }
}
