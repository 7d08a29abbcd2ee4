//! A topic expression that also matches dead-letter topics: a stage that read its own dead letters would
//! produce more of them without end.

use std::time::Duration;

use super::{Injected, Injection, messages};
use crate::failure::Outcome;
use crate::ledger::Stage;
use crate::replica::Recipe;
use crate::world::RECORDS;
use stage::lock;

/// Matches the records, and everything that belongs to a group of this run.
const TOO_WIDE: &str = "^(lsst\\.sal\\.|faults-)";

pub(super) async fn too_wide(world: &mut Injection) -> Outcome<Injected> {
    let victims = world.claim_stage(Stage::Sink).await;
    let wide = world.recipes.iter().find(|recipe| recipe.stage == Stage::Sink);
    let Some(wide) = wide.map(widened) else {
        return Ok(Injected::now(world, "nobody"));
    };
    for victim in &victims {
        world.terminate(victim).await?;
        victim.restart_as(&wide)?;
    }
    for victim in &victims {
        victim.wait_ready(&world.http, 60).await?;
    }
    messages::short(world)?;
    messages::unframed(world)?;
    let upto = lock(&world.ledger).len();
    world.settle(upto, Duration::from_secs(60)).await;
    // Long enough for dead letters of dead letters to appear.
    world.wait(2_000..3_000).await;
    for victim in &victims {
        world.terminate(victim).await?;
        victim.restart()?;
    }
    Ok(Injected::now(world, "both replicas of influxsink"))
}

fn widened(recipe: &Recipe) -> Recipe {
    let arguments = recipe.arguments.iter().map(|argument| match argument.as_str() {
        RECORDS => TOO_WIDE.to_owned(),
        _ => argument.clone(),
    });
    Recipe {
        arguments: arguments.collect(),
        ..recipe.clone()
    }
}
