//! A message whose record is on its way, and how many of a worker's are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use stage::intake::Consumed;
use stage::kafka::Probe;

/// A message whose record is on its way.
pub(crate) struct Sent<'m> {
    pub(crate) consumed: Consumed<'m>,
    pub(crate) since: Instant,
    /// Whether it shows that its topic's records arrive.
    probe: Option<Probe>,
    /// Whether nothing else is to be in its batch.
    pub(crate) is_alone: bool,
    /// Counts it as outstanding for its worker as long as it exists.
    outstanding: Outstanding,
}

/// How many records of one worker are on their way.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

struct Outstanding(Counter);

impl Counter {
    /// Records on their way.
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

    /// To be sent by itself, or not.
    pub(crate) fn alone(self, is_alone: bool) -> Self {
        Self { is_alone, ..self }
    }

    /// The worker's.
    pub(crate) fn counter(&self) -> &Counter {
        &self.outstanding.0
    }
}
