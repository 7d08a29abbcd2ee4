//! Topics that cannot exist beside each other: in the names of its metrics Kafka writes `_` for `.`, so brokers refuse to
//! create a topic whose name differs from another's in nothing else. The topics of SAL's two dialects do:
//! `lsst.sal.Test_scalars` and `lsst.sal.Test.scalars`. Brokers do not say which topic is in the way; this does.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::KafkaResult;

/// A topic that cannot be created, and the one that is in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicCollision {
    /// The wanted topic.
    pub topic: String,
    /// The topic that exists.
    pub existing: String,
}

impl fmt::Display for TopicCollision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, existing } = self;
        write!(
            f,
            "topic {topic} cannot exist beside {existing}: to Kafka '.' and '_' in a topic's name are the same, so the dialects \
             efd and ts_xml need a --subname each, or a Kafka each"
        )
    }
}

/// Those of `wanted` that do not exist and cannot be created beside the topics that exist.
pub fn collisions<'w>(
    wanted: impl IntoIterator<Item = &'w str>,
    existing: impl IntoIterator<Item = impl AsRef<str>>,
) -> Vec<TopicCollision> {
    let mut by_folded: HashMap<String, Vec<String>> = HashMap::new();
    for name in existing {
        let name = name.as_ref();
        by_folded.entry(folded(name)).or_default().push(name.to_owned());
    }
    let collision = |topic: &str| {
        let alike = by_folded.get(&folded(topic))?;
        let is_there = alike.iter().any(|name| name == topic);
        let existing = alike.first().filter(|_| !is_there)?.clone();
        Some(TopicCollision {
            topic: topic.to_owned(),
            existing,
        })
    };
    wanted.into_iter().filter_map(collision).collect()
}

/// The same against the cluster's topics. Blocks for at most `timeout`.
pub fn collisions_at<'w, C: ClientContext>(
    client: &Client<C>,
    wanted: impl IntoIterator<Item = &'w str>,
    timeout: Duration,
) -> KafkaResult<Vec<TopicCollision>> {
    let metadata = client.fetch_metadata(None, timeout)?;
    Ok(collisions(
        wanted,
        metadata.topics().iter().map(|topic| topic.name()),
    ))
}

fn folded(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_in_the_way_is_named() {
        let existing = ["lsst.sal.Test_scalars", "lsst.sal.Test.other", "x", "a.b", "a_b_"];
        let wanted = ["lsst.sal.Test.scalars", "lsst.sal.Test.other", "y", "a_b", "a.b_"];
        let found: Vec<_> = collisions(wanted, existing)
            .into_iter()
            .map(|found| (found.topic, found.existing))
            .collect();
        let pairs = [
            ("lsst.sal.Test.scalars", "lsst.sal.Test_scalars"),
            ("a_b", "a.b"),
            ("a.b_", "a_b_"),
        ];
        assert_eq!(
            found,
            pairs.map(|(one, other)| (one.to_owned(), other.to_owned()))
        );
    }
}
