//! Deletes topics, and says beforehand how many messages are lost with them.

use crate::cluster::{Cluster, PartitionOffsets, Topic};
use crate::failure::Failure;
use crate::outcome::Outcome;

/// How many messages these topics hold. Fails if that is not known of one of their partitions.
pub fn message_count(cluster: &Cluster, names: &[String]) -> Result<i64, Failure> {
    let topics: Vec<&Topic> = names
        .iter()
        .map(|name| cluster.topic(name))
        .collect::<Result<_, _>>()?;
    let offsets = cluster.offsets_of_topics(&topics)?;
    Ok(offsets.iter().flatten().map(PartitionOffsets::count).sum())
}

/// Deletes topics with all their messages.
pub fn delete(cluster: &Cluster, names: &[String]) -> Result<Vec<Outcome>, Failure> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let admin = cluster.admin()?;
    let answers = Cluster::wait(admin.delete_topics(&names, &Cluster::admin_options()));
    let answers = answers.map_err(Failure::kafka("deleting topics"))?;
    Ok(Outcome::of_deletion("topic", answers))
}
