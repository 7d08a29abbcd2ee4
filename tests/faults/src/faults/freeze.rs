//! Brokers that freeze, as during a migration of their virtual machine, with a full disk or in a long garbage
//! collection: their connections stay open, their sessions expire, and they resume with outdated beliefs.

use std::ops::Range;

use super::{Injected, Injection};
use crate::claims::Claim;
use crate::failure::Outcome;
use crate::signal::Signal;

/// The durations of freezes that once made a stage lose its coordinator permanently, and the pauses between
/// them.
const PATTERN_MS: [u64; 4] = [19_000, 20_000, 21_000, 22_000];
const BETWEEN_MS: u64 = 24_000;

pub(super) async fn one(world: &mut Injection) -> Outcome<Injected> {
    let broker = world.claim_leader().await?;
    let brokers = [broker];
    let seconds = freeze(world, &brokers, 10_000..30_000).await?;
    Ok(Injected::now(world, format!("{}, {seconds} s", brokers[0].name)))
}

pub(super) async fn all(world: &mut Injection) -> Outcome<Injected> {
    let brokers = every_broker(world).await;
    let time = if world.quick { 3_500..4_500 } else { 5_000..15_000 };
    let seconds = freeze(world, &brokers, time).await?;
    Ok(Injected::now(
        world,
        format!("{} brokers, {seconds} s", brokers.len()),
    ))
}

pub(super) async fn repeated(world: &mut Injection) -> Outcome<Injected> {
    let brokers = every_broker(world).await;
    for (number, time) in PATTERN_MS.into_iter().enumerate() {
        if number > 0 {
            world.wait(BETWEEN_MS..BETWEEN_MS + 1).await;
        }
        freeze(world, &brokers, time..time + 1).await?;
    }
    Ok(Injected::now(
        world,
        format!("{} brokers, {} times", brokers.len(), PATTERN_MS.len()),
    ))
}

pub(super) async fn long(world: &mut Injection) -> Outcome<Injected> {
    let brokers = every_broker(world).await;
    let seconds = freeze(world, &brokers, 60_000..120_000).await?;
    Ok(Injected::now(
        world,
        format!("{} brokers, {seconds} s", brokers.len()),
    ))
}

/// Stops these brokers and resumes them; returns the number of seconds in between.
async fn freeze(world: &mut Injection, brokers: &[Claim], milliseconds: Range<u64>) -> Outcome<u64> {
    let begin = std::time::Instant::now();
    for broker in brokers {
        world.instance.signal(&broker.name, Signal::Stop)?;
    }
    world.wait(milliseconds).await;
    for broker in brokers {
        world.instance.signal(&broker.name, Signal::Continue)?;
    }
    Ok(begin.elapsed().as_secs())
}

async fn every_broker(world: &Injection) -> Vec<Claim> {
    let mut claims = Vec::new();
    for name in world.cluster.services() {
        claims.push(world.claims.take_one_of(&[name]).await);
    }
    claims
}
