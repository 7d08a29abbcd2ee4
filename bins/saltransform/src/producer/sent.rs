//! A message whose record is in flight, and the number of them per worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use stage::intake::Consumed;
use stage::kafka::Probe;

/// A message whose record is in flight.
pub(crate) struct Sent<'m> {
    pub(crate) consumed: Consumed<'m>,
    pub(crate) since: Instant,
    /// Set if it is the probe of its topic.
    probe: Option<Probe>,
    /// Whether it must not share its batch.
    pub(crate) is_alone: bool,
    /// Counts it as outstanding for its worker while it exists.
    outstanding: Outstanding,
}

/// The number of a worker's records in flight.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

struct Outstanding(Counter);

impl Counter {
    /// Records in flight.
    pub(crate) fn outstanding(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Release);
    }
}

impl<'m> Sent<'m> {
    pub(crate) fn new(
        consumed: Consumed<'m>,
        since: Instant,
        counter: &Counter,
        probe: Option<Probe>,
    ) -> Self {
        counter.0.fetch_add(1, Ordering::Relaxed);
        Self {
            consumed,
            since,
            probe,
            is_alone: false,
            outstanding: Outstanding(counter.clone()),
        }
    }

    /// The broker has it.
    pub(crate) fn acknowledged(self) -> Consumed<'m> {
        if let Some(probe) = self.probe {
            probe.acknowledged();
        }
        self.consumed
    }

    /// Sets whether it is sent alone.
    pub(crate) fn alone(self, is_alone: bool) -> Self {
        Self { is_alone, ..self }
    }

    /// The counter of its worker.
    pub(crate) fn counter(&self) -> &Counter {
        &self.outstanding.0
    }
}
