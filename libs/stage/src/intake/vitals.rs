//! The intake's consumer as its watch sees it: librdkafka's statistics show its state in the group, and whether brokers
//! answer it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::Receiver;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::statistics::Statistics;

use super::context::IntakeContext;
use super::lag;
use super::options::IntakeOptions;
use crate::kafka::{AnyClient, GivenUp, Limits, Progress, Watched, watch};
use crate::service::Shutdown;

/// Less frequent statistics, in milliseconds, are useless to the watch.
const MAX_STATISTICS_INTERVAL_MS: u32 = 20_000;

/// Values from the statistics.
#[derive(Debug, Default)]
pub(super) struct Vitals {
    /// Answers of brokers while there is a coordinator: a consumer in its group gets some with each heartbeat.
    answers: AtomicU64,
    /// A topic that is read was deleted and recreated.
    pub(super) is_stale: AtomicBool,
    /// The consumer is stuck: its assignment no longer matters to the stage.
    pub(super) is_abandoned: AtomicBool,
    /// Messages wait in an assigned partition, and none is fetched.
    pub(super) is_stalled: AtomicBool,
    /// The poll thread has found nothing to consume since this was last read: the intake is not what is slow.
    pub(super) has_waited: AtomicBool,
}

impl Vitals {
    pub(super) fn learn(&self, statistics: &Statistics) {
        if statistics.cgrp.as_ref().is_some_and(|group| group.state == "up") {
            self.answers
                .store(statistics.rx.unsigned_abs(), Ordering::Relaxed);
        }
    }
}

impl IntakeContext {
    /// The assignments now belong to the next consumer. A commit before this one closes might not return.
    pub(super) fn abandon(&self) {
        self.vitals.is_abandoned.store(true, Ordering::Relaxed);
        self.assignments.clear();
        let list = self.assigned.list();
        lag::forget(self, &list);
        let metrics = self.reporter.metrics();
        metrics.assigned.set(0);
        metrics.paused.set(0);
    }
}

#[derive(Clone, Copy)]
pub(super) struct WatchedConsumer<'m> {
    consumer: &'m BaseConsumer<IntakeContext>,
    options: &'m IntakeOptions,
}

impl<'m> WatchedConsumer<'m> {
    pub(super) fn new(consumer: &'m BaseConsumer<IntakeContext>, options: &'m IntakeOptions) -> Self {
        Self { consumer, options }
    }

    /// Watches it and the stage's other clients until `over` is closed. If one has become useless, the generation ends,
    /// and the reason is returned.
    pub(super) fn watch(
        self,
        others: Vec<Arc<dyn Watched + 'm>>,
        over: &Receiver<()>,
        shutdown: &Shutdown,
    ) -> Option<GivenUp> {
        let _guard = shutdown.fail_on_panic();
        let mut clients: Vec<Arc<dyn Watched + 'm>> = vec![Arc::new(self)];
        clients.extend(others);
        let context = self.consumer.context();
        let mut limits = Limits::from(self.options.stuck_timeout);
        if let Some(timeout) = self.options.answered_timeout {
            limits.answered_timeout = timeout;
        }
        let why = watch(&clients, limits, context.reporter.metrics(), over)?;
        if why == GivenUp::Stuck(self.name())
            && let Some(partitions) = context.blocked.stalled()
        {
            tracing::warn!(
                partitions,
                "messages wait in assigned partitions and are not fetched although the cluster works"
            );
        }
        shutdown.abandon();
        Some(why)
    }
}

impl Watched for WatchedConsumer<'_> {
    fn name(&self) -> &'static str {
        "consumer"
    }

    fn progress(&self) -> Progress {
        // Nothing is known if the operator has disabled statistics or made them rare.
        let interval = self.options.config.get("statistics.interval.ms");
        let interval = interval.and_then(|interval| interval.parse::<u32>().ok());
        if interval.is_some_and(|interval| interval == 0 || interval > MAX_STATISTICS_INTERVAL_MS) {
            return Progress::Unknown;
        }
        let vitals = &self.consumer.context().vitals;
        if vitals.is_stalled.load(Ordering::Relaxed) {
            return Progress::Stalled;
        }
        Progress::At(vitals.answers.load(Ordering::Relaxed))
    }

    fn client(&self) -> &dyn AnyClient {
        self.consumer.client()
    }

    fn config(&self) -> &ClientConfig {
        &self.options.config
    }

    fn group(&self) -> Option<&str> {
        Some(&self.options.group)
    }

    fn is_stale(&self) -> bool {
        let context = self.consumer.context();
        context.vitals.is_stale.load(Ordering::Relaxed) || context.reporter.unacknowledged().is_stale()
    }
}
