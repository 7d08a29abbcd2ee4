//! The topic of the greetings, which is created if it does not exist.

use operator::cluster::{Cluster, REQUEST_TIMEOUT};
use operator::failure::Failure;
use stage::config::KafkaArgs;
use stage::create_topics::{Created, Shape, create};

use crate::commands::reach;
use crate::terminal::note;

/// One partition, so that greetings arrive in the order in which they were sent; the brokers' default replication.
const SHAPE: Shape = Shape {
    partitions: 1,
    replication: -1,
};

/// Connects to the cluster and creates the topic if it does not exist.
pub(super) async fn with_topic(kafka: &KafkaArgs, name: &str) -> Result<Cluster, Failure> {
    let cluster = reach(kafka)?;
    if cluster.topic(name).is_ok() {
        return Ok(cluster);
    }
    let doing = format!("creating topic {name}");
    let created = create(&cluster.config(), &[name], SHAPE, &[], REQUEST_TIMEOUT)
        .await
        .map_err(Failure::kafka(doing.clone()))?;
    match created.as_slice() {
        [Created::Refused(code)] => {
            return Err(Failure::Refused {
                what: doing,
                reason: code.to_string(),
                hint: "use an existing topic with --topic; `kafkaefd admin topics list` lists all".to_owned(),
            });
        }
        [Created::New] => note(&format!("created topic {name}")),
        _ => {}
    }
    let (cluster, _) = cluster.wait_for_leaders(&[name])?;
    cluster.topic(name)?;
    Ok(cluster)
}
