//! SIGSTOP: the process stands still for longer than its session lasts, with every connection open, and then goes on as
//! if nothing had been. The worst of it is what it still believes.

use super::{Injected, Injection};
use crate::claims::Claim;
use crate::failure::Outcome;
use crate::ledger::Stage;
use crate::signal::Signal;

/// Longer than the 6 s after which group members and brokers are missed, and than the 4 s of a request to the database.
const PAUSE_MS: std::ops::Range<u64> = 7_000..8_000;
/// Longer than the 10 s that a request to the registry may take.
const REGISTRY_PAUSE_MS: std::ops::Range<u64> = 10_500..11_500;

pub(super) async fn replica(world: &mut Injection, stage: Stage) -> Outcome<Injected> {
    let victim = world.claim_replica(stage).await;
    victim.signal(Signal::Stop)?;
    world.wait(PAUSE_MS).await;
    victim.signal(Signal::Continue)?;
    Ok(Injected::now(world, &victim.name))
}

/// A stage starts meanwhile, as those that run know their schemas.
pub(super) async fn registry(world: &mut Injection) -> Outcome<Injected> {
    world.instance.signal("registry", Signal::Stop)?;
    let renewed = world.renew_a_replica().await?;
    world.wait(REGISTRY_PAUSE_MS).await;
    world.instance.signal("registry", Signal::Continue)?;
    Ok(Injected::now(world, format!("registry, with {renewed} starting")))
}

pub(super) async fn service(world: &mut Injection, victim: Claim) -> Outcome<Injected> {
    world.instance.signal(&victim.name, Signal::Stop)?;
    world.wait(PAUSE_MS).await;
    world.instance.signal(&victim.name, Signal::Continue)?;
    Ok(Injected::now(world, &victim.name))
}
