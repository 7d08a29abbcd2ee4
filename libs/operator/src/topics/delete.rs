//! Deletes topics, and says beforehand how many messages are lost with them and which groups read them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::chunks::in_chunks;
use crate::cluster::{Cluster, PartitionOffsets, Topic};
use crate::failure::Failure;
use crate::groups::{Group, GroupState};
use crate::outcome::Outcome;
use crate::progress::Progress;

/// What is lost with topics, and who reads them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deletion {
    /// How many messages they hold.
    pub messages: i64,
    /// The groups that are reading each of them, by topic; those that nobody reads are left out.
    pub read_by: BTreeMap<String, BTreeSet<String>>,
    /// Why it is not known which groups read them, if it is not.
    pub unknown_readers: Option<String>,
}

/// What became of one topic.
#[derive(Debug, Clone, Serialize)]
pub struct Deleted {
    /// `deleted`, or why not.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The groups that were reading it.
    pub read_by: Vec<String>,
}

/// How many messages these topics hold. Fails if that is not known of one of their partitions.
pub fn message_count(cluster: &Cluster, names: &[String]) -> Result<i64, Failure> {
    let topics: Vec<&Topic> = names
        .iter()
        .map(|name| cluster.topic(name))
        .collect::<Result<_, _>>()?;
    let offsets = cluster.offsets_of_topics(&topics)?;
    Ok(offsets.iter().flatten().map(PartitionOffsets::count).sum())
}

/// What the deletion of these topics means; nothing is changed.
pub fn plan_deletion(cluster: &Cluster, names: &[String]) -> Result<Deletion, Failure> {
    let messages = message_count(cluster, names)?;
    // Not every broker lists groups, nor to every user; topics can be deleted all the same.
    let (read_by, unknown_readers) = match readers(cluster, names) {
        Ok(read_by) => (read_by, None),
        Err(error @ (Failure::Refused { .. } | Failure::Kafka { .. })) => {
            (BTreeMap::new(), Some(stage::chain(&error)))
        }
        Err(error) => return Err(error),
    };
    Ok(Deletion {
        messages,
        read_by,
        unknown_readers,
    })
}

/// Deletes topics with all their messages, and reports after each request how many are done. The outcomes are in the order
/// of `names`.
pub fn delete(
    cluster: &Cluster,
    names: &[String],
    deletion: &Deletion,
    report: &dyn Fn(Progress),
) -> Result<Vec<Deleted>, Failure> {
    let admin = cluster.admin()?;
    let outcomes = in_chunks("deleting topics", "topics", names, report, |chunk| {
        let answers = Cluster::wait(admin.delete_topics(chunk, &Cluster::admin_options()))?;
        Ok(Outcome::of_deletion("topic", chunk, answers))
    })?;
    let with_readers = |outcome: Outcome| Deleted {
        read_by: deletion
            .read_by
            .get(&outcome.name)
            .map(|groups| groups.iter().cloned().collect())
            .unwrap_or_default(),
        outcome,
    };
    Ok(outcomes.into_iter().map(with_readers).collect())
}

/// The groups that are reading these topics: those whose members have or want one of them. Where a group does not tell
/// its members, those that have committed offsets in it.
fn readers(cluster: &Cluster, names: &[String]) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut read_by: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for group in cluster.groups()? {
        let topics = match group.state {
            GroupState::Untold => committed(cluster, &group)?,
            _ => wanted(&group),
        };
        for topic in topics.into_iter().filter(|topic| names.contains(topic.as_str())) {
            read_by.entry(topic).or_default().insert(group.name.clone());
        }
    }
    Ok(read_by)
}

fn wanted(group: &Group) -> BTreeSet<String> {
    let topics = group.members.iter().flat_map(|member| {
        let held = member.partitions.iter().map(|(topic, _)| topic);
        held.chain(&member.topics)
    });
    topics.cloned().collect()
}

fn committed(cluster: &Cluster, group: &Group) -> Result<BTreeSet<String>, Failure> {
    let committed = cluster.committed(&group.name)?;
    Ok(committed.into_keys().map(|(topic, _)| topic).collect())
}
