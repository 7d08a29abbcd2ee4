//! The result of a replay: the transactions count it for each topic, and the replay adds it up.

use serde::Serialize;

use super::plan::Plan;

/// What a replay did.
#[derive(Debug, Default, Serialize)]
pub struct Replayed {
    /// Originals that are in their topics again.
    pub replayed: u64,
    /// Dead letters that another replay replayed after this one was planned.
    pub replayed_meanwhile: u64,
    /// Dead letters that were not replayed.
    pub refused: Vec<Refused>,
}

/// A dead letter that was not replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its address, `topic/partition/offset`.
    pub letter: String,
    /// As Kafka words it, or why the original is not complete.
    pub reason: String,
}

impl Replayed {
    /// How many dead letters of the plan were neither replayed nor refused: the replay was interrupted, or retention
    /// deleted them first.
    pub fn left_of(&self, plan: &Plan) -> u64 {
        let done = self.replayed + self.replayed_meanwhile + self.refused.len() as u64;
        plan.replays().saturating_sub(done)
    }
}
