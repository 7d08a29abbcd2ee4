//! Between the poll thread and the workers: each message goes to its partition's worker, and waits where there is no room.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Select, Sender, TrySendError};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;

use super::assignment::{Partition, Receipt};
use super::context::IntakeContext;
use super::worker::Consumed;
use crate::memory::BESIDE_MESSAGE;

/// How long the poll thread waits at most before it looks again whether there is room: a database that is slow takes a batch
/// of lines in 50 ms and more, while the workers still have some.
const FULL_TIMEOUT: Duration = Duration::from_millis(20);

/// Deals messages to the workers, and keeps what does not fit.
pub(super) struct Dispatcher<'a, 'm> {
    consumer: &'a BaseConsumer<IntakeContext>,
    queues: &'a [Sender<Vec<Consumed<'m>>>],
    /// Consumed from librdkafka, not yet dealt: without receipts, so that a revoke need not wait for them.
    waiting: VecDeque<(Arc<Partition>, BorrowedMessage<'m>)>,
    waiting_bytes: usize,
    /// The last message's partition: fetches come partition by partition, so that it is nearly always the next one's.
    last: Option<Arc<Partition>>,
}

impl<'a, 'm> Dispatcher<'a, 'm> {
    pub(super) fn new(
        consumer: &'a BaseConsumer<IntakeContext>,
        queues: &'a [Sender<Vec<Consumed<'m>>>],
    ) -> Self {
        Self {
            consumer,
            queues,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            last: None,
        }
    }

    /// Messages that wait for room in a worker.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Their bytes.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    pub(super) fn push(&mut self, message: BorrowedMessage<'m>) {
        let (number, offset) = (message.partition(), message.offset());
        let context = self.consumer.context();
        let is_its = |last: &Partition| {
            last.number == number
                && !last.is_revoked()
                && !last.is_superseded()
                && *last.topic == *message.topic()
        };
        let mut partition = match self.last.take() {
            Some(last) if is_its(&last) => last,
            _ => context.partition(message.topic(), number, offset, self.queues.len()),
        };
        let expected = partition.next();
        if let Some(next) = expected
            && offset < next
            && context.blocked.is_thrown_back(&partition, next)
        {
            self.last = Some(partition);
            return;
        }
        partition.expect(Some(offset + 1));
        if let Some(expected) = expected.filter(|expected| *expected != offset) {
            partition = context.unexpected(self.consumer, partition, expected, offset);
        }
        self.last = Some(Arc::clone(&partition));
        self.waiting_bytes += size(&message);
        self.waiting.push_back((partition, message));
    }

    /// Hands each worker its share; says whether nothing is left waiting.
    pub(super) fn dispatch(&mut self) -> bool {
        if self.waiting.is_empty() {
            return true;
        }
        self.waiting.retain(|(partition, _)| !partition.is_revoked());
        for (index, queue) in self.queues.iter().enumerate() {
            if queue.is_full()
                || !self
                    .waiting
                    .iter()
                    .any(|(partition, _)| partition.worker == index)
            {
                continue;
            }
            let (mine, others): (Vec<_>, Vec<_>) = self
                .waiting
                .drain(..)
                .partition(|(partition, _)| partition.worker == index);
            self.waiting.extend(others);
            match queue.try_send(take(mine)) {
                Ok(()) => {}
                // This thread alone sends, and it saw room.
                Err(TrySendError::Full(_)) => unreachable!("a queue filled up by itself"),
                // The worker has ended with an error, which its own thread reports.
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        self.waiting_bytes = self.waiting.iter().map(|(_, message)| size(message)).sum();
        self.waiting.is_empty()
    }

    /// Waits until a worker has room for what waits for it, or [`FULL_TIMEOUT`] where nothing waits for a worker.
    pub(super) fn wait(&self) {
        let mut select = Select::new();
        for (index, queue) in self.queues.iter().enumerate() {
            if self
                .waiting
                .iter()
                .any(|(partition, _)| partition.worker == index)
            {
                select.send(queue);
            }
        }
        // Only to know when: what is ready is dealt with the next turn.
        let _ = select.ready_timeout(FULL_TIMEOUT);
    }
}

/// Notes messages as taken, each run of one partition's at once.
fn take<'m>(messages: Vec<(Arc<Partition>, BorrowedMessage<'m>)>) -> Vec<Consumed<'m>> {
    let runs = messages.chunk_by(|(one, _), (next, _)| Arc::ptr_eq(one, next));
    let receipts: Vec<Receipt> = runs
        .filter_map(|run| Some((&run.first()?.0, run)))
        .flat_map(|(partition, run)| {
            partition.take(run.iter().map(|(_, message)| (message.offset(), size(message))))
        })
        .collect();
    let messages = messages.into_iter().map(|(_, message)| message);
    let consumed = messages.zip(receipts);
    consumed
        .map(|(message, receipt)| Consumed { message, receipt })
        .collect()
}

/// What a message takes in memory: its bytes, which are librdkafka's own, and what is kept beside them.
fn size(message: &BorrowedMessage<'_>) -> usize {
    message.payload_len() + message.key_len() + BESIDE_MESSAGE
}
