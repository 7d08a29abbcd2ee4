//! The thread that inspects suspected partitions, and held ones again: it waits for brokers, which the poll thread must
//! not.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::super::context::IntakeContext;
use super::orders::Order;
use super::probe::{Found, Probe};
use super::search::end_of_batch;
use super::{Held, Key, Suspect};
use crate::kafka::Reporter;
use crate::service::Shutdown;

/// How often a held partition is inspected again: a broker may have a readable copy, or retention may delete the batch.
const REINSPECT_INTERVAL: Duration = Duration::from_secs(30);
/// How often the shutdown is checked.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// The time for a request for a committed offset.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Inspects partitions on its own thread.
pub(in super::super) struct Inspector<'a> {
    pub(in super::super) consumer: &'a BaseConsumer<IntakeContext>,
    pub(in super::super) config: &'a ClientConfig,
    pub(in super::super) reporter: Reporter,
    pub(in super::super) orders: Sender<Order>,
    pub(in super::super) shutdown: &'a Shutdown,
}

impl Inspector<'_> {
    /// Runs until the service ends.
    pub(in super::super) fn run(self) {
        let blocked = &self.consumer.context().blocked;
        let mut looked = Instant::now();
        while !self.shutdown.is_set() {
            match blocked.suspected.recv_timeout(LOOK_INTERVAL) {
                Ok(suspect) => self.look(&suspect),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if looked.elapsed() >= REINSPECT_INTERVAL {
                for (key, held) in blocked.all_held() {
                    self.look_again(&key, &held);
                }
                looked = Instant::now();
            }
        }
    }

    fn look(&self, suspect: &Suspect) {
        let Suspect { key, at, .. } = suspect;
        match self.probe(key, *at) {
            Ok((probe, Found::Undecodable { batch, reason })) => {
                let from = at.to_raw().filter(|from| *from >= 0).unwrap_or(batch);
                let held = Held {
                    at: *at,
                    from,
                    batch,
                    reason,
                };
                self.send(Order::Hold(key.clone(), held.clone()));
                if self.consumer.context().blocked.skips {
                    self.skip(&probe, key, &held);
                }
            }
            Ok((_, Found::Readable)) if self.consumer.context().blocked.is_read_by_others(suspect) => {
                tracing::warn!(
                    topic = key.0,
                    partition = key.1,
                    "other clients read this partition, and this one does not"
                );
                let vitals = &self.consumer.context().vitals;
                vitals.is_stale.store(true, Ordering::Relaxed);
            }
            // It was reset from a readable position: another copy of the batch is intact.
            Ok((_, Found::Readable)) => self.send(Order::Reread(suspect.clone())),
            Ok((_, Found::OutOfRange)) => self.send(Order::Restart(suspect.clone())),
            Ok((_, Found::NoAnswer)) => self.consumer.context().blocked.drop_suspects(),
            Err(error) => {
                tracing::warn!(topic = key.0, partition = key.1, error = %crate::chain(&error), "partition cannot be inspected");
            }
        }
    }

    fn look_again(&self, key: &Key, held: &Held) {
        match self.probe(key, Offset::Offset(held.from)) {
            Ok((_, Found::Readable)) => self.send(Order::GoOn {
                key: key.clone(),
                at: held.at,
                from: held.from,
                to: held.from,
            }),
            Ok((_, Found::OutOfRange)) => self.send(Order::Restart(Suspect {
                key: key.clone(),
                at: held.at,
                is_unanswered: false,
            })),
            Ok((probe, Found::Undecodable { .. })) if self.consumer.context().blocked.skips => {
                self.skip(&probe, key, held);
            }
            _ => {}
        }
    }

    /// Reads a partition at an offset.
    fn probe(&self, key: &Key, at: Offset) -> KafkaResult<(Probe, Found)> {
        let probe = Probe::new(self.config, key, self.reporter.clone())?;
        let at = match at {
            Offset::Invalid => self.committed(key)?,
            at => at,
        };
        let found = probe.read(at, self.shutdown)?;
        Ok((probe, found))
    }

    fn committed(&self, (topic, number): &Key) -> KafkaResult<Offset> {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, *number);
        let committed = self.consumer.committed_offsets(list, REQUEST_TIMEOUT)?;
        let found = committed.elements().first().map(|element| element.offset());
        Ok(match found {
            Some(Offset::Offset(offset)) => Offset::Offset(offset),
            _ => Offset::Beginning,
        })
    }

    /// Finds the end of the batch, and orders reading to continue there.
    fn skip(&self, probe: &Probe, key: &Key, held: &Held) {
        let end = end_of_batch(held.from, |offset| {
            match probe.read(Offset::Offset(offset), self.shutdown) {
                Ok(Found::Undecodable { batch, .. }) => Ok(batch == held.batch),
                Ok(Found::Readable | Found::OutOfRange) => Ok(false),
                Ok(Found::NoAnswer) => Err("no answer".to_owned()),
                Err(error) => Err(crate::chain(&error)),
            }
        });
        match end {
            Ok(to) => self.send(Order::GoOn {
                key: key.clone(),
                at: held.at,
                from: held.from,
                to,
            }),
            Err(why) => tracing::warn!(
                topic = key.0,
                partition = key.1,
                why,
                "the end of a batch was not found; trying again"
            ),
        }
    }

    fn send(&self, order: Order) {
        // The poll thread has ended.
        let _ = self.orders.send(order);
    }
}
