//! Retention that overtakes a group: a stage is down, and messages that it has not read yet are deleted. They are gone, and
//! the stage has to say how many; those behind them must arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use super::anew::{choose, hold};
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
    let is_known = until("every message has its place in the topic", 30, || async {
        match lock(&world.ledger).without_a_place(stage, &lines) {
            0 => Ok(()),
            some => Err(format!("{some} have none")),
        }
    });
    let (deleted, messages) = match is_known.await {
        Ok(()) => delete_half(world, stage, &topic).await?,
        // Something else is broken. Then nothing is deleted.
        Err(_) => (0, 0),
    };
    hold(world, &lines, false);
    for victim in &victims {
        victim.restart()?;
    }
    let said = until("the stage counts what was deleted", 60, || async {
        let mut said = 0;
        for victim in &victims {
            let counts = victim.counts(&world.http).await;
            said += counts
                .map_err(|error| stage::chain(&error))?
                .get(LOST_TO_RETENTION);
        }
        if said == deleted {
            Ok(())
        } else {
            Err(format!("{said} are counted"))
        }
    });
    if let Err(error) = said.await {
        let error = stage::chain(&error);
        lock(&world.ledger).complain(format!(
            "{deleted} messages of {topic} were deleted unread: {error}"
        ));
    }
    Ok(Injected::now(
        world,
        format!("{topic}, {messages} messages deleted"),
    ))
}

/// Deletes, in each partition, the first half of what the group has not read; answers how many offsets and messages that is.
async fn delete_half(world: &Injection, stage: Stage, topic: &str) -> Outcome<(i64, u64)> {
    // Where a message is in the topic twice, the stage may have read the first.
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
