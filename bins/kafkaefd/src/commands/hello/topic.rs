//! The topic of the greetings: there, or made.

use std::time::Instant;

use stage::config::KafkaArgs;
use stage::topics::{Created, Shape, create};

use crate::commands::reach;
use crate::terminal::note;
use operator::cluster::{Cluster, PATIENCE};
use operator::failure::Failure;

/// One partition, so that greetings come in the order in which they were sent; copies as the brokers have it.
const SHAPE: Shape = Shape {
    partitions: 1,
    replication: -1,
};

/// The cluster, with the topic in it.
pub(super) async fn with_topic(kafka: &KafkaArgs, name: &str) -> Result<Cluster, Failure> {
    let mut cluster = reach(kafka)?;
    if cluster.topic(name).is_ok() {
        return Ok(cluster);
    }
    let doing = format!("making topic {name}");
    let created = create(&cluster.config(), &[name], SHAPE, &[], PATIENCE)
        .await
        .map_err(Failure::kafka(doing.clone()))?;
    match created.as_slice() {
        [Created::Refused(code)] => {
            return Err(Failure::Refused {
                what: doing,
                reason: code.to_string(),
                hint: "a topic that exists: --topic, `kafkaefd admin topics list` lists all".to_owned(),
            });
        }
        [Created::New] => note(&format!("made topic {name}")),
        _ => {}
    }
    // Brokers learn of it from the controller, each in its time.
    let start = Instant::now();
    let leads = |cluster: &Cluster| {
        cluster
            .topic(name)
            .is_ok_and(|topic| topic.partitions.iter().all(|partition| partition.leader >= 0))
    };
    while !leads(&cluster) && start.elapsed() < PATIENCE {
        cluster = reach(kafka)?;
    }
    cluster.topic(name)?;
    Ok(cluster)
}
