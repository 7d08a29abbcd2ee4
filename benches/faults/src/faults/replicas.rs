//! Replicas come and go under load, in order: what a scaled or rolled Deployment does.

use super::Injected;
use crate::failure::Outcome;
use crate::ledger::Stage;
use crate::replica::Replica;
use crate::world::World;
use pipeline::lock;

/// A third replica joins, works for a while, and leaves again.
pub(super) async fn joins(world: &mut World, stage: Stage) -> Outcome<Injected> {
    let recipe = world.recipes.iter().find(|recipe| recipe.stage == stage).cloned();
    let Some(recipe) = recipe else {
        return Ok(Injected::now(world, "nobody"));
    };
    let number = world.replicas_of(stage).len() + 1;
    let mut guest = Replica::start(&recipe, number)?;
    guest.wait_ready(&world.http, 60).await?;
    world.wait(1_000..3_000).await;
    let status = guest.terminate().await?;
    note_end(world, &guest.name, status);
    Ok(Injected::now(world, guest.name.clone()))
}

/// A replica ends in order and is started again.
pub(super) async fn leaves(world: &mut World, stage: Stage) -> Outcome<Injected> {
    let place = world.pick_replica(stage);
    let status = world.replicas[place].terminate().await?;
    let name = world.replicas[place].name.clone();
    note_end(world, &name, status);
    world.wait(0..1_500).await;
    world.replicas[place].restart()?;
    Ok(Injected::now(world, name))
}

/// SIGTERM is answered with exit code 0: everything that was read was finished.
fn note_end(world: &World, name: &str, status: std::process::ExitStatus) {
    if !status.success() {
        lock(&world.ledger).complain(format!("{name} left work behind after SIGTERM: {status}"));
    }
}
