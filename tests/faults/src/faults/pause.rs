//! SIGSTOP: the process stops for longer than its session lasts, with all connections open, and then
//! continues as if nothing had happened, with outdated beliefs.

use super::{Injected, Injection};
use crate::claims::Claim;
use crate::failure::Outcome;
use crate::ledger::Stage;
use crate::signal::Signal;

/// Longer than the 6 s session timeout of group members and brokers, and than the 4 s timeout of a request to
/// the database.
const PAUSE_MS: std::ops::Range<u64> = 7_000..8_000;
/// Longer than the 10 s timeout of a request to the registry.
const REGISTRY_PAUSE_MS: std::ops::Range<u64> = 10_500..11_500;

pub(super) async fn replica(world: &mut Injection, stage: Stage) -> Outcome<Injected> {
    let victim = world.claim_replica(stage).await;
    victim.signal(Signal::Stop)?;
    world.wait(PAUSE_MS).await;
    victim.signal(Signal::Continue)?;
    Ok(Injected::now(world, &victim.name))
}

/// A stage starts meanwhile, because running ones know their schemas.
pub(super) async fn registry(world: &mut Injection) -> Outcome<Injected> {
    world.instance.signal("registry", Signal::Stop)?;
    let renewed = world.renew_a_replica().await?;
    world.wait(REGISTRY_PAUSE_MS).await;
    world.instance.signal("registry", Signal::Continue)?;
    Ok(Injected::now(world, format!("registry, with {renewed} starting")))
}

/// A broker (a partition's leader, or the controller) or InfluxDB.
pub(super) async fn broker_or_database(world: &mut Injection, victim: Claim) -> Outcome<Injected> {
    world.instance.signal(&victim.name, Signal::Stop)?;
    world.wait(PAUSE_MS).await;
    world.instance.signal(&victim.name, Signal::Continue)?;
    Ok(Injected::now(world, &victim.name))
}
