//! Topics that are deleted and made anew, while the stages that use them run or are down: their offsets begin again, and what
//! is produced to the new topic must arrive.

use std::time::Duration;

use super::{Injected, Injection};
use crate::failure::Outcome;
use crate::ledger::Stage;
use pipeline::lock;

/// A topic that the stage reads, while both stages run. What saltransform has for a record topic waits until it is back.
pub(super) async fn while_running(world: &mut Injection, read_by: Stage) -> Outcome<Injected> {
    let (topic, lines) = choose(world, read_by);
    if !rest(world, &lines).await {
        return Ok(Injected::now(
            world,
            format!("{topic}, not deleted: it did not come to rest"),
        ));
    }
    remove(world, &topic).await?;
    if read_by == Stage::Sink {
        hold(world, &lines, false);
    }
    world.wait(1_000..5_000).await;
    world.cluster.create(std::slice::from_ref(&topic)).await?;
    world.cluster.wait_in_step(60).await?;
    hold(world, &lines, false);
    Ok(Injected::now(world, topic))
}

/// A topic that the stage reads, while no replica of it runs, and with messages before it does again.
pub(super) async fn while_down(world: &mut Injection, read_by: Stage) -> Outcome<Injected> {
    let (topic, lines) = choose(world, read_by);
    if !rest(world, &lines).await {
        return Ok(Injected::now(
            world,
            format!("{topic}, not deleted: it did not come to rest"),
        ));
    }
    let victims = world.claim_stage(read_by).await;
    for victim in &victims {
        world.terminate(victim).await?;
    }
    remove(world, &topic).await?;
    world.cluster.create(std::slice::from_ref(&topic)).await?;
    world.cluster.wait_in_step(60).await?;
    hold(world, &lines, false);
    world.wait(1_000..3_000).await;
    for victim in &victims {
        victim.restart()?;
    }
    Ok(Injected::now(world, topic))
}

/// A topic, and the lines whose messages go through it.
pub(super) fn choose(world: &mut Injection, read_by: Stage) -> (String, Vec<usize>) {
    let topics = world.topics_of(read_by);
    let topic = topics[world.pick(topics.len())].clone();
    let lines = world.lines.iter().enumerate();
    let through = lines.filter(|(_, line)| line.input == topic || line.output == topic);
    let through = through.map(|(number, _)| number).collect();
    (topic, through)
}

pub(super) fn hold(world: &Injection, lines: &[usize], held: bool) {
    for line in lines {
        world.traffic.set_held(*line, held);
    }
}

/// Holds these lines until each message that was sent has its fate; lets them go and says no if that does not come.
async fn rest(world: &Injection, lines: &[usize]) -> bool {
    hold(world, lines, true);
    let upto = lock(&world.ledger).len();
    let is_at_rest = world.settle(upto, Duration::from_secs(30)).await;
    if !is_at_rest {
        hold(world, lines, false);
    }
    is_at_rest
}

async fn remove(world: &Injection, topic: &str) -> Outcome<()> {
    world.cluster.delete(topic).await?;
    world.audit.begin_anew(topic).await;
    lock(&world.ledger).made_anew(topic);
    Ok(())
}
