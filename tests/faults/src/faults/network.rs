//! The network between the stages and their dependencies: slow, silent (nothing arrives and nothing is
//! closed), or cut.

use std::ops::Range;
use std::time::Duration;

use rand::RngExt as _;

use super::{Injected, Injection};
use crate::failure::Outcome;
use crate::kind::Kind;
use crate::proxy::Link;

pub(super) async fn kafka(world: &mut Injection, kind: Kind) -> Outcome<Injected> {
    let (link, time) = link(world, kind);
    world.kafka.iter().for_each(|proxy| proxy.set(link));
    world.wait(time).await;
    world.kafka.iter().for_each(|proxy| proxy.set(Link::Open));
    Ok(Injected::now(world, format!("all brokers, {link:?}")))
}

/// Fenced brokers answer metadata requests with topics but without brokers: librdkafka then forgets the
/// brokers that it knew (its issue 5301). The connections are cut, so that every client asks.
pub(super) async fn metadata(world: &mut Injection) -> Outcome<Injected> {
    let answers = 1 + world.pick(6);
    world.metadata.forget_brokers(answers, |_| true);
    world.kafka.iter().for_each(|proxy| proxy.set(Link::Torn));
    world.wait(100..300).await;
    world.kafka.iter().for_each(|proxy| proxy.set(Link::Open));
    world.wait(3_000..5_000).await;
    let given = world.metadata.forgotten();
    world.metadata.forget_brokers(0, |_| false);
    Ok(Injected::now(world, format!("{given} answers")))
}

/// A stage starts meanwhile, because running ones know their schemas.
pub(super) async fn registry(world: &mut Injection, kind: Kind) -> Outcome<Injected> {
    let (link, time) = link(world, kind);
    world.registry_link.set(link);
    let renewed = world.renew_a_replica().await?;
    world.wait(time).await;
    world.registry_link.set(Link::Open);
    Ok(Injected::now(world, format!("{link:?}, with {renewed} starting")))
}

pub(super) async fn database(world: &mut Injection, kind: Kind) -> Outcome<Injected> {
    let (link, time) = link(world, kind);
    world.database_link.set(link);
    world.wait(time).await;
    world.database_link.set(Link::Open);
    Ok(Injected::now(world, format!("{link:?}")))
}

/// What happens to the bytes, and for how many milliseconds.
fn link(world: &mut Injection, kind: Kind) -> (Link, Range<u64>) {
    match kind {
        // Longer than the 6 s session timeout of group members.
        Kind::SilentKafka => (Link::Silent, 7_000..8_000),
        Kind::SilentRegistry | Kind::SilentDatabase => (Link::Silent, 4_500..6_000),
        Kind::TornKafka | Kind::TornRegistry | Kind::TornDatabase => (Link::Torn, 500..3_000),
        _ => {
            let delay = Duration::from_millis(world.random.random_range(50..300));
            (Link::Slow(delay), 3_000..5_000)
        }
    }
}
