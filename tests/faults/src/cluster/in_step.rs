//! Whether all replicas are in sync; and where they are not in time, which brokers lag, whether their processes live, and
//! what they have logged.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rdkafka::metadata::Metadata;

use super::Cluster;
use crate::failure::{Failure, Outcome, until};
use crate::instance::Instance;

impl Cluster {
    /// Waits until every partition has a leader and all replicas in sync.
    pub(crate) async fn wait_in_step(&self, instance: &Instance, seconds: u64) -> Outcome<()> {
        let waited = until("all replicas are in sync", seconds, || async {
            let metadata = self.metadata().map_err(|error| stage::chain(&error))?;
            let partitions = metadata.topics().iter().flat_map(|topic| {
                let partitions = topic.partitions().iter();
                partitions.map(|partition| (topic.name(), partition))
            });
            let mut behind = partitions
                .filter(|(_, partition)| partition.leader() < 1 || partition.isr().len() < self.copies());
            match behind.next() {
                None if metadata.brokers().len() == self.brokers => Ok(()),
                None => Err(format!("{} brokers", metadata.brokers().len())),
                Some((topic, partition)) => Err(format!(
                    "{} partitions out of sync, such as {topic}[{}]",
                    1 + behind.count(),
                    partition.id()
                )),
            }
        });
        waited
            .await
            .map_err(|failure| self.with_evidence(instance, failure))
    }

    /// What is known of the brokers that are behind, beside what was waited for in vain.
    fn with_evidence(&self, instance: &Instance, failure: Failure) -> Failure {
        match failure {
            Failure::Late {
                what,
                seconds,
                mut state,
            } => {
                match self.metadata() {
                    Ok(metadata) => {
                        for (broker, why) in absent(&metadata, self.brokers) {
                            let service = self.service(broker);
                            // A `String` can always be written to.
                            let _ = write!(state, "\n{service} {why}; {}", instance.condition(&service));
                        }
                    }
                    Err(error) => {
                        for service in self.services() {
                            let _ = write!(state, "\n{service}: {}", instance.condition(&service));
                        }
                        let _ = write!(state, "\n{}", stage::chain(&error));
                    }
                }
                Failure::Late { what, seconds, state }
            }
            other => other,
        }
    }
}

/// The brokers that are not listed, or are not in sync in all of their partitions.
fn absent(metadata: &Metadata, brokers: usize) -> BTreeMap<i32, String> {
    let mut behind: BTreeMap<i32, usize> = BTreeMap::new();
    for topic in metadata.topics() {
        for partition in topic.partitions() {
            for replica in partition.replicas() {
                *behind.entry(*replica).or_default() += usize::from(!partition.isr().contains(replica));
            }
        }
    }
    let is_listed = |broker: i32| metadata.brokers().iter().any(|listed| listed.id() == broker);
    let why = |broker: i32| match behind.get(&broker) {
        _ if !is_listed(broker) => Some((broker, "is not listed by the others".to_owned())),
        Some(0) | None => None,
        Some(count) => Some((broker, format!("is out of sync in {count} partitions"))),
    };
    (1..=brokers as i32).filter_map(why).collect()
}
