//! One metadata request for all topics, before a producer's first record.
//!
//! librdkafka learns the leaders of a topic with its first record: it repeatedly requests all topics that it does not
//! know yet, and blocks the sender meanwhile. With an observatory's 3,348 topics, their first records took minutes, and
//! the responses took three times the memory (docs/performance.md). Topics that are learnt here are not requested
//! again; others are requested then.

use std::sync::Once;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::Client;

/// The time for the request.
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a producer has made the request.
pub struct TopicPrefetch(Once);

impl TopicPrefetch {
    /// The request has not been made.
    pub const fn unknown() -> Self {
        Self(Once::new())
    }

    /// Makes the request on the first call; concurrent calls wait for it. Blocks.
    pub fn learn<C: ClientContext>(&self, client: &Client<C>) {
        self.0.call_once(|| {
            if let Err(error) = client.fetch_metadata(None, METADATA_TIMEOUT) {
                tracing::debug!(%error, "metadata of all topics could not be fetched at once");
            }
        });
    }
}
