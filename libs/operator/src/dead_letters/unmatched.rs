//! Why a selection selects nothing: a condition with a value that no dead letter has is a misspelt one.

use std::collections::BTreeSet;

use super::DeadLetter;
use super::selection::Selection;
use crate::cluster::Cluster;
use crate::failure::{Failure, nearest};
use crate::progress::Progress;

/// No more values are kept: they are for suggestions only, and come from outside.
const MAX_VALUES: usize = 1_000;

/// The value of a dead letter that a condition compares.
type HeaderOf = fn(&DeadLetter) -> &str;

/// A condition and the values that there are instead.
struct Condition<'s> {
    kind: &'static str,
    wanted: &'s str,
    value: HeaderOf,
    found: BTreeSet<String>,
}

/// The condition of a selection whose value no dead letter has, at any time; none if there are no dead letters, or if its
/// values exist, but not together. For a selection that selects nothing: it reads the topics again.
pub fn unmatched(
    cluster: &Cluster,
    selection: &Selection,
    report: &dyn Fn(Progress),
) -> Result<Option<Failure>, Failure> {
    let named: [(_, _, HeaderOf); 3] = [
        ("dead letter of stage", &selection.stage, |letter| {
            letter.header("stage")
        }),
        ("dead letter with reason", &selection.reason, |letter| {
            letter.header("reason")
        }),
        ("dead letter from topic", &selection.topic, DeadLetter::topic),
    ];
    let given = named.into_iter().filter_map(|(kind, wanted, value)| {
        Some(Condition {
            kind,
            wanted: wanted.as_deref()?,
            value,
            found: BTreeSet::new(),
        })
    });
    let mut conditions: Vec<Condition<'_>> = given.collect();
    if conditions.is_empty() {
        return Ok(None);
    }
    let everything = Selection {
        topics: selection.topics.clone(),
        ..Selection::default()
    };
    let mut letters = 0_u64;
    everything.read(cluster, &everything.topics(cluster)?, report, |letter| {
        letters += 1;
        for condition in &mut conditions {
            let value = (condition.value)(&letter);
            if condition.found.len() < MAX_VALUES && !condition.found.contains(value) {
                condition.found.insert(value.to_owned());
            }
        }
        Ok(())
    })?;
    let missing = conditions
        .into_iter()
        .find(|condition| letters > 0 && !condition.found.contains(condition.wanted));
    Ok(missing.map(
        |Condition {
             kind, wanted, found, ..
         }| Failure::Unknown {
            kind,
            name: wanted.to_owned(),
            nearest: nearest(wanted, found.iter().map(String::as_str)),
            list: "kafkaefd dead-letters list",
        },
    ))
}
