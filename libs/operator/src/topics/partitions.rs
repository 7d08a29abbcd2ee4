//! Gives a topic more partitions. Kafka takes none away, and the messages of a key may go to another partition.

use rdkafka::admin::NewPartitions;
use serde::Serialize;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::outcome::refusal;
use crate::text::plural;

/// More partitions for a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Widening {
    /// The topic.
    pub topic: String,
    /// How many partitions it has.
    pub before: usize,
    /// How many it is to have.
    pub after: usize,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Widened {
    /// From where to where.
    #[serde(flatten)]
    pub widening: Widening,
    /// Whether the brokers checked it and changed nothing.
    pub dry_run: bool,
}

/// Plans that the topic has `count` partitions. Fails if it has as many already.
pub fn plan_partitions(cluster: &Cluster, topic: &str, count: usize) -> Result<Widening, Failure> {
    let before = cluster.topic(topic)?.partitions.len();
    if count <= before {
        return Err(Failure::Refused {
            what: format!("giving {topic} {}", plural(count, "partition")),
            reason: format!("it has {before}, and Kafka takes none away"),
            hint: format!("a count above {before}, or a new topic"),
        });
    }
    Ok(Widening {
        topic: topic.to_owned(),
        before,
        after: count,
    })
}

/// Adds the partitions; with `dry_run` the brokers check the request and change nothing.
pub fn add_partitions(cluster: &Cluster, widening: Widening, dry_run: bool) -> Result<Widened, Failure> {
    let doing = format!("going {}", widening.summary());
    let admin = cluster.admin()?;
    let wanted = [NewPartitions::new(&widening.topic, widening.after)];
    let options = Cluster::admin_options().validate_only(dry_run);
    let answers =
        Cluster::wait(admin.create_partitions(&wanted, &options)).map_err(Failure::kafka(doing.clone()))?;
    if let Some(reason) = refusal(answers) {
        return Err(Failure::Refused {
            what: doing,
            reason,
            hint: "`kafkaefd admin brokers` shows whether all brokers are there".to_owned(),
        });
    }
    Ok(Widened { widening, dry_run })
}

impl Widening {
    /// In words: `from 2 to 4 partitions for mytopic`.
    pub fn summary(&self) -> String {
        format!(
            "from {} to {} for {}",
            self.before,
            plural(self.after, "partition"),
            self.topic
        )
    }
}
