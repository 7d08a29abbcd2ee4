//! Which service a fault hits.

use crate::failure::Outcome;
use crate::world::World;

pub(super) const DATABASE: &str = "influxdb2";

/// The broker that leads a random partition of the traffic, input or output.
pub(super) fn leader(world: &mut World) -> Outcome<String> {
    let line = world.pick(world.lines.len());
    let topic = match world.pick(2) {
        0 => world.lines[line].input.clone(),
        _ => world.lines[line].output.clone(),
    };
    let partition = world.pick(world.cluster.partitions(&topic)?);
    world.cluster.leader(&topic, partition as i32)
}

pub(super) fn controller(world: &World) -> Outcome<String> {
    world.cluster.controller(&world.instance)
}
