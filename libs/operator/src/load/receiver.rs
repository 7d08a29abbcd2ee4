//! One consumer of a load: reads a producer's topics and records the latency of each message.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rdkafka::message::{BorrowedMessage, Message};
use stage::unix_micros;

use super::stamp::Stamp;
use crate::cluster::Client;
use crate::failure::Failure;
use crate::text::plural;

const POLL_TIMEOUT: Duration = Duration::from_millis(50);
/// How long the first message of each topic may take.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(60);
/// How long no message may arrive before the missing ones count as lost.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a consumer has received.
pub(super) struct Received {
    /// Different messages.
    pub(super) messages: u64,
    /// Messages that arrived again.
    pub(super) repeated: u64,
    /// Microseconds from when each was due.
    pub(super) latency: Histogram<u64>,
    seen: Seen,
}

/// One bit for each message.
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
pub(super) struct Receiver {
    pub(super) client: Client,
    pub(super) run: u64,
    pub(super) producer: u32,
    /// How many messages the producer sends at most; a higher number is not one of its messages.
    pub(super) limit: u64,
}

impl Receiver {
    /// Reads until a message of each of `topics` topics has arrived, unless it is stopped.
    pub(super) fn warm_up(
        &self,
        topics: usize,
        is_stopped: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut seen = HashSet::new();
        while seen.len() < topics && !is_stopped() {
            if begun.elapsed() > WARM_UP_TIMEOUT {
                return Err(Failure::Refused {
                    what: "the load's start".to_owned(),
                    reason: format!(
                        "the first messages of {} did not arrive",
                        plural(topics - seen.len(), "topic")
                    ),
                    hint: "look at the brokers with `kafkaefd admin brokers`, or take fewer topics"
                        .to_owned(),
                });
            }
            if let Some(Ok(message)) = self.client.poll(POLL_TIMEOUT)
                && self.stamp(&message).is_some()
            {
                seen.insert(message.topic().to_owned());
            }
        }
        Ok(())
    }

    /// Reads until as many messages have arrived as were sent, which `sent` returns once it is known, or no more arrive.
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
            if let Some(Ok(message)) = self.client.poll(POLL_TIMEOUT)
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
                Some(sent) if received.messages >= sent || last.elapsed() > SILENCE_TIMEOUT => {
                    return Ok(received);
                }
                _ => {}
            }
        }
    }

    /// The stamp, if the message is of this run's producer.
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
