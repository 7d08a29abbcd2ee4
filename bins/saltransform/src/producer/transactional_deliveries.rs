//! What became of the records of the open transaction: the context of the transactional producer (`transactional.rs`), which
//! librdkafka calls with each record that is delivered or has failed.

use std::marker::PhantomData;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use stage::dead_letter::{self, Extent, Letter, is_too_large, shares_a_batch};
use stage::kafka::{Reporter, record_refusal};
use stage::lock;
use stage::origin::Origin;
use stage::service::Shutdown;

use super::acknowledged::is_refusal;
use super::refused::{Refused, Verdict};
use super::reports::Reports;
use super::sent::Sent;
use super::tally::{Disposition, Tally};
use crate::metrics::TransformMetrics;

/// The context of the transactional producer: what became of the open transaction's records.
pub(super) struct Deliveries<'m> {
    pub(super) reporter: Reporter,
    metrics: TransformMetrics,
    pub(super) shutdown: Shutdown,
    dead_letter_topic: String,
    tally: Mutex<Tally>,
    failed: AtomicBool,
    pub(super) refused: Refused,
    /// Shortened dead letters of the open transaction.
    shortened: Mutex<Vec<(Origin, Extent)>>,
    pub(super) reports: Reports,
    lifetime: PhantomData<&'m ()>,
}

/// A record or a dead letter that is not delivered yet.
pub(crate) struct InFlight<'m> {
    pub(super) sent: Sent<'m>,
    /// The dead letter, if it is one, and how much of its message it holds.
    pub(super) letter: Option<(Letter, Extent)>,
    /// The bytes handed over, without the headers of dead letters.
    pub(super) bytes: usize,
}

impl InFlight<'_> {
    /// The next smaller extent of this letter.
    pub(super) fn shorter(&self) -> Option<Extent> {
        let message = &self.sent.consumed.message;
        let (letter, extent) = self.letter.as_ref()?;
        letter.shorter(*extent, message.key_len(), message.payload_len())
    }

    pub(super) fn shorten(&mut self, shorter: Extent) {
        if let Some((_, extent)) = &mut self.letter {
            *extent = shorter;
        }
    }
}

impl<'m> Deliveries<'m> {
    pub(super) fn new(
        reporter: Reporter,
        metrics: TransformMetrics,
        shutdown: Shutdown,
        dead_letter_topic: String,
    ) -> Self {
        Self {
            reporter,
            metrics,
            shutdown,
            dead_letter_topic,
            tally: Mutex::default(),
            failed: AtomicBool::new(false),
            refused: Refused::default(),
            shortened: Mutex::default(),
            reports: Reports::default(),
            lifetime: PhantomData,
        }
    }

    pub(super) fn count(&self, disposition: Disposition) {
        lock(&self.tally).count(disposition);
    }

    /// Whether a record was not delivered, so that the transaction can no longer be committed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// The transaction has ended.
    pub(super) fn settle(&self, committed: bool) {
        self.refused.settle(committed);
        let shortened = std::mem::take(&mut *lock(&self.shortened));
        let mut tally = lock(&self.tally);
        if committed {
            for (origin, extent) in shortened {
                self.reporter.shortened(&origin, extent.omitted());
            }
            tally.publish(&self.metrics);
        } else {
            tally.void(self.reporter.metrics());
            self.failed.store(false, Ordering::Release);
        }
    }

    /// Remembers what the broker refuses, for when the message is read again.
    fn refuse(&self, error: &KafkaError, refused: &BorrowedMessage<'_>, in_flight: &InFlight<'m>) {
        let sent = &in_flight.sent;
        let verdict = self.refused.of(&sent.consumed);
        let next = if is_too_large(error) && !sent.is_alone && shares_a_batch(in_flight.bytes) {
            Verdict {
                alone: true,
                ..verdict
            }
        } else if in_flight.letter.is_none() {
            Verdict {
                record: Some(record_refusal(error, refused.topic(), refused.key().is_some())),
                alone: false,
                ..verdict
            }
        } else {
            match in_flight.shorter() {
                Some(extent) if is_too_large(error) => Verdict { extent, ..verdict },
                _ => return dead_letter::fail(&self.shutdown, &self.dead_letter_topic, error),
            }
        };
        self.refused.learn(&sent.consumed, next);
    }
}

stage::reports_to_its_reporter!(Deliveries<'_>);

impl<'m> ProducerContext for Deliveries<'m> {
    type DeliveryOpaque = Box<InFlight<'m>>;

    fn delivery(&self, result: &DeliveryResult<'_>, in_flight: Box<InFlight<'m>>) {
        self.reports.count();
        if let Err((error, refused)) = result {
            self.failed.store(true, Ordering::Release);
            // Any other failure aborts the transaction, and the message is read again.
            return if is_refusal(error) {
                self.refuse(error, refused, &in_flight);
            };
        }
        let InFlight { sent, letter, .. } = *in_flight;
        self.refused.arrived(&sent.consumed);
        match letter {
            None => {
                self.count(Disposition::Produced);
                self.metrics
                    .total_seconds
                    .observe(sent.since.elapsed().as_secs_f64());
            }
            Some((letter, extent)) => {
                self.count(Disposition::DeadLetter(letter.reason.step, letter.reason.reason));
                if extent != Extent::Whole {
                    lock(&self.shortened).push((sent.consumed.receipt.origin(), extent));
                }
            }
        }
        sent.acknowledged().receipt.finish();
    }
}
