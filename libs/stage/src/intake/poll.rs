//! The poll thread: consumes messages, dispatches them to the workers, and commits what has finished.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use rdkafka::{ClientConfig, Message, TopicPartitionList};

use super::age;
use super::assignment::Assignments;
use super::blocked::{Inspector, Orders};
use super::commit_thread_handle::{CommitThreadHandle, Request};
use super::commits;
use super::context::IntakeContext;
use super::dispatch::Dispatcher;
use super::ends;
use super::error::IntakeError;
use super::lag::SEEK_SETTLE_DURATION;
use super::options::IntakeOptions;
use super::settings;
use super::stalls;
use super::time_range::{Progress, RangeReader};
use super::topic_ids;
use super::transaction::{self, Committer};
use super::vitals::WatchedConsumer;
use super::worker::{self, Consumed, WorkerFactory};
use crate::kafka::Reporter;
use crate::kafka::native::TopicId;
use crate::memory::Resident;
use crate::service::Shutdown;

/// Messages consumed at once: enough to spread the cost of a hand-over, few enough to be dispatched within a
/// millisecond.
const BATCH: usize = 512;
/// Batches that may be queued for a worker.
const WORKER_QUEUE: usize = 8;
/// How long the workers may be full before the partitions are paused. Pausing discards librdkafka's fetched messages,
/// so it is not meant for short delays; the group tolerates minutes.
const PAUSE_AFTER: Duration = Duration::from_secs(2);
/// How long a time range may be read without an assigned partition.
const ASSIGNMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// A consumer with its assignments.
pub struct Intake {
    consumer: BaseConsumer<IntakeContext>,
    assignments: Arc<Assignments>,
    drain_requests: Vec<Receiver<()>>,
    commit_requests: Receiver<Request>,
    /// The configuration of the consumer, also for clients that inspect a partition.
    config: ClientConfig,
    options: IntakeOptions,
    reporter: Reporter,
    since: Instant,
}

impl Intake {
    /// Creates the consumer and subscribes. Brokers need not be available yet.
    pub fn new(options: IntakeOptions, reporter: Reporter) -> Result<Self, IntakeError> {
        let (metrics, subsystems) = (reporter.metrics().clone(), options.subsystems.clone());
        let assignments = Arc::new(Assignments::new(metrics, subsystems));
        let (drains, drain_requests) = (0..options.workers.max(1)).map(|_| bounded(1)).unzip();
        let (thread, commit_requests) = CommitThreadHandle::new();
        let context = IntakeContext::new(&options, &reporter, Arc::clone(&assignments), drains, thread);
        let config = settings::of_consumer(&options);
        let setup = |source| IntakeError::Setup {
            topics: options.topics.subscription().join(" "),
            source,
        };
        let consumer: BaseConsumer<IntakeContext> = config.create_with_context(context).map_err(setup)?;
        let names = options.topics.subscription();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(setup)?;
        age::show(&options.subsystems, consumer.context());
        Ok(Self {
            consumer,
            assignments,
            drain_requests,
            commit_requests,
            config,
            options,
            reporter,
            since: Instant::now(),
        })
    }

    /// Whether it has ended because its whole assigned part of the range is read and finished.
    pub fn has_read_range(&self) -> bool {
        let range = self.consumer.context().range.as_ref();
        range.is_some_and(RangeReader::is_finished)
    }

    /// Consumes on this thread until the service ends; workers have their own threads.
    ///
    /// When it returns, every worker has drained or given up at the deadline, and the finished prefixes are committed.
    pub fn run<'m, F: WorkerFactory<'m>>(
        &'m self,
        factory: &F,
        shutdown: &'m Shutdown,
    ) -> Result<(), IntakeError> {
        let context = self.consumer.context();
        let (rewinds, asked_rewinds) = bounded(1);
        let result = thread::scope(|scope| {
            let mut queues = Vec::new();
            let mut workers = Vec::new();
            for (index, drains) in self.drain_requests.iter().enumerate() {
                let (queue, batches) = bounded(WORKER_QUEUE);
                let mut worker = factory.worker(index, scope)?;
                queues.push(queue);
                workers.push(scope.spawn(move || {
                    let _guard = shutdown.fail_on_panic();
                    let result = worker::run(&mut worker, &batches, drains, self.options.tick_interval);
                    if result.is_err() {
                        shutdown.fail();
                    }
                    result
                }));
            }
            let transaction = factory.transaction();
            context
                .is_transactional
                .store(transaction.is_some(), Ordering::Relaxed);
            self.assignments.set_transactional(transaction.is_some());
            let committer = transaction.map(|producer| {
                let committer = Committer {
                    producer,
                    consumer: &self.consumer,
                    thread: &context.commit_thread,
                    requests: &self.commit_requests,
                    assignments: &self.assignments,
                    rewinds,
                    interval: self.options.commit_interval,
                    shares_id: self.options.config.get("group.instance.id").is_some(),
                    has_committed: Cell::new(false),
                    shutdown,
                };
                scope.spawn(move || {
                    let _guard = shutdown.fail_on_panic();
                    committer.run()
                })
            });
            let (watched, over) = bounded(0);
            if committer.is_some() {
                let over = over.clone();
                scope.spawn(move || context.commit_thread.watch(&over, shutdown));
            }
            let consumer = WatchedConsumer::new(&self.consumer, &self.options);
            let others = factory.clients();
            let watching = scope.spawn(move || consumer.watch(others, &over, shutdown));
            let (to_orders, orders) = unbounded();
            let inspector = Inspector {
                consumer: &self.consumer,
                config: &self.config,
                reporter: self.reporter.clone(),
                orders: to_orders,
                shutdown,
            };
            scope.spawn(move || {
                let _guard = shutdown.fail_on_panic();
                inspector.run()
            });
            let orders = Orders {
                consumer: &self.consumer,
                assignments: &self.assignments,
                workers: queues.len(),
                orders,
            };
            let (asking, asked_enough) = bounded(0);
            let (found, ids) = bounded(1);
            let interval = self.options.topic_ids_interval;
            let over = asked_enough.clone();
            scope.spawn(move || topic_ids::watch(&self.consumer, interval, &found, &over));
            let interval = self.options.ends_interval;
            let over = asked_enough.clone();
            scope.spawn(move || ends::watch(&self.consumer, interval, &over));
            scope.spawn(move || stalls::watch(&self.consumer, &self.options, &asked_enough));
            let polled = self.poll_until_shutdown(&queues, &orders, asked_rewinds, &ids, shutdown);
            if polled.is_err() {
                shutdown.fail();
            }
            drop(asking);
            drop(queues);
            // All are joined before any result is examined, because the commit thread ends only on request.
            let workers: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
            let committed = committer.map_or(Ok(Ok(())), |committer| {
                context.commit_thread.end();
                committer.join()
            });
            drop(watched);
            let given_up = watching
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            for ended in workers {
                ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            committed.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            given_up.map_or(polled, |why| Err(why.into()))
        });
        self.assignments.publish();
        if matches!(result, Err(IntakeError::Stuck { .. } | IntakeError::Stale)) {
            // A commit might not return; the next consumer reads uncommitted messages again.
            context.abandon();
        } else if context.is_transactional.load(Ordering::Relaxed) {
            // Already committed; what remains must not be committed when the consumer closes.
            self.assignments.clear();
        } else if let Err(error) = commits::commit_last(&self.consumer, &self.assignments.partitions()) {
            tracing::warn!(error = %crate::chain(&error), "last commit failed; some messages are read twice");
        }
        result
    }

    fn poll_until_shutdown<'m>(
        &'m self,
        queues: &[Sender<Vec<Consumed<'m>>>],
        orders: &Orders<'_>,
        rewinds: Receiver<Sender<()>>,
        ids: &Receiver<HashMap<String, TopicId>>,
        shutdown: &Shutdown,
    ) -> Result<(), IntakeError> {
        let context = self.consumer.context();
        let mut dispatcher = Dispatcher::new(&self.consumer, queues);
        let resident = Resident::default();
        let mut committed = Instant::now();
        let mut full_since: Option<Instant> = None;
        let mut paused = false;
        while !shutdown.is_set() {
            if self.reporter.has_met_fatal() {
                return Err(IntakeError::Fatal(None));
            }
            if let Ok(done) = rewinds.try_recv() {
                transaction::seek_back(&self.consumer, &self.assignments)?;
                let _ = done.send(());
            }
            orders.obey();
            if let Ok(ids) = ids.try_recv() {
                topic_ids::compare(context, &ids);
            }
            if dispatcher.waiting() == 0 && !paused {
                context.fetched.settle(&self.consumer, context, queues.len());
            }
            if dispatcher.waiting() == 0 && self.is_range_read()? {
                shutdown.ask();
                break;
            }
            if committed.elapsed() >= self.options.commit_interval {
                commits::send(&self.consumer);
                self.assignments.publish();
                committed = Instant::now();
            }
            if dispatcher.dispatch() && self.has_room(dispatcher.waiting_bytes(), &resident) {
                full_since = None;
                if paused {
                    paused = !self.set_paused(false);
                }
                if let Some(message) = self.poll(Duration::from_millis(50))? {
                    dispatcher.push(message);
                    while dispatcher.waiting() < BATCH && self.has_room(dispatcher.waiting_bytes(), &resident)
                    {
                        match self.poll(Duration::ZERO)? {
                            Some(message) => dispatcher.push(message),
                            None => break,
                        }
                    }
                }
            } else if full_since.get_or_insert_with(Instant::now).elapsed() < PAUSE_AFTER {
                dispatcher.wait();
            } else {
                if !paused {
                    paused = self.set_paused(true);
                }
                // Serves rebalances; a message that arrives nevertheless waits with the others.
                if let Some(message) = self.poll(Duration::from_millis(20))? {
                    dispatcher.push(message);
                }
            }
        }
        Ok(())
    }

    /// Whether more may be consumed, in addition to what is in flight and what waits for a worker. When too much memory
    /// is in use, a fraction still flows: allocators return memory late, and a sink that stops returns none.
    fn has_room(&self, waiting: usize, resident: &Resident) -> bool {
        let is_over = self
            .options
            .max_resident
            .is_some_and(|most| resident.exceeds(most));
        let most = if is_over {
            self.options.max_bytes / 8
        } else {
            self.options.max_bytes
        };
        self.assignments.bytes() + waiting < most
    }

    /// Whether there is a range, and all of it is read and finished.
    fn is_range_read(&self) -> Result<bool, IntakeError> {
        let context = self.consumer.context();
        let Some(range) = &context.range else {
            return Ok(false);
        };
        match range.progress().map_err(IntakeError::Range)? {
            Progress::NothingAssigned if self.since.elapsed() > ASSIGNMENT_TIMEOUT => {
                Err(IntakeError::NothingAssigned {
                    topics: self.options.topics.subscription().join(" "),
                })
            }
            Progress::NothingAssigned | Progress::Reading => Ok(false),
            Progress::Read => Ok(self.assignments.messages() == 0 && range.finish()),
        }
    }

    fn poll(&self, timeout: Duration) -> Result<Option<BorrowedMessage<'_>>, IntakeError> {
        let range = &self.consumer.context().range;
        match self.consumer.poll(timeout) {
            None => {
                let vitals = &self.consumer.context().vitals;
                vitals.has_waited.store(true, Ordering::Relaxed);
                Ok(None)
            }
            Some(Ok(message))
                if range.as_ref().is_some_and(|range| {
                    !range.takes(message.topic(), message.partition(), message.offset())
                }) =>
            {
                let mut behind = TopicPartitionList::new();
                behind.add_partition(message.topic(), message.partition());
                if let Err(error) = self.consumer.pause(&behind) {
                    tracing::debug!(error = %crate::chain(&error), "partition beyond the range is still fetched");
                }
                Ok(None)
            }
            Some(Ok(message)) => Ok(Some(message)),
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::Fatal) => Err(IntakeError::Fatal(Some(error))),
                Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                    self.reporter
                        .dependency()
                        .down("a subscribed topic does not exist yet");
                    Ok(None)
                }
                code if self.consumer.context().is_of_batch(code) => Ok(None),
                // Logged by the client's context, which also receives the reason.
                _ => {
                    tracing::debug!(error = %crate::chain(&error), "consumer reports an error and keeps trying");
                    Ok(None)
                }
            },
        }
    }

    /// Pauses or resumes all assigned partitions except blocked ones. False if that failed.
    fn set_paused(&self, pause: bool) -> bool {
        self.consumer.context().fetched.forget(SEEK_SETTLE_DURATION);
        let blocked = &self.consumer.context().blocked;
        let done = self
            .consumer
            .assignment()
            .and_then(|list| {
                if pause {
                    self.consumer.pause(&list)
                } else {
                    self.consumer.resume(&blocked.without_held(&list))
                }
            })
            .is_ok();
        if done {
            blocked.pause_all(pause);
            stalls::forget(self.consumer.context());
            self.reporter.metrics().paused.set(i64::from(pause));
            let (bytes, messages) = (self.assignments.bytes(), self.assignments.messages());
            tracing::info!(
                pause,
                bytes,
                messages,
                "consumer paused or resumed: downstream sets the pace"
            );
        }
        done
    }
}

impl Drop for Intake {
    /// The consumer closes after this.
    fn drop(&mut self) {
        self.consumer.context().is_closing.store(true, Ordering::Relaxed);
    }
}
