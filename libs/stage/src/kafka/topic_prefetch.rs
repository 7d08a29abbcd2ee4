//! One metadata request for all topics, before a producer's first record.
//!
//! librdkafka learns the leaders of a topic with its first record: it repeatedly requests all topics that it does not
//! know yet, and blocks the sender meanwhile. With an observatory's 3,348 topics, their first records took minutes, and
//! the responses took three times the memory (docs/performance.md). Topics that are learnt here are not requested
//! again; others are requested then.
//!
//! From then on librdkafka knows the leaders of topics that it may write to much later. If such a topic is recreated
//! meanwhile, it ignores the new leaders ([`GivenUp::Stale`](super::GivenUp)); so the topics' ids are noted as well.

use std::collections::HashMap;
use std::sync::Once;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::KafkaResult;

use super::native::{self, TopicId};
use super::unacknowledged::Unacknowledged;

/// The time for each request.
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a producer has made the request.
pub struct TopicPrefetch(Once);

impl TopicPrefetch {
    /// The request has not been made.
    pub const fn unknown() -> Self {
        Self(Once::new())
    }

    /// Makes the request on the first call; concurrent calls wait for it. Blocks.
    pub fn learn<C: ClientContext>(&self, client: &Client<C>, topics: &Unacknowledged) {
        self.0.call_once(|| match prefetch(client) {
            Ok(ids) => topics.prefetched(ids),
            Err(error) => {
                tracing::debug!(%error, "metadata of all topics could not be fetched at once");
            }
        });
    }
}

/// Has the client fetch the metadata of all topics, and returns their ids.
fn prefetch<C: ClientContext>(client: &Client<C>) -> KafkaResult<HashMap<String, TopicId>> {
    let metadata = client.fetch_metadata(None, METADATA_TIMEOUT)?;
    let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
    native::topic_ids(client, names, METADATA_TIMEOUT)
}
