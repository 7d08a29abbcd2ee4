//! Selects the process that a fault hits. It belongs to the fault until the fault is over.

use std::ops::Deref;
use std::sync::Arc;

use super::Injection;
use crate::claims::Claim;
use crate::failure::Outcome;
use crate::ledger::Stage;
use crate::replica::Replica;

/// The database's process.
pub(super) const DATABASE: &str = "influxdb2";

/// A replica that only this fault touches.
pub(super) struct Victim {
    replica: Arc<Replica>,
    _claim: Claim,
}

impl Deref for Victim {
    type Target = Replica;

    fn deref(&self) -> &Replica {
        &self.replica
    }
}

impl Injection {
    /// A random replica of a stage.
    pub(super) async fn claim_replica(&mut self, stage: Stage) -> Victim {
        let mut places = self.replicas_of(stage);
        let at = self.pick(places.len());
        places.rotate_left(at);
        let names: Vec<String> = places
            .iter()
            .map(|place| self.replicas[*place].name.clone())
            .collect();
        let claim = self.claims.take_one_of(&names).await;
        let mut replicas = self.replicas.iter();
        let replica = replicas.find(|replica| replica.name == claim.name);
        Victim {
            replica: Arc::clone(replica.unwrap_or(&self.replicas[0])),
            _claim: claim,
        }
    }

    /// Both replicas of a stage.
    pub(super) async fn claim_stage(&mut self, stage: Stage) -> Vec<Victim> {
        let mut victims = Vec::new();
        for place in self.replicas_of(stage) {
            let replica = Arc::clone(&self.replicas[place]);
            let claim = self.claims.take_one_of(std::slice::from_ref(&replica.name)).await;
            victims.push(Victim {
                replica,
                _claim: claim,
            });
        }
        victims
    }

    /// The broker that leads a random input or output partition of the traffic; another one if that is
    /// claimed or there is no leader.
    pub(super) async fn claim_leader(&mut self) -> Outcome<Claim> {
        let line = self.pick(self.lines.len());
        let topic = match self.pick(2) {
            0 => self.lines[line].input.clone(),
            _ => self.lines[line].output.clone(),
        };
        let partitions = self.cluster.partitions(&topic).unwrap_or(1);
        let partition = self.pick(partitions);
        let leader = self.cluster.leader(&topic, partition as i32).ok();
        Ok(self.claim_broker(leader).await)
    }

    /// The active controller; another broker if that is claimed or unknown.
    pub(super) async fn claim_controller(&mut self) -> Outcome<Claim> {
        let controller = self.cluster.controller(&self.instance).ok();
        Ok(self.claim_broker(controller).await)
    }

    async fn claim_broker(&mut self, wanted: Option<String>) -> Claim {
        let mut brokers = self.cluster.services();
        let at = self.pick(brokers.len());
        brokers.rotate_left(at);
        let names: Vec<String> = wanted.into_iter().chain(brokers).collect();
        self.claims.take_one_of(&names).await
    }
}
