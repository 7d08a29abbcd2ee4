//! A lane: one thread that does a stage's work for some partitions, in order.

use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};
use rdkafka::message::BorrowedMessage;

use super::Receipt;
use super::transaction::TransactionalOutlet;

/// A message that was taken from Kafka and must be accounted for.
#[derive(Debug)]
pub struct Taken<'m> {
    /// The message, in librdkafka's own memory.
    pub message: BorrowedMessage<'m>,
    /// To be finished once the message is safe.
    pub receipt: Receipt,
}

/// A stage's work on the messages of some partitions.
pub trait Lane<'m> {
    /// Works on messages of one or several partitions, each partition's in offset order. May block: the intake pauses
    /// by itself. Receipts may be finished later, from any thread.
    fn take(&mut self, batch: Vec<Taken<'m>>) -> Result<(), LaneError>;

    /// Called at least every tick interval, for what is due by time.
    fn tick(&mut self) -> Result<(), LaneError> {
        Ok(())
    }

    /// Finishes everything taken so far, or gives it up if the service has given up.
    fn drain(&mut self) -> Result<(), LaneError>;
}

/// Makes the lanes of an intake.
pub trait LaneFactory<'m> {
    /// What it makes.
    type Lane: Lane<'m> + Send + 'm;

    /// Makes lane `index`, which may spawn helpers of its own on `scope`; those must end when the lane is dropped.
    fn lane<'scope>(&self, index: usize, scope: &'scope Scope<'scope, 'm>) -> Result<Self::Lane, LaneError>
    where
        'm: 'scope;

    /// Where the lanes send to in transactions, which the intake then ends with the offsets in them. Without it,
    /// finished prefixes are committed by themselves.
    fn transaction(&self) -> Option<Arc<dyn TransactionalOutlet + 'm>> {
        None
    }
}

/// A lane cannot go on. Everything it has not finished is read again by the next process.
#[derive(Debug, thiserror::Error)]
#[error("lane cannot go on")]
pub struct LaneError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl LaneError {
    /// A lane that stops because of `error`.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Runs a lane until its batches end, then drains it. A word on `drains` makes it finish what it holds, so that a
/// partition can be given up.
pub(super) fn run<'m>(
    lane: &mut impl Lane<'m>,
    batches: &Receiver<Vec<Taken<'m>>>,
    drains: &Receiver<()>,
    tick_interval: Duration,
) -> Result<(), LaneError> {
    let mut ticked = Instant::now();
    loop {
        select! {
            recv(batches) -> batch => match batch {
                Ok(mut batch) => {
                    batch.retain(|taken| !taken.receipt.is_revoked());
                    lane.take(batch)?;
                }
                Err(_) => return lane.drain(),
            },
            recv(drains) -> asked => if asked.is_ok() { lane.drain()? },
            default(tick_interval) => {}
        }
        if ticked.elapsed() >= tick_interval {
            lane.tick()?;
            ticked = Instant::now();
        }
    }
}
