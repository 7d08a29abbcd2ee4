//! Waiting for the leaders of topics that were just created.

use std::time::{Duration, Instant};

use super::{Cluster, REQUEST_TIMEOUT};
use crate::failure::Failure;

const RETRY_INTERVAL: Duration = Duration::from_millis(100);

impl Cluster {
    /// Waits until every partition of these topics has a leader: a creation is answered before leaders are elected, and
    /// each broker learns of them in its own time. Returns the cluster as it is then, and how many of the topics still lack
    /// a leader.
    pub fn wait_for_leaders<N: AsRef<str>>(&self, names: &[N]) -> Result<(Self, usize), Failure> {
        let start = Instant::now();
        loop {
            let cluster = self.refreshed()?;
            let lacking = names.iter().filter(|name| !cluster.leads(name.as_ref())).count();
            if lacking == 0 || start.elapsed() > REQUEST_TIMEOUT {
                return Ok((cluster, lacking));
            }
            std::thread::sleep(RETRY_INTERVAL);
        }
    }

    fn leads(&self, name: &str) -> bool {
        self.find_topic(name).is_some_and(|topic| {
            !topic.partitions.is_empty() && topic.partitions.iter().all(|partition| partition.leader >= 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use devstack::Broker;
    use stage::config::KafkaArgs;

    use super::*;

    #[test]
    fn new_topics_have_leaders() {
        let broker = Broker::start().unwrap();
        let cluster = Cluster::reach(&KafkaArgs::at(broker.bootstrap_servers())).unwrap();
        broker.create_topic("new", 2).unwrap();
        assert!(cluster.topic("new").is_err());
        let (cluster, lacking) = cluster.wait_for_leaders(&["new"]).unwrap();
        assert_eq!(lacking, 0);
        assert_eq!(cluster.topic("new").unwrap().partitions.len(), 2);
    }
}
