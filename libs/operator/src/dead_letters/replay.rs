//! Replays dead letters: writes each original back to its topic, once.

use super::original;
use super::plan::{Chosen, Plan};
use super::replay_log::{self, ReplayLog};
use super::replay_transaction::{self, Transactions};
use super::replayed::Replayed;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::progress::Progress;

/// How far a replay has come.
#[derive(Debug, Clone, Copy)]
pub enum Step<'s> {
    /// It begins with this dead-letter topic.
    Topic(&'s str),
    /// It reads the topic.
    Read(Progress),
    /// So many originals of the topic are in their topics again.
    Replayed(u64),
}

/// Does what a plan says, except for what somebody else has replayed meanwhile. Once `is_interrupted` is true, what was
/// read up to then is still replayed, and nothing more is.
pub fn replay(
    cluster: &Cluster,
    plan: &Plan,
    is_interrupted: &dyn Fn() -> bool,
    report: &dyn Fn(Step<'_>),
) -> Result<Replayed, Failure> {
    let mut all = Replayed::default();
    for chosen in &plan.chosen {
        let replayed = replay_topic(cluster, plan, chosen, is_interrupted, report)?;
        all.replayed += replayed.replayed;
        all.replayed_meanwhile += replayed.replayed_meanwhile;
        all.refused.extend(replayed.refused);
    }
    Ok(all)
}

fn replay_topic(
    cluster: &Cluster,
    plan: &Plan,
    chosen: &Chosen,
    is_interrupted: &dyn Fn() -> bool,
    report: &dyn Fn(Step<'_>),
) -> Result<Replayed, Failure> {
    replay_log::ensure_topic(cluster, &chosen.topic)?;
    // From here on no other replay of this topic can commit: the replay log is complete.
    let sender = replay_transaction::begin(cluster, &chosen.topic)?;
    let cluster = cluster.refreshed()?;
    let replay_log = if plan.again {
        ReplayLog::default()
    } else {
        ReplayLog::read(&cluster, &chosen.topic)?
    };
    let topic = cluster.topic(&chosen.topic)?;
    report(Step::Topic(&chosen.topic));
    let mut transactions = Transactions::new(&cluster, sender, &chosen.topic);
    let read = |progress| report(Step::Read(progress));
    plan.selection.read(&cluster, &[topic], &read, |letter| {
        let Some(original) = chosen.originals.get(&letter.place()) else {
            return Ok(());
        };
        if replay_log.has(&letter) || replay_log.has_original(original) {
            transactions.pass_over();
            return Ok(());
        }
        if is_interrupted() {
            return Ok(());
        }
        let address = letter.address();
        match original::complete(&cluster, letter)? {
            Ok(letter) => transactions.add(letter, original.clone())?,
            Err(reason) => transactions.refuse(address, reason.to_owned()),
        }
        report(Step::Replayed(transactions.replayed()));
        Ok(())
    })?;
    transactions.finish()
}
