//! Partitions that are added while data flows: their messages must be read from the first offset.

use super::{Injected, Injection};
use crate::failure::{Outcome, until};
use crate::ledger::Stage;
use stage::lock;

/// The limit on a topic's partitions: every broker holds a replica of each.
const MAX_PARTITIONS: usize = 8;

pub(super) async fn double_input(world: &mut Injection) -> Outcome<Injected> {
    let (topic, partitions) = double(world, Stage::Transform).await?;
    // Ends once the sender uses a new one.
    wait_for_use(world, &topic, partitions / 2).await?;
    Ok(Injected::now(world, format!("{topic}, now {partitions}")))
}

/// A saltransform is restarted, because a producer refreshes its metadata only every five minutes.
pub(super) async fn double_output(world: &mut Injection) -> Outcome<Injected> {
    let (topic, partitions) = double(world, Stage::Sink).await?;
    let victim = world.claim_replica(Stage::Transform).await;
    world.terminate(&victim).await?;
    victim.restart()?;
    Ok(Injected::now(world, format!("{topic}, now {partitions}")))
}

async fn double(world: &mut Injection, read_by: Stage) -> Outcome<(String, usize)> {
    let topics = world.topics_of(read_by);
    let first = world.pick(topics.len());
    let mut chosen = topics[first].clone();
    for topic in topics.iter().cycle().skip(first).take(topics.len()) {
        if world.cluster.partitions(topic)? < MAX_PARTITIONS {
            chosen.clone_from(topic);
            break;
        }
    }
    let partitions = world.cluster.double(&chosen).await?;
    Ok((chosen, partitions))
}

async fn wait_for_use(world: &Injection, topic: &str, first_new: usize) -> Outcome<()> {
    let from = lock(&world.ledger).len();
    until("the sender uses a new partition", 30, || async {
        let ledger = lock(&world.ledger);
        let mut origins = ledger
            .entries
            .iter()
            .skip(from)
            .filter_map(|entry| entry.origin.as_ref());
        let used = origins.any(|origin| *origin.topic == *topic && origin.partition as usize >= first_new);
        if used { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await
}
