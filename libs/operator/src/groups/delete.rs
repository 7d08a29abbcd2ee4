//! Deletes groups, and says beforehand which offsets are lost with them.

use std::collections::BTreeSet;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::outcome::Outcome;

/// What is forgotten when groups are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// Partitions in which they have committed offsets.
    pub partitions: usize,
    /// Topics in which they have.
    pub topics: usize,
}

/// What the deletion of these groups would lose. Refused while anybody is in one of them.
pub fn forgotten(cluster: &Cluster, groups: &[String]) -> Result<Forgotten, Failure> {
    let mut partitions = 0;
    let mut topics = BTreeSet::new();
    for name in groups {
        cluster.group(name)?.refuse_active("deleting")?;
        let committed = cluster.committed(name)?;
        partitions += committed.len();
        topics.extend(committed.into_keys().map(|(topic, _)| topic));
    }
    Ok(Forgotten {
        partitions,
        topics: topics.len(),
    })
}

/// Deletes groups with the offsets that they have committed; the brokers refuse it for groups with members.
pub fn delete(cluster: &Cluster, groups: &[String]) -> Result<Vec<Outcome>, Failure> {
    let names: Vec<&str> = groups.iter().map(String::as_str).collect();
    let admin = cluster.admin()?;
    let answers = Cluster::wait(admin.delete_groups(&names, &Cluster::admin_options()));
    let answers = answers.map_err(Failure::kafka("deleting groups"))?;
    Ok(Outcome::of_deletion("group", &names, answers))
}
