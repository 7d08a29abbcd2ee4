//! Batches that are small on the wire and large in memory, because they compress well.

use super::{Injected, Injection};
use crate::ledger::{Due, Stage};
use crate::traffic::Packed;

/// The number of values in a batch of tiny ones.
const TINY: u64 = 600_000;
/// The number of messages in a batch of large ones, and the bytes of each: 40 MB.
const LARGE: u64 = 400;
const LARGE_BYTES: usize = 100_000;

/// Empty values for saltransform, tombstones for influxsink: both carry nothing and are skipped.
pub(super) fn tiny(world: &mut Injection) -> Injected {
    let stage = world.pick_stage();
    let topic = topic(world, stage);
    let packed = Packed {
        key: None,
        value: match stage {
            Stage::Transform => Some(b""),
            Stage::Sink => None,
        },
        messages: TINY,
        due: Due::Skipped(stage),
    };
    world.traffic.send_packed(&topic, &packed);
    Injected::now(world, format!("{topic}, {TINY} messages"))
}

/// Tombstones with large keys.
pub(super) fn large(world: &mut Injection) -> Injected {
    let stage = world.pick_stage();
    let topic = topic(world, stage);
    let key = vec![b'k'; LARGE_BYTES];
    let packed = Packed {
        key: Some(&key),
        value: None,
        messages: LARGE,
        due: Due::Skipped(stage),
    };
    world.traffic.send_packed(&topic, &packed);
    Injected::now(world, format!("{topic}, {LARGE} messages of {LARGE_BYTES} bytes"))
}

fn topic(world: &mut Injection, read_by: Stage) -> String {
    let topics = world.topics_of(read_by);
    topics[world.pick(topics.len())].clone()
}
