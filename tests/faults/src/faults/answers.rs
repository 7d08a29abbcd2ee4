//! Error answers of InfluxDB.

use super::{Injected, Injection};
use crate::answers::{Judgement, Mood};
use crate::failure::Outcome;
use crate::kind::Kind;
use crate::ledger::{Due, Stage};
use crate::traffic::Special;

/// The number of bad points per fault.
const BAD: usize = 5;

/// Every write gets this answer for a few seconds.
pub(super) async fn mood(world: &mut Injection, kind: Kind) -> Outcome<Injected> {
    let refuses = |status, retry_after, message| Mood::Refuses {
        status,
        retry_after,
        message,
    };
    let mood = match kind {
        Kind::DiskFull => refuses(
            500,
            None,
            "engine: error writing WAL entry: write: no space left on device",
        ),
        Kind::TooManyRequests => refuses(429, Some(1), "too many requests"),
        Kind::TooLarge => Mood::MostLines(3),
        Kind::LostAnswer => Mood::LosesAnswers,
        Kind::Page => Mood::Page,
        _ => refuses(500, None, "an internal error has occurred"),
    };
    let before = world.answers.answered();
    world.answers.set(mood);
    world.wait(1_500..3_000).await;
    world.answers.set(Mood::Well);
    let answered = world.answers.answered() - before;
    Ok(Injected::now(world, format!("{answered} requests")))
}

/// Some points are bad permanently: they, and only they, must become dead letters.
pub(super) async fn bad_points(world: &mut Injection, kind: Kind) -> Outcome<Injected> {
    let judgement = match kind {
        Kind::PartialWrite => Judgement::Partial,
        _ => Judgement::Whole,
    };
    let before = world.answers.answered();
    for _ in 0..BAD {
        let line = world.pick(world.lines.len());
        let measurement = world.lines[line].measurement.clone();
        let announce = |(_, sequence)| world.answers.refuse(&measurement, sequence, judgement);
        let mut special = Special::due(Due::Dead(Stage::Sink, &[("write", "rejected")]));
        special.announce = &announce;
        world.traffic.send(line, &special);
        world.wait(0..400).await;
    }
    let answered = world.answers.answered() - before;
    Ok(Injected::now(world, format!("{BAD} points, {answered} requests")))
}
