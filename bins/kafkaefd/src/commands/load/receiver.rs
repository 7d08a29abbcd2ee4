//! One consumer of the load: reads a producer's topics, notes how long each message took, and which are missing.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::message::{BorrowedMessage, Message};
use stage::service::Shutdown;
use stage::unix_micros;

use super::stamp::Stamp;
use operator::failure::Failure;

/// How long one poll may take.
const NAP: Duration = Duration::from_millis(50);
/// How long the consumer may take to see each topic for the first time.
const WARM: Duration = Duration::from_secs(60);
/// How long nothing may come before what is missing counts as lost.
const SETTLE: Duration = Duration::from_secs(10);

/// What a consumer has seen.
pub(super) struct Received {
    /// Different messages.
    pub(super) messages: u64,
    /// Messages that came once more.
    pub(super) repeated: u64,
    /// Microseconds from the moment that each was due.
    pub(super) latency: Histogram<u64>,
    seen: Seen,
}

/// A bit a message.
#[derive(Default)]
struct Seen(Vec<u64>);

impl Seen {
    /// Whether it is new.
    fn insert(&mut self, number: u64) -> bool {
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        match self.0.get_mut(word) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }
}

/// A consumer with all of its partitions assigned.
pub(super) struct Receiver<C: ConsumerContext> {
    pub(super) client: BaseConsumer<C>,
    pub(super) run: u64,
    pub(super) producer: u32,
    /// Messages that the producer may send at most: what says more is none of ours.
    pub(super) limit: u64,
}

impl<C: ConsumerContext> Receiver<C> {
    /// Reads until a message of each of so many topics has come, or the stop is asked for.
    pub(super) fn warm_up(&self, topics: usize, stop: &Shutdown) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut seen = HashSet::new();
        while seen.len() < topics && !stop.is_set() {
            if begun.elapsed() > WARM {
                return Err(Failure::Refused {
                    what: "the load's start".to_owned(),
                    reason: format!(
                        "the first messages of {} topics did not come",
                        topics - seen.len()
                    ),
                    hint: "look at the brokers with `kafkaefd admin brokers`, or take fewer topics"
                        .to_owned(),
                });
            }
            if let Some(Ok(message)) = self.client.poll(NAP)
                && self.stamp(&message).is_some()
            {
                seen.insert(message.topic().to_owned());
            }
        }
        Ok(())
    }

    /// Reads until all that was sent has come (`sent` says how much once it is known), or nothing comes any more.
    pub(super) fn run(
        &self,
        sent: impl Fn() -> Option<u64>,
        progress: &AtomicU64,
    ) -> Result<Received, Failure> {
        let mut received = Received {
            messages: 0,
            repeated: 0,
            latency: super::report::histogram()?,
            seen: Seen::default(),
        };
        let mut last = Instant::now();
        loop {
            if let Some(Ok(message)) = self.client.poll(NAP)
                && let Some(stamp) = self.stamp(&message)
                && stamp.number < self.limit
            {
                last = Instant::now();
                if received.seen.insert(stamp.number) {
                    received.messages += 1;
                    progress.fetch_add(1, Ordering::Relaxed);
                    let took = u64::try_from(unix_micros() - stamp.due).unwrap_or_default();
                    received.latency.saturating_record(took);
                } else {
                    received.repeated += 1;
                }
                continue;
            }
            match sent() {
                Some(sent) if received.messages >= sent || last.elapsed() > SETTLE => return Ok(received),
                _ => {}
            }
        }
    }

    /// The stamp, if the message is of our producer in this run.
    fn stamp(&self, message: &BorrowedMessage<'_>) -> Option<Stamp> {
        let stamp = Stamp::read(message.payload()?)?;
        (stamp.run == self.run && stamp.producer == self.producer).then_some(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_new_once() {
        let mut seen = Seen::default();
        for number in [0, 63, 64, 1_000] {
            assert!(seen.insert(number), "{number}");
            assert!(!seen.insert(number), "{number}");
        }
        assert!(seen.insert(65));
    }
}
