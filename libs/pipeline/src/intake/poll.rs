//! The poll thread: takes messages, deals them to the lanes, and commits what has finished.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, TrySendError, bounded};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;

use super::board::{Board, Partition};
use super::context::{IntakeContext, commit};
use super::lane::{self, LaneError, LaneFactory, Taken};
use super::options::IntakeOptions;
use crate::kafka::Reporter;
use crate::service::Shutdown;

/// Messages taken in one go: enough to spread the cost of a hand-over, few enough to be dealt within a millisecond.
const BATCH: usize = 512;
/// Batches that may wait in front of a lane.
const LANE_QUEUE: usize = 8;
/// How long the lanes may be full before the partitions are paused. Pausing throws librdkafka's fetched messages away,
/// so that it is not for hiccups; the group tolerates minutes.
const PAUSE_AFTER: Duration = Duration::from_secs(2);

/// A consumer with its board.
pub struct Intake {
    consumer: BaseConsumer<IntakeContext>,
    board: Arc<Board>,
    drain_requests: Vec<crossbeam_channel::Receiver<()>>,
    options: IntakeOptions,
    reporter: Reporter,
}

/// The intake cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The consumer cannot be made or subscribed: a wrong setting or expression.
    #[error("cannot consume {topics}")]
    Setup {
        /// What was to be consumed.
        topics: String,
        /// librdkafka's words.
        #[source]
        source: KafkaError,
    },
    /// librdkafka cannot recover; the log says of what, just before.
    #[error("a kafka client cannot go on")]
    Fatal(#[source] Option<KafkaError>),
    /// A lane cannot go on.
    #[error(transparent)]
    Lane(#[from] LaneError),
}

impl Intake {
    /// Makes the consumer and subscribes. Brokers need not be there yet.
    pub fn new(options: IntakeOptions, reporter: Reporter) -> Result<Self, IntakeError> {
        let board = Arc::new(Board::new(reporter.metrics().clone()));
        let (drains, drain_requests) = (0..options.lanes.max(1)).map(|_| bounded(1)).unzip();
        let context = IntakeContext {
            reporter: reporter.clone(),
            board: Arc::clone(&board),
            drains,
            starts_at_latest: options.auto_offset_reset == "latest" && !options.rewind_to_start,
            rewound: options.rewind_to_start.then(Default::default),
        };
        let mut config = options.config.clone();
        // Ours unless the operator says otherwise with -X.
        for (key, value) in [
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("statistics.interval.ms", "5000"),
            // New topics are seen within seconds: those of a regular expression, and those that init makes later.
            ("topic.metadata.refresh.interval.ms", "10000"),
            ("auto.offset.reset", &options.auto_offset_reset),
            ("fetch.wait.max.ms", "100"),
        ] {
            if config.get(key).is_none() {
                config.set(key, value);
            }
        }
        // What the promises stand on cannot be set from outside: only finished prefixes are committed, by us.
        config.set("group.id", &options.group);
        config
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false");
        let setup = |source| IntakeError::Setup {
            topics: options.topics.subscription().join(" "),
            source,
        };
        let consumer: BaseConsumer<IntakeContext> = config.create_with_context(context).map_err(setup)?;
        let names = options.topics.subscription();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(setup)?;
        Ok(Self {
            consumer,
            board,
            drain_requests,
            options,
            reporter,
        })
    }

    /// Consumes on this thread until the service ends; lanes work on threads of their own.
    ///
    /// When it returns, every lane has drained (or given up at the deadline) and the finished prefixes are committed.
    pub fn run<'m, F: LaneFactory<'m>>(
        &'m self,
        factory: &F,
        shutdown: &'m Shutdown,
    ) -> Result<(), IntakeError> {
        let result = thread::scope(|scope| {
            let mut queues = Vec::new();
            let mut lanes = Vec::new();
            for (index, drains) in self.drain_requests.iter().enumerate() {
                let (queue, batches) = bounded(LANE_QUEUE);
                let mut lane = factory.lane(index, scope)?;
                queues.push(queue);
                lanes.push(scope.spawn(move || {
                    let result = lane::run(&mut lane, &batches, drains, self.options.tick_interval);
                    if result.is_err() {
                        shutdown.fail();
                    }
                    result
                }));
            }
            let polled = self.poll_until_shutdown(&queues, shutdown);
            if polled.is_err() {
                shutdown.fail();
            }
            drop(queues);
            for lane in lanes {
                match lane.join() {
                    Ok(result) => result?,
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            polled
        });
        self.board.publish();
        if let Err(error) = commit(&self.consumer, &self.board.partitions(), CommitMode::Sync) {
            tracing::warn!(error = %crate::chain(&error), "last commit failed; some messages are read twice");
        }
        result
    }

    fn poll_until_shutdown<'m>(
        &'m self,
        queues: &[Sender<Vec<Taken<'m>>>],
        shutdown: &Shutdown,
    ) -> Result<(), IntakeError> {
        let mut dealer = Dealer {
            board: &self.board,
            queues,
            waiting: VecDeque::new(),
            last: None,
        };
        let mut committed = Instant::now();
        let mut full_since: Option<Instant> = None;
        let mut paused = false;
        while !shutdown.is_set() {
            if self.reporter.has_met_fatal() {
                return Err(IntakeError::Fatal(None));
            }
            if committed.elapsed() >= self.options.commit_interval {
                if let Err(error) = commit(&self.consumer, &self.board.partitions(), CommitMode::Async) {
                    tracing::warn!(error = %crate::chain(&error), "offset commit could not be sent");
                }
                self.board.publish();
                committed = Instant::now();
            }
            if dealer.deal()? && self.board.bytes() < self.options.max_bytes {
                full_since = None;
                if paused {
                    paused = !self.set_paused(false);
                }
                if let Some(message) = self.poll(Duration::from_millis(50))? {
                    dealer.push(message);
                    while dealer.waiting.len() < BATCH {
                        match self.poll(Duration::ZERO)? {
                            Some(message) => dealer.push(message),
                            None => break,
                        }
                    }
                }
            } else if full_since.get_or_insert_with(Instant::now).elapsed() < PAUSE_AFTER {
                thread::sleep(Duration::from_millis(1));
            } else {
                if !paused {
                    paused = self.set_paused(true);
                }
                // Serves rebalances; a message that was on its way all the same just waits with the others.
                if let Some(message) = self.poll(Duration::from_millis(20))? {
                    dealer.push(message);
                }
            }
        }
        Ok(())
    }

    fn poll(&self, timeout: Duration) -> Result<Option<BorrowedMessage<'_>>, IntakeError> {
        match self.consumer.poll(timeout) {
            None => Ok(None),
            Some(Ok(message)) => Ok(Some(message)),
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::Fatal) => Err(IntakeError::Fatal(Some(error))),
                Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                    self.reporter.part().down("a subscribed topic does not exist yet");
                    Ok(None)
                }
                // Said by the client's context, which hears the reason too.
                _ => {
                    tracing::debug!(error = %crate::chain(&error), "consumer reports an error; it goes on trying");
                    Ok(None)
                }
            },
        }
    }

    /// Pauses or resumes all assigned partitions; says whether it could.
    fn set_paused(&self, pause: bool) -> bool {
        let done = self
            .consumer
            .assignment()
            .and_then(|list| {
                if pause {
                    self.consumer.pause(&list)
                } else {
                    self.consumer.resume(&list)
                }
            })
            .is_ok();
        if done {
            self.reporter.metrics().paused.set(i64::from(pause));
            let (bytes, messages) = (self.board.bytes(), self.board.messages());
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

/// Deals messages to the lanes, and keeps what does not fit.
struct Dealer<'a, 'm> {
    board: &'a Board,
    queues: &'a [Sender<Vec<Taken<'m>>>],
    /// Taken from librdkafka, not yet dealt: without receipts, so that a revoke need not wait for them.
    waiting: VecDeque<(Arc<Partition>, BorrowedMessage<'m>)>,
    /// The last message's partition: fetches come partition by partition, so that it is nearly always the next one's.
    last: Option<Arc<Partition>>,
}

impl<'m> Dealer<'_, 'm> {
    fn push(&mut self, message: BorrowedMessage<'m>) {
        let number = message.partition();
        let partition = match self.last.take() {
            Some(last) if last.number == number && !last.is_revoked() && *last.topic == *message.topic() => {
                last
            }
            _ => self.board.partition(message.topic(), number, self.queues.len()),
        };
        self.last = Some(Arc::clone(&partition));
        self.waiting.push_back((partition, message));
    }

    /// Hands each lane its share; says whether nothing is left waiting.
    fn deal(&mut self) -> Result<bool, IntakeError> {
        if self.waiting.is_empty() {
            return Ok(true);
        }
        self.waiting.retain(|(partition, _)| !partition.is_revoked());
        for (index, queue) in self.queues.iter().enumerate() {
            if queue.is_full() || !self.waiting.iter().any(|(partition, _)| partition.lane == index) {
                continue;
            }
            let mut batch = Vec::new();
            let mut others = VecDeque::new();
            for (partition, message) in self.waiting.drain(..) {
                if partition.lane == index {
                    let receipt = partition.take(message.offset(), message.payload_len() + message.key_len());
                    batch.push(Taken { message, receipt });
                } else {
                    others.push_back((partition, message));
                }
            }
            self.waiting = others;
            match queue.try_send(batch) {
                Ok(()) => {}
                // This thread alone sends, and it saw room.
                Err(TrySendError::Full(_)) => unreachable!("a queue filled up by itself"),
                // The lane has ended with an error, which its own thread reports.
                Err(TrySendError::Disconnected(_)) => return Ok(false),
            }
        }
        Ok(self.waiting.is_empty())
    }
}
