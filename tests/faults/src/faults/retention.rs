//! Retention that overtakes a group: while a stage is down, messages that it has not read are deleted. They
//! are gone, and the stage has to report how many; the messages after them must arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use super::recreated::{choose, hold};
use super::{Injected, Injection};
use crate::failure::{Outcome, until};
use crate::ledger::Stage;
use crate::world::group;
use stage::lock;

/// The stages' counter of messages that were deleted before they were read.
const LOST_TO_RETENTION: &str = "kafka_messages_lost_to_retention_total";

pub(super) async fn overtakes(world: &mut Injection, stage: Stage) -> Outcome<Injected> {
    let victims = world.claim_stage(stage).await;
    for victim in &victims {
        world.terminate(victim).await?;
    }
    world.wait(2_000..4_000).await;
    let (topic, lines) = choose(world, stage);
    hold(world, &lines, true);
    let is_known = until("every message has an offset in the topic", 30, || async {
        match lock(&world.ledger).without_a_place(stage, &lines) {
            0 => Ok(()),
            some => Err(format!("{some} have none")),
        }
    });
    let (deleted, messages) = match is_known.await {
        Ok(()) => delete_half(world, stage, &topic).await?,
        // Something else is broken: then nothing is deleted.
        Err(_) => (0, 0),
    };
    hold(world, &lines, false);
    for victim in &victims {
        victim.restart()?;
    }
    let counted = until("the stage counts what was deleted", 60, || async {
        let mut counted = 0;
        for victim in &victims {
            let counts = victim.counts(&world.http).await;
            counted += counts
                .map_err(|error| stage::chain(&error))?
                .get(LOST_TO_RETENTION);
        }
        if counted == deleted {
            Ok(())
        } else {
            Err(format!("{counted} are counted"))
        }
    });
    if let Err(error) = counted.await {
        let error = stage::chain(&error);
        lock(&world.ledger).complain(format!(
            "{deleted} messages of {topic} were deleted before they were read: {error}"
        ));
    }
    Ok(Injected::now(
        world,
        format!("{topic}, {messages} messages deleted"),
    ))
}

/// In each partition, deletes the first half of what the group has not read; returns the number of offsets
/// and of messages.
async fn delete_half(world: &Injection, stage: Stage, topic: &str) -> Outcome<(i64, u64)> {
    // If a message is in the topic twice, the stage may have read the first copy.
    let upto = lock(&world.ledger).len();
    world.settle(upto, Duration::from_millis(500)).await;
    let committed = world.cluster.committed(group(stage), &[topic.to_owned()])?;
    let (mut upto, mut gone) = (BTreeMap::new(), BTreeMap::new());
    for (partition, held) in world.cluster.held(topic)? {
        let place = (topic.to_owned(), partition);
        let from = committed
            .get(&place)
            .copied()
            .unwrap_or(held.start)
            .max(held.start);
        let to = from + (held.end - from) / 2;
        upto.insert(partition, to);
        gone.insert(place, from..to);
    }
    world.cluster.delete_before(topic, &upto).await?;
    let messages = lock(&world.ledger).taken(stage, &gone);
    Ok((gone.values().map(|range| range.end - range.start).sum(), messages))
}
