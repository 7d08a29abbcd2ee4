//! Delivery of one batch: retries while the database is unavailable, bisects while it rejects, and writes or rejects
//! each point exactly once.
//!
//! After a rejected request, the points that the database's message names ([`super::suspects`]) and the others are sent
//! separately; if the message names none, the request is bisected. A point that is rejected alone, or in a request of
//! which all were rejected, goes to the dead-letter topic with the database's message. A thousand points beyond a
//! bucket's retention among others cost two more requests; one bad line among 5,000 that nothing names, about 25.
//! Halves are sent in order; points of one series and time also stay in order, because a message about one applies to
//! the other. Points that a partial write has already stored are written again, which changes nothing.

use bytes::Bytes;
use stage::reason::Reason;
use stage::retry::Backoff;
use stage::service::{Dependency, Shutdown};

use super::Destination;
use super::suspects::{self, Accused, SentLine};
use crate::batch::{BatchedPoint, PendingBatch};
use crate::group::Group;
use crate::metrics::SinkMetrics;
use crate::write_result::WriteResult;

/// The length of the database's message in a dead letter, in characters.
const MAX_DETAIL_CHARS: usize = 600;

/// What happens to points; the sink's implementation does it to Kafka messages.
pub trait Outcomes<K> {
    /// The points are in the database.
    fn written(&mut self, points: impl Iterator<Item = BatchedPoint<K>>);
    /// The database can never store it.
    fn rejected(&mut self, point: BatchedPoint<K>, reason: Reason);
    /// Whether the point is no longer wanted: its partition belongs to another process now.
    fn is_abandoned(&self, kept: &K) -> bool;
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every point is written or rejected.
    Settled,
    /// The process ends, or all remaining points are abandoned; they were dropped unfinished.
    GivenUp,
}

/// Delivers batches to one destination.
#[derive(Debug)]
pub struct Delivery {
    destination: Destination,
    metrics: SinkMetrics,
    readiness: Dependency,
    shutdown: Shutdown,
    backoff: Backoff,
    /// Whether the database answered last time.
    is_up: bool,
}

impl Delivery {
    /// `readiness` is the dependency `database`, unavailable until the first answer.
    pub fn new(
        destination: Destination,
        metrics: SinkMetrics,
        readiness: Dependency,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            destination,
            metrics,
            readiness,
            shutdown,
            backoff: Backoff::default(),
            is_up: false,
        }
    }

    /// Asks a database that has not answered yet, or was unavailable, whether it would accept points: an empty write is
    /// refused for the same reasons as any, so that `/ready` shows a wrong token or a missing bucket before there is
    /// data.
    pub fn probe(&mut self) {
        if self.is_up {
            return;
        }
        match self.destination.write(Bytes::new()) {
            WriteResult::Away { message, .. } => self.readiness.down(message),
            WriteResult::Busy { .. } => {}
            // Some versions reject an empty write, but only after checking token and bucket.
            WriteResult::Written | WriteResult::Rejected { .. } | WriteResult::TooLarge { .. } => {
                self.answered()
            }
        }
    }

    /// Blocks until every point is written or rejected, however long the database is unavailable, or the process gives
    /// up.
    pub fn deliver<K>(&mut self, mut points: PendingBatch<K>, outcomes: &mut impl Outcomes<K>) -> Ended {
        // The groups to send, the first on top.
        let mut groups = vec![points.all()];
        while let Some(group) = groups.pop() {
            if group.len() == 0 {
                continue;
            }
            let timer = self.metrics.request_seconds.start_timer();
            let answer = self.destination.write(points.lines(&group));
            timer.observe_duration();
            match answer {
                WriteResult::Written => {
                    self.answered();
                    outcomes.written(points.settle(&group));
                }
                WriteResult::Rejected { message } => {
                    self.refused("rejected");
                    match accused(&message, &points, &group) {
                        Accused::All => reject(outcomes, points.settle(&group), "rejected", &message),
                        Accused::Some(positions) => {
                            let [those, others] = group.part(&positions);
                            groups.extend([others, those]);
                        }
                        Accused::Unknown => {
                            let [first, second] = group.halves();
                            groups.extend([second, first]);
                        }
                    }
                }
                WriteResult::TooLarge { message } => {
                    self.refused("too_large");
                    if group.len() == 1 {
                        reject(outcomes, points.settle(&group), "too_large", &message);
                    } else {
                        let [first, second] = group.halves();
                        groups.extend([second, first]);
                    }
                }
                answer @ (WriteResult::Away { .. } | WriteResult::Busy { .. }) => {
                    groups.push(group);
                    if !self.wait(&answer) || points.kept().all(|kept| outcomes.is_abandoned(kept)) {
                        return Ended::GivenUp;
                    }
                }
            }
        }
        Ended::Settled
    }

    /// The database has answered and refused something.
    fn refused(&mut self, reason: &'static str) {
        self.answered();
        self.metrics.retries.with_label_values(&[reason]).inc();
    }

    /// The database has answered with a judgement.
    fn answered(&mut self) {
        self.is_up = true;
        self.readiness.up();
        self.backoff.reset();
    }

    /// Waits before the next attempt. False if there is none.
    fn wait(&mut self, answer: &WriteResult) -> bool {
        let (reason, after, message) = match answer {
            WriteResult::Away { reason, message } => {
                self.is_up = false;
                self.readiness.down(message.as_str());
                (reason, None, message)
            }
            WriteResult::Busy {
                reason,
                after,
                message,
            } => (reason, *after, message),
            WriteResult::Written | WriteResult::Rejected { .. } | WriteResult::TooLarge { .. } => {
                return true;
            }
        };
        self.metrics.retries.with_label_values(&[*reason]).inc();
        tracing::debug!(
            reason,
            message,
            "database cannot store a batch now; it is kept and sent again"
        );
        self.backoff.wait(after, &self.shutdown)
    }
}

/// The points that a refusal names.
fn accused<K>(message: &str, points: &PendingBatch<K>, group: &Group) -> Accused {
    let lines: Vec<_> = group.places().map(|place| (points.line(place), place)).collect();
    let sent: Vec<_> = lines
        .iter()
        .map(|(line, place)| SentLine {
            line: std::str::from_utf8(line).unwrap_or_default(),
            time_micros: points.time_micros(*place),
        })
        .collect();
    suspects::accused(message, &sent)
}

/// These points become dead letters.
fn reject<K>(
    outcomes: &mut impl Outcomes<K>,
    points: impl Iterator<Item = BatchedPoint<K>>,
    reason: &'static str,
    message: &str,
) {
    // A list of a thousand lines is not stored with each of a thousand points.
    let detail: String = message.chars().take(MAX_DETAIL_CHARS).collect();
    for point in points {
        outcomes.rejected(
            point,
            Reason {
                step: "write",
                reason,
                detail: detail.clone(),
            },
        );
    }
}
