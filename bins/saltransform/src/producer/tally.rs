//! Counts what a transaction did: the metrics show it once the transaction is committed, and not otherwise.

use std::collections::HashMap;

use stage::metrics::KafkaMetrics;

use crate::metrics::TransformMetrics;

/// How a message was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Disposition {
    Produced,
    /// Step and reason.
    DeadLetter(&'static str, &'static str),
    Skipped(&'static str),
}

/// The dispositions of one transaction's messages.
#[derive(Debug, Default)]
pub(super) struct Tally(HashMap<Disposition, u64>);

impl Tally {
    pub(super) fn count(&mut self, disposition: Disposition) {
        *self.0.entry(disposition).or_default() += 1;
    }

    /// The transaction was committed.
    pub(super) fn publish(&mut self, metrics: &TransformMetrics) {
        for (disposition, count) in self.0.drain() {
            match disposition {
                Disposition::Produced => metrics.produced.inc_by(count),
                Disposition::DeadLetter(step, reason) => {
                    metrics
                        .dead_letters
                        .with_label_values(&[step, reason])
                        .inc_by(count);
                }
                Disposition::Skipped(reason) => metrics.skipped.with_label_values(&[reason]).inc_by(count),
            }
        }
    }

    /// The transaction was aborted: the messages are read again.
    pub(super) fn void(&mut self, metrics: &KafkaMetrics) {
        metrics
            .released
            .inc_by(self.0.drain().map(|(_, count)| count).sum());
    }
}
