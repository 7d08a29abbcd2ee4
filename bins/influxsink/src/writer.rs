//! A writer thread: delivers the batches of its worker ([`worker`](crate::worker)), and ends their messages.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use prometheus::local::LocalHistogram;
use stage::dead_letter::SharedDeadLetters;
use stage::intake::{Consumed, Receipt};
use stage::reason::Reason;

use crate::batch::{BatchedPoint, PendingBatch};
use crate::in_flight::Permit;
use crate::metrics::SinkMetrics;
use crate::write::{Delivery, Outcomes};

/// How often a writer that waits for its first answer asks the database whether it is available.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// What a worker sends to its writers.
pub(crate) struct Job<'m> {
    pub(crate) batch: PendingBatch<Consumed<'m>>,
    /// Dropped when it is settled.
    pub(crate) permit: Permit,
}

/// A writer thread. It ends when its worker is dropped.
pub(crate) fn write_until_closed(
    mut delivery: Delivery,
    mut outcomes: MessageOutcomes,
    jobs: &Receiver<Job<'_>>,
) {
    delivery.probe();
    loop {
        match jobs.recv_timeout(PROBE_INTERVAL) {
            Ok(Job { batch, permit }) => {
                delivery.deliver(batch, &mut outcomes);
                drop(permit);
                outcomes.point_age.flush();
            }
            Err(RecvTimeoutError::Timeout) => delivery.probe(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Points end as finished Kafka messages.
pub(crate) struct MessageOutcomes {
    pub(crate) dead_letters: SharedDeadLetters,
    pub(crate) metrics: SinkMetrics,
    pub(crate) point_age: LocalHistogram,
}

impl<'m> Outcomes<Consumed<'m>> for MessageOutcomes {
    fn written(&mut self, points: impl Iterator<Item = BatchedPoint<Consumed<'m>>>) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64();
        let finish = |point: BatchedPoint<Consumed<'m>>| {
            self.point_age.observe(now - point.time_micros as f64 / 1e6);
            point.kept.receipt
        };
        let receipts: Vec<Receipt> = points.map(finish).collect();
        self.metrics.written.inc_by(receipts.len() as u64);
        Receipt::finish_all(receipts);
    }

    fn rejected(&mut self, point: BatchedPoint<Consumed<'m>>, reason: Reason) {
        self.dead_letters
            .send(&point.kept.message, point.kept.receipt, reason);
    }

    fn is_abandoned(&self, kept: &Consumed<'m>) -> bool {
        kept.receipt.is_revoked()
    }
}
