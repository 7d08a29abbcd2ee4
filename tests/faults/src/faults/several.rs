//! Several concurrent faults: kinds that do not contradict each other, each starting at its own time.

use tokio::task::JoinSet;

use super::{Injected, Injection, inject_one};
use crate::failure::{Failure, Outcome};
use crate::kind::Kind;
use crate::ledger::Stage;

/// The maximum delay of a fault after the first one, in milliseconds.
const DELAY_MS: std::ops::Range<u64> = 0..3_000;

pub(super) async fn at_once(world: &mut Injection, how_many: usize) -> Outcome<Injected> {
    let kinds = world.combinable.clone();
    let parts = choose(how_many, Vec::new(), kinds, |several| world.pick(several));
    together(world, parts).await
}

/// A replica is stopped at some point during another fault.
pub(super) async fn stop_within(world: &mut Injection) -> Outcome<Injected> {
    let stop = match world.pick_stage() {
        Stage::Transform => Kind::TransformLeaves,
        Stage::Sink => Kind::SinkLeaves,
    };
    let kinds = world.combinable.clone();
    let parts = choose(2, vec![stop], kinds, |several| world.pick(several));
    together(world, parts).await
}

async fn together(world: &mut Injection, parts: Vec<Kind>) -> Outcome<Injected> {
    let mut running = JoinSet::new();
    for kind in parts.iter().copied() {
        let mut part = world.part();
        running.spawn(async move {
            part.wait(DELAY_MS).await;
            inject_one(kind, &mut part).await.map(|injected| (kind, injected))
        });
    }
    let mut victims = Vec::new();
    let mut last: Option<Injected> = None;
    while let Some(done) = running.join_next().await {
        let (kind, injected) = done.map_err(|error| Failure::Unexpected(error.to_string()))??;
        victims.push(format!("{} ({})", kind.name(), injected.victim));
        last = Some(injected);
    }
    let victim = victims.join(" + ");
    // The end of the last one is the end of all.
    let mut injected = last.unwrap_or_else(|| Injected::now(world, ""));
    injected.victim = victim;
    injected.parts = parts;
    Ok(injected)
}

/// Random kinds after the first ones, each compatible with all before it.
fn choose(
    how_many: usize,
    mut chosen: Vec<Kind>,
    mut left: Vec<Kind>,
    mut pick: impl FnMut(usize) -> usize,
) -> Vec<Kind> {
    while chosen.len() < how_many && !left.is_empty() {
        let kind = left.swap_remove(pick(left.len()));
        if kind.goes_with_any() && chosen.iter().all(|other| kind.goes_with(*other)) {
            chosen.push(kind);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn parts_are_compatible() {
        let all = Kind::value_variants();
        for first in 0..all.len() {
            let chosen = choose(4, Vec::new(), all.to_vec(), |left| first % left);
            assert_eq!(chosen.len(), 4);
            for (at, one) in chosen.iter().enumerate() {
                assert!(
                    chosen[..at].iter().all(|other| one.goes_with(*other)),
                    "{chosen:?}"
                );
            }
        }
    }
}
