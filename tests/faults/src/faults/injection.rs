//! What a fault works with: the world, which several faults can share, and its own random numbers.

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

use crate::failure::Outcome;
use crate::ledger::Stage;
use crate::world::World;

/// One fault's handle to the world.
pub(crate) struct Injection {
    world: Arc<World>,
    pub(super) random: Xoshiro256PlusPlus,
    /// Whether other faults are in progress at the same time.
    pub(super) has_company: bool,
}

impl Deref for Injection {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Injection {
    /// The same seed gives the same choices and times.
    pub(crate) fn new(world: &Arc<World>, seed: u64) -> Self {
        Self {
            world: Arc::clone(world),
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            has_company: false,
        }
    }

    /// For one of several concurrent faults.
    pub(super) fn part(&mut self) -> Self {
        let seed = self.random.random();
        Self {
            has_company: true,
            ..Self::new(&self.world, seed)
        }
    }

    /// Waits for a random time in this range of milliseconds.
    pub(super) async fn wait(&mut self, milliseconds: Range<u64>) {
        let time = self.random.random_range(milliseconds);
        tokio::time::sleep(Duration::from_millis(time)).await;
    }

    /// Picks one of several.
    pub(super) fn pick(&mut self, several: usize) -> usize {
        self.random.random_range(0..several.max(1))
    }

    /// Picks a stage.
    pub(super) fn pick_stage(&mut self) -> Stage {
        match self.pick(2) {
            0 => Stage::Transform,
            _ => Stage::Sink,
        }
    }

    /// Stops a random replica cleanly and restarts it: it has to fetch every schema again.
    pub(super) async fn renew_a_replica(&mut self) -> Outcome<String> {
        let stage = self.pick_stage();
        let victim = self.claim_replica(stage).await;
        self.terminate(&victim).await?;
        victim.restart()?;
        Ok(victim.name.clone())
    }
}
