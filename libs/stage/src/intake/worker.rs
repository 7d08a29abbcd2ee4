//! A worker: one thread that does a stage's work for some partitions, in order.

use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};
use rdkafka::message::BorrowedMessage;

use super::Receipt;
use super::error::WorkerError;
use super::transaction::TransactionalSink;
use crate::kafka::Watched;

/// A message from Kafka that must be accounted for.
#[derive(Debug)]
pub struct Consumed<'m> {
    /// The message, in librdkafka's own memory.
    pub message: BorrowedMessage<'m>,
    /// Finished once the message is safe.
    pub receipt: Receipt,
}

/// A stage's work on the messages of some partitions.
pub trait Worker<'m> {
    /// Processes messages of one or several partitions, each partition's in offset order. May block: the intake pauses
    /// by itself. Receipts may be finished later, from any thread.
    fn take(&mut self, batch: Vec<Consumed<'m>>) -> Result<(), WorkerError>;

    /// The time until the next [`Worker::tick`] while no message arrives.
    fn rest(&self, tick_interval: Duration) -> Duration {
        tick_interval
    }

    /// Called at least every tick interval while messages arrive, and after a rest: for work that is due by time.
    fn tick(&mut self) -> Result<(), WorkerError> {
        Ok(())
    }

    /// Finishes everything consumed so far, or releases it if the service has given up.
    fn drain(&mut self) -> Result<(), WorkerError>;
}

/// Creates the workers of an intake.
pub trait WorkerFactory<'m> {
    /// The type of its workers.
    type Worker: Worker<'m> + Send + 'm;

    /// Creates worker `index`, which may spawn helpers on `scope`; they must end when the worker is dropped.
    fn worker<'scope>(
        &self,
        index: usize,
        scope: &'scope Scope<'scope, 'm>,
    ) -> Result<Self::Worker, WorkerError>
    where
        'm: 'scope;

    /// The transactional producer of the workers, if there is one; the intake then commits offsets in its transactions.
    fn transaction(&self) -> Option<Arc<dyn TransactionalSink + 'm>> {
        None
    }

    /// The stage's other clients, which the intake watches together with its consumer.
    fn clients(&self) -> Vec<Arc<dyn Watched + 'm>> {
        Vec::new()
    }
}

/// Runs a worker until its batches end, then drains it. A message on `drains` makes it finish what it holds, so that a
/// partition can be released.
pub(super) fn run<'m>(
    worker: &mut impl Worker<'m>,
    batches: &Receiver<Vec<Consumed<'m>>>,
    drains: &Receiver<()>,
    tick_interval: Duration,
) -> Result<(), WorkerError> {
    let mut ticked = Instant::now();
    loop {
        let mut is_rested = false;
        select! {
            recv(batches) -> batch => match batch {
                Ok(mut batch) => {
                    for revoked in batch.extract_if(.., |consumed| consumed.receipt.is_revoked()) {
                        revoked.receipt.withdraw();
                    }
                    worker.take(batch)?;
                }
                Err(_) => return worker.drain(),
            },
            recv(drains) -> asked => if asked.is_ok() { worker.drain()? },
            default(worker.rest(tick_interval)) => is_rested = true,
        }
        if is_rested || ticked.elapsed() >= tick_interval {
            worker.tick()?;
            ticked = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Sender, bounded};

    use super::*;

    /// Reports its ticks.
    struct Resting(Sender<()>);

    impl Worker<'_> for Resting {
        fn take(&mut self, _: Vec<Consumed<'_>>) -> Result<(), WorkerError> {
            Ok(())
        }
        fn rest(&self, _: Duration) -> Duration {
            Duration::from_millis(1)
        }
        fn tick(&mut self) -> Result<(), WorkerError> {
            let _ = self.0.try_send(());
            Ok(())
        }
        fn drain(&mut self) -> Result<(), WorkerError> {
            Ok(())
        }
    }

    #[test]
    fn a_worker_is_ticked_after_the_rest_that_it_asks_for() {
        let (ticks, ticked) = bounded(1);
        let (queue, batches) = bounded(0);
        let (_drain, drains) = bounded(0);
        let hour = Duration::from_secs(3_600);
        let worker = std::thread::spawn(move || run(&mut Resting(ticks), &batches, &drains, hour));
        for _ in 0..3 {
            ticked.recv_timeout(Duration::from_secs(30)).unwrap();
        }
        drop(queue);
        worker.join().unwrap().unwrap();
    }
}
