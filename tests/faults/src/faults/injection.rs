//! What a fault works with: the world, which several may share, and chance of its own.

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

use crate::failure::Outcome;
use crate::ledger::Stage;
use crate::world::World;

/// One fault's hold on the world.
pub(crate) struct Injection {
    world: Arc<World>,
    pub(super) random: Xoshiro256PlusPlus,
    /// Whether other faults are under way at the same time.
    pub(super) has_company: bool,
}

impl Deref for Injection {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Injection {
    /// The same seed makes the same choices and times.
    pub(crate) fn new(world: &Arc<World>, seed: u64) -> Self {
        Self {
            world: Arc::clone(world),
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            has_company: false,
        }
    }

    /// For one of several faults at once.
    pub(super) fn part(&mut self) -> Self {
        let seed = self.random.random();
        Self {
            has_company: true,
            ..Self::new(&self.world, seed)
        }
    }

    /// Waits a random time of this range of milliseconds.
    pub(super) async fn wait(&mut self, milliseconds: Range<u64>) {
        let time = self.random.random_range(milliseconds);
        tokio::time::sleep(Duration::from_millis(time)).await;
    }

    /// One of several.
    pub(super) fn pick(&mut self, several: usize) -> usize {
        self.random.random_range(0..several.max(1))
    }

    /// One stage or the other.
    pub(super) fn pick_stage(&mut self) -> Stage {
        match self.pick(2) {
            0 => Stage::Transform,
            _ => Stage::Sink,
        }
    }

    /// Ends a random replica in order and starts it again: one that needs every schema anew.
    pub(super) async fn renew_a_replica(&mut self) -> Outcome<String> {
        let stage = self.pick_stage();
        let victim = self.claim_replica(stage).await;
        self.terminate(&victim).await?;
        victim.restart()?;
        Ok(victim.name.clone())
    }
}
