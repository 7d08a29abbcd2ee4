//! A registry that lacks schemas or returns wrong ones while a stage that has to ask starts.

use super::{Injected, Injection};
use crate::failure::{Outcome, until};
use crate::kind::Kind;
use crate::ledger::Stage;
use crate::registry_answers::RegistryMood;

/// Measured from the first answer: shorter than the stages' grace period for unknown schemas.
const LAG_MS: std::ops::Range<u64> = 1_500..3_500;

/// The registry answers that there is no such schema, or has assigned its ids to other schemas. The stage has
/// to wait.
pub(super) async fn mood(world: &mut Injection, kind: Kind) -> Outcome<Injected> {
    let (mood, stage) = match kind {
        Kind::RegistryForgets => (RegistryMood::Forgets(world.lines.len() as u64), Stage::Sink),
        _ => (RegistryMood::Lags, world.pick_stage()),
    };
    let victim = world.claim_replica(stage).await;
    world.terminate(&victim).await?;
    let before = world.registry_answers.answered();
    world.registry_answers.set(mood);
    victim.restart()?;
    // The duration of a start depends on the machine, and which replica asks first depends on the group.
    let asked = until("a stage asks the registry", 60, || async {
        match world.registry_answers.answered() {
            answered if answered > before => Ok(()),
            _ => Err("none has".to_owned()),
        }
    });
    asked.await?;
    if kind == Kind::RegistryForgets {
        let what = format!("{} has partitions", victim.name);
        let joined = until(&what, 60, || async {
            match victim.counts(&world.http).await {
                Ok(counts) if counts.get("kafka_assigned_partitions") > 0 => Ok(()),
                Ok(_) => Err("it has none".to_owned()),
                Err(error) => Err(stage::chain(&error)),
            }
        });
        joined.await?;
    }
    world.wait(LAG_MS).await;
    world.registry_answers.set(RegistryMood::Well);
    let answered = world.registry_answers.answered() - before;
    Ok(Injected::now(
        world,
        format!("{answered} requests, with {} starting", victim.name),
    ))
}
