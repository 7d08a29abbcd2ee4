//! kill -9 of a replica, a broker, the registry or the database: the process ends immediately, is down for a moment, and is
//! restarted.

use super::{Injected, Injection};
use crate::claims::Claim;
use crate::failure::Outcome;
use crate::ledger::Stage;
use crate::proxy::Link;
use crate::signal::Signal;

pub(super) async fn replica(world: &mut Injection, stage: Stage) -> Outcome<Injected> {
    let victim = world.claim_replica(stage).await;
    victim.kill()?;
    world.wait(0..1_500).await;
    victim.restart()?;
    Ok(Injected::now(world, &victim.name))
}

/// The registry forgets everything. To the stages it is unavailable until it has everything again; one of
/// them has to start meanwhile, because running ones know their schemas.
pub(super) async fn registry(world: &mut Injection) -> Outcome<Injected> {
    world.registry_link.set(Link::Torn);
    world.instance.signal("registry", Signal::Kill)?;
    let renewed = world.renew_a_replica().await?;
    world.wait(500..2_000).await;
    world.instance.restart("registry")?;
    world.registry.restore().await?;
    world.registry_link.set(Link::Open);
    Ok(Injected::now(world, format!("registry, with {renewed} starting")))
}

/// A broker (a partition's leader, or the controller) or InfluxDB.
pub(super) async fn broker_or_database(world: &mut Injection, victim: Claim) -> Outcome<Injected> {
    world.instance.signal(&victim.name, Signal::Kill)?;
    world.wait(500..2_500).await;
    world.instance.restart(&victim.name)?;
    Ok(Injected::now(world, &victim.name))
}
