//! Topics that are deleted and recreated while the stages that use them are running or down: their offsets
//! start again at 0, and what is produced to the new topic must arrive.

use std::time::Duration;

use super::{Injected, Injection};
use crate::failure::Outcome;
use crate::ledger::{Due, Stage};
use crate::traffic::Special;
use stage::lock;

/// At most this many messages are sent to a new topic at once: each has its own millisecond.
const MAX_AT_ONCE: i64 = 3_000;

/// Recreates a topic that the stage reads while both stages run. Records of saltransform for a deleted record
/// topic wait until it is back. The topic is recreated twice; the second time it immediately gets more
/// messages than it ever had before, so that the old positions lie in the middle of the new messages.
pub(super) async fn while_running(world: &mut Injection, read_by: Stage) -> Outcome<Injected> {
    let (topic, lines) = choose(world, read_by);
    let mut sent = Vec::new();
    for _ in 0..2 {
        if !rest(world, &lines).await {
            return Ok(Injected::now(world, format!("{topic} did not come to rest")));
        }
        let messages = more_than_held(world, &topic)?;
        remove(world, &topic).await?;
        if read_by == Stage::Sink {
            hold(world, &lines, false);
        }
        world.wait(500..4_000).await;
        world.cluster.create(std::slice::from_ref(&topic)).await?;
        world.traffic.renew()?;
        if read_by == Stage::Transform {
            lock(&world.ledger).recreated_unnoticed(&lines);
        }
        send(world, &lines, messages);
        hold(world, &lines, false);
        world.wait(500..2_000).await;
        sent.push(messages.to_string());
    }
    Ok(Injected::now(
        world,
        format!("{topic}, with {} messages at once", sent.join(" and ")),
    ))
}

/// Enough messages to make each partition longer than it is now.
fn more_than_held(world: &Injection, topic: &str) -> Outcome<i64> {
    let held = world.cluster.held(topic)?;
    let longest = held.values().map(|range| range.end).max().unwrap_or_default();
    // They are distributed randomly.
    Ok((3 * longest + 20).min(MAX_AT_ONCE))
}

fn send(world: &mut Injection, lines: &[usize], messages: i64) {
    for _ in 0..messages {
        let line = lines[world.pick(lines.len())];
        world.traffic.send(line, &Special::due(Due::Stored));
    }
}

/// Recreates a topic that the stage reads while no replica of it runs, and fills it before one starts again.
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
    let messages = more_than_held(world, &topic)?;
    remove(world, &topic).await?;
    world.cluster.create(std::slice::from_ref(&topic)).await?;
    world.traffic.renew()?;
    send(world, &lines, messages);
    hold(world, &lines, false);
    world.wait(500..2_000).await;
    for victim in &victims {
        victim.restart()?;
    }
    Ok(Injected::now(
        world,
        format!("{topic}, with {messages} messages at once"),
    ))
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

/// Pauses these lines until each message sent has its outcome; if that does not happen, resumes them and
/// returns false.
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
    world.audit.read_from_beginning(topic).await;
    lock(&world.ledger).topic_recreated(topic);
    Ok(())
}
