//! Hands each message from the poll thread to the worker of its partition; messages wait here while the worker is full.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Select, Sender, TrySendError};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;

use super::context::IntakeContext;
use super::partition::{Partition, Receipt, Taken};
use super::worker::Consumed;
use crate::memory::BESIDE_MESSAGE;

/// The maximum time before the poll thread checks again for room. A slow database takes 50 ms or more for a batch of
/// lines, while the workers still have some.
const FULL_TIMEOUT: Duration = Duration::from_millis(20);

/// Dispatches messages to the workers, and keeps those that do not fit.
pub(super) struct Dispatcher<'a, 'm> {
    consumer: &'a BaseConsumer<IntakeContext>,
    queues: &'a [Sender<Vec<Consumed<'m>>>],
    /// Consumed from librdkafka and not yet dispatched. They have no receipts, so that a revoke need not wait for them.
    waiting: VecDeque<(Arc<Partition>, BorrowedMessage<'m>)>,
    waiting_bytes: usize,
    /// The partition of the last message. Fetches arrive partition by partition, so it is nearly always that of the
    /// next.
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

    /// Messages that wait for a worker with room.
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
        partition.arrives(|| message.timestamp().to_millis());
        self.waiting_bytes += size(&message);
        self.waiting.push_back((partition, message));
    }

    /// Hands each worker its messages. True if none is left waiting.
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
                // Only this thread sends, and there was room.
                Err(TrySendError::Full(_)) => unreachable!("a queue filled up by itself"),
                // The worker has ended with an error, which its own thread reports.
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        self.waiting_bytes = self.waiting.iter().map(|(_, message)| size(message)).sum();
        self.waiting.is_empty()
    }

    /// Waits until a worker has room for a message that waits for it, or for [`FULL_TIMEOUT`] if no message waits.
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
        // Only the time matters: the next turn dispatches what is ready.
        let _ = select.ready_timeout(FULL_TIMEOUT);
    }
}

/// Notes messages as consumed, each run of one partition's messages at once.
fn take<'m>(messages: Vec<(Arc<Partition>, BorrowedMessage<'m>)>) -> Vec<Consumed<'m>> {
    let runs = messages.chunk_by(|(one, _), (next, _)| Arc::ptr_eq(one, next));
    let receipts: Vec<Receipt> = runs
        .filter_map(|run| Some((&run.first()?.0, run)))
        .flat_map(|(partition, run)| {
            partition.take(run.iter().map(|(_, message)| Taken {
                offset: message.offset(),
                timestamp_ms: message.timestamp().to_millis(),
                bytes: size(message),
            }))
        })
        .collect();
    let messages = messages.into_iter().map(|(_, message)| message);
    let consumed = messages.zip(receipts);
    consumed
        .map(|(message, receipt)| Consumed { message, receipt })
        .collect()
}

/// The memory of a message: its bytes, which are librdkafka's own, and the overhead.
fn size(message: &BorrowedMessage<'_>) -> usize {
    message.payload_len() + message.key_len() + BESIDE_MESSAGE
}
