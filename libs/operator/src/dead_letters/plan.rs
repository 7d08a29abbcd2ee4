//! What a replay will do, found out before anything is changed.

use std::collections::HashMap;

use serde::Serialize;

use super::dead_letter::{DeadLetter, Place};
use super::deduplication::{Choice, Deduplication};
use super::original::Held;
use super::replay_log::ReplayLog;
use super::selection::Selection;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::progress::Progress;

/// What [`replay`](super::replay()) will do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// By dead-letter topic and topic of origin.
    #[serde(rename = "plan")]
    pub routes: Vec<Route>,
    /// Dead letters that are passed over, as their original was replayed before.
    pub replayed_before: u64,
    /// Of these, the dead letters of replays, which were refused again.
    pub refused_again: u64,
    /// Dead letters that are passed over, as their original is replayed by a newer one.
    pub older: u64,
    #[serde(skip)]
    pub(super) selection: Selection,
    #[serde(skip)]
    pub(super) again: bool,
    #[serde(skip)]
    pub(super) chosen: Vec<Chosen>,
}

/// The originals that dead letters of one topic have in one topic of origin.
#[derive(Debug, Clone, Serialize)]
pub struct Route {
    /// Where the dead letters are.
    pub dead_letter_topic: String,
    /// Where the originals were, and will be again; `-` if that is unknown.
    pub topic: String,
    /// As many dead letters as originals.
    pub letters: u64,
    /// Why they cannot be replayed; none if they will be.
    pub obstacle: Option<&'static str>,
}

/// What is replayed of one dead-letter topic.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) topic: String,
    /// The dead letters, each with its original.
    pub(super) originals: HashMap<Place, String>,
}

/// Finds out what a replay will do. With `again`, it includes originals that were replayed before.
pub fn plan(
    cluster: &Cluster,
    selection: &Selection,
    again: bool,
    report: &dyn Fn(Progress),
) -> Result<Plan, Failure> {
    let mut plan = Plan {
        selection: selection.clone(),
        again,
        ..Plan::default()
    };
    let mut held = Held::default();
    let topics = selection.topics(cluster)?;
    let mut replay_logs = ReplayLog::read_all(cluster, topics.iter().map(|topic| topic.name.as_str()))?;
    let mut by_topic: HashMap<String, Deduplication> = HashMap::new();
    selection.read(cluster, &topics, report, |letter| {
        let obstacle = match obstacle(cluster, &letter) {
            None => held.obstacle(cluster, &letter)?,
            known => known,
        };
        let name = &letter.message.topic;
        let deduplication = by_topic.entry(name.clone()).or_insert_with(|| {
            let replay_log = replay_logs.remove(name).unwrap_or_default();
            Deduplication::new(replay_log, again)
        });
        deduplication.add(&letter, obstacle);
        Ok(())
    })?;
    for topic in topics {
        if let Some(deduplication) = by_topic.remove(&topic.name) {
            plan.add(&topic.name, deduplication.finish());
        }
    }
    Ok(plan)
}

impl Plan {
    /// Whether nothing was selected.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.replayed_before == 0 && self.older == 0
    }

    /// How many dead letters will be replayed.
    pub fn replays(&self) -> u64 {
        self.open_routes().map(|route| route.letters).sum()
    }

    /// Those of its routes on which nothing keeps the originals from being replayed.
    pub fn open_routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(|route| route.obstacle.is_none())
    }

    fn add(&mut self, topic: &str, choice: Choice) {
        self.replayed_before += choice.passed_over.replayed_before;
        self.refused_again += choice.passed_over.refused_again;
        self.older += choice.passed_over.older;
        let routes = choice.routes.into_iter();
        self.routes.extend(routes.map(|((to, obstacle), letters)| Route {
            dead_letter_topic: topic.to_owned(),
            topic: to,
            letters,
            obstacle,
        }));
        if !choice.chosen.is_empty() {
            self.chosen.push(Chosen {
                topic: topic.to_owned(),
                originals: choice.chosen,
            });
        }
    }
}

/// Why a dead letter cannot be replayed.
fn obstacle(cluster: &Cluster, letter: &DeadLetter) -> Option<&'static str> {
    match &letter.origin {
        None => Some("nobody can tell where it came from"),
        Some(origin) if cluster.find_topic(&origin.topic).is_none() => Some("that topic is gone"),
        Some(_) => None,
    }
}
