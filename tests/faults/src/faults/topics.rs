//! Partitions that come while data flows: what is in them must be read from their first offset.

use super::{Injected, Injection};
use crate::failure::{Outcome, until};
use crate::ledger::Stage;
use stage::lock;

/// More partitions than this are not made: every broker holds a copy of each.
const MOST: usize = 8;

pub(super) async fn double_input(world: &mut Injection) -> Outcome<Injected> {
    let (topic, partitions) = double(world, Stage::Transform).await?;
    // Over when the sender uses a new one.
    wait_for_use(world, &topic, partitions / 2).await?;
    Ok(Injected::now(world, format!("{topic}, now {partitions}")))
}

/// A saltransform is started again, as a producer looks for new partitions every five minutes only.
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
        if world.cluster.partitions(topic)? < MOST {
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
