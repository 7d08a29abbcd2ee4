//! Replicas come and go under load, cleanly, as when a Deployment is scaled or rolled.

use super::{Injected, Injection};
use crate::failure::Outcome;
use crate::ledger::Stage;
use crate::replica::{Ended, Replica};
use stage::lock;

/// A third replica joins, works for a while and leaves again.
pub(super) async fn joins(world: &mut Injection, stage: Stage) -> Outcome<Injected> {
    let recipe = world.recipes.iter().find(|recipe| recipe.stage == stage).cloned();
    let Some(recipe) = recipe else {
        return Ok(Injected::now(world, "nobody"));
    };
    let number = world.replicas_of(stage).len() + 1;
    let guest = Replica::start(&recipe, number)?;
    guest.wait_ready(&world.http, 60).await?;
    world.wait(1_000..3_000).await;
    let ended = world.terminate(&guest).await?;
    note_end(world, &guest.name, &ended);
    Ok(Injected::now(world, &guest.name))
}

/// A replica is stopped cleanly and restarted.
pub(super) async fn leaves(world: &mut Injection, stage: Stage) -> Outcome<Injected> {
    let victim = world.claim_replica(stage).await;
    let ended = world.terminate(&victim).await?;
    note_end(world, &victim.name, &ended);
    world.wait(0..1_500).await;
    victim.restart()?;
    Ok(Injected::now(world, &victim.name))
}

/// SIGTERM leads to exit code 0: everything that was read has been finished. If something else is broken as
/// well, work may be left behind.
fn note_end(world: &Injection, name: &str, ended: &Ended) {
    if ended.in_time && !ended.status.success() && !world.has_company {
        lock(&world.ledger).complain(format!("{name} left work behind after SIGTERM: {}", ended.status));
    }
}
