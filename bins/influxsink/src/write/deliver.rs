//! Delivery of one batch: retries while the database is away, bisects while it rejects, and gives each point
//! its fate exactly once.
//!
//! A rejected request is cut in halves until a single point is rejected: that one is bad, and goes to the
//! dead-letter topic with the database's own words. One bad line among 5,000 costs about 25 more requests.
//! Halves are sent in order, so that points leave the batch at its front. Points that a partial write had
//! stored already are written again, which changes nothing.

use bytes::Bytes;
use pipeline::dead_letter::Reason;
use pipeline::metrics::SinkMetrics;
use pipeline::retry::Backoff;
use pipeline::service::{Part, Shutdown};

use super::{Answer, Destination};
use crate::batch::{Batch, BatchedPoint};

/// What happens to points; the sink's own does it to Kafka messages.
pub trait Fates<K> {
    /// The points are in the database.
    fn written(&mut self, points: impl Iterator<Item = BatchedPoint<K>>);
    /// The database can never take it.
    fn rejected(&mut self, point: BatchedPoint<K>, reason: Reason);
    /// Whether nobody waits for the point any more: its partition is another process's now.
    fn is_abandoned(&self, kept: &K) -> bool;
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every point has its fate.
    Settled,
    /// The process ends, or all points that are left are abandoned; they were dropped unfinished.
    GivenUp,
}

/// Delivers batches to one destination.
#[derive(Debug)]
pub struct Delivery {
    destination: Destination,
    metrics: SinkMetrics,
    readiness: Part,
    shutdown: Shutdown,
    backoff: Backoff,
    /// Whether the database's last answer was one.
    is_up: bool,
}

impl Delivery {
    /// `readiness` is the part `database`: away until the first answer.
    pub fn new(destination: Destination, metrics: SinkMetrics, readiness: Part, shutdown: Shutdown) -> Self {
        Self {
            destination,
            metrics,
            readiness,
            shutdown,
            backoff: Backoff::default(),
            is_up: false,
        }
    }

    /// Asks a database that has not answered yet, or was away, whether it would take points: an empty write
    /// is refused for the same reasons as any, so that `/ready` knows of a wrong token or a missing bucket
    /// before there is data.
    pub fn probe(&mut self) {
        if self.is_up {
            return;
        }
        match self.destination.write(Bytes::new()) {
            Answer::Away { message, .. } => self.readiness.down(message),
            Answer::Busy { .. } => {}
            // Some versions call an empty write bad; they have looked at token and bucket before.
            Answer::Written | Answer::Rejected { .. } | Answer::TooLarge { .. } => self.answered(),
        }
    }

    /// Blocks until every point has its fate, however long the database is away, or the process gives up.
    pub fn deliver<K>(&mut self, batch: Batch<K>, fates: &mut impl Fates<K>) -> Ended {
        let mut points = batch.unsettled();
        // Sizes of the groups that are still to be sent, the first on top.
        let mut groups = vec![points.len()];
        while let Some(count) = groups.pop().filter(|count| *count > 0) {
            let timer = self.metrics.request_seconds.start_timer();
            let answer = self.destination.write(points.lines(count));
            timer.observe_duration();
            let (message, reason) = match answer {
                Answer::Written => {
                    self.answered();
                    fates.written(points.settle(count));
                    continue;
                }
                Answer::Rejected { message } => (message, "rejected"),
                Answer::TooLarge { message } => (message, "too_large"),
                answer => {
                    groups.push(count);
                    if !self.wait(&answer) || points.kept().all(|kept| fates.is_abandoned(kept)) {
                        return Ended::GivenUp;
                    }
                    continue;
                }
            };
            self.answered();
            self.metrics.retries.with_label_values(&[reason]).inc();
            if count > 1 {
                groups.extend([count - count / 2, count / 2]);
                continue;
            }
            for point in points.settle(1) {
                fates.rejected(
                    point,
                    Reason {
                        stage: "write",
                        reason,
                        detail: message.clone(),
                    },
                );
            }
        }
        Ended::Settled
    }

    /// The database is there and has judged.
    fn answered(&mut self) {
        self.is_up = true;
        self.readiness.up();
        self.backoff.reset();
    }

    /// Waits before the next try; says whether there is to be one.
    fn wait(&mut self, answer: &Answer) -> bool {
        let (reason, after, message) = match answer {
            Answer::Away { reason, message } => {
                self.is_up = false;
                self.readiness.down(message.as_str());
                (reason, None, message)
            }
            Answer::Busy {
                reason,
                after,
                message,
            } => (reason, *after, message),
            Answer::Written | Answer::Rejected { .. } | Answer::TooLarge { .. } => return true,
        };
        self.metrics.retries.with_label_values(&[*reason]).inc();
        tracing::debug!(
            reason,
            message,
            "database cannot take a batch now; it is kept and sent again"
        );
        self.backoff.wait(after, &self.shutdown)
    }
}
