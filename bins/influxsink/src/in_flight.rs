//! Decides when a worker's batch may be written: the place between batch and write.
//!
//! As many batches are in flight as there are writers, so that no full batch waits in memory besides them. Several
//! concurrent requests keep the database busy while the worker's next batch fills, but they may arrive in any order.
//! That is harmless as long as no two of them hold points of one series and time, of which the later one must win.
//! Therefore a batch notes the times of each measurement in it, and waits for earlier ones whose times overlap.
//! Telemetry arrives in the order of its time; a batch waits only in a repeated replay or after a clock was set back.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::flush_interval::AnswerTime;

/// The times of the points of one measurement, microseconds since 1970 UTC, inclusive.
#[derive(Clone, Debug)]
struct TimeRange {
    /// The one of its schema: another schema of the same measurement has its own.
    measurement: Arc<str>,
    first: i64,
    last: i64,
}

impl TimeRange {
    fn widen(&mut self, other: &TimeRange) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        if !Arc::ptr_eq(&self.measurement, &other.measurement) {
            (self.first, self.last) = (i64::MIN, i64::MAX);
        }
    }

    /// Whether one must wait for the other. Two schemas of one measurement always must, because the database gives a
    /// field the type of the first point.
    fn meets(&self, other: &TimeRange) -> bool {
        !Arc::ptr_eq(&self.measurement, &other.measurement)
            || (self.first <= other.last && other.first <= self.last)
    }
}

/// The times in a batch, by measurement.
#[derive(Debug, Default)]
pub(crate) struct TimeRanges {
    ranges: HashMap<Arc<str>, TimeRange>,
    /// The range of the last message: the next one often has the same schema, and then needs no search.
    current: Option<TimeRange>,
}

impl TimeRanges {
    /// Notes a point.
    pub(crate) fn add(&mut self, measurement: &Arc<str>, time_micros: i64) {
        match &mut self.current {
            Some(range) if Arc::ptr_eq(&range.measurement, measurement) => {
                range.first = range.first.min(time_micros);
                range.last = range.last.max(time_micros);
            }
            current => {
                let next = TimeRange {
                    measurement: Arc::clone(measurement),
                    first: time_micros,
                    last: time_micros,
                };
                if let Some(done) = current.replace(next) {
                    self.settle(done);
                }
            }
        }
    }

    /// Takes the ranges and leaves none.
    pub(crate) fn take(&mut self) -> TimeRanges {
        if let Some(done) = self.current.take() {
            self.settle(done);
        }
        std::mem::take(self)
    }

    fn settle(&mut self, range: TimeRange) {
        match self.ranges.get_mut(&range.measurement) {
            Some(known) => known.widen(&range),
            None => {
                self.ranges.insert(Arc::clone(&range.measurement), range);
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &TimeRange> {
        self.ranges.values().chain(&self.current)
    }

    fn meet(&self, sent: &TimeRanges) -> bool {
        self.all().any(|range| {
            let other = sent.ranges.get(&range.measurement);
            other.is_some_and(|other| range.meets(other))
        })
    }
}

/// The batches of one worker that it has handed over and that are not settled.
#[derive(Debug)]
pub(crate) struct InFlight {
    sent: Mutex<Sent>,
    settled: Condvar,
}

#[derive(Debug)]
struct Sent {
    batches: Vec<SentBatch>,
    most: usize,
    next: u64,
    answer_time: AnswerTime,
}

#[derive(Debug)]
struct SentBatch {
    number: u64,
    ranges: TimeRanges,
    since: Instant,
}

/// The permit of a batch in flight, until it is dropped: settled, or lost with its writer.
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit {
    in_flight: Arc<InFlight>,
    number: u64,
}

impl InFlight {
    /// Allows `most` batches in flight.
    pub(crate) fn new(most: usize) -> Self {
        let sent = Sent {
            batches: Vec::new(),
            most,
            next: 0,
            answer_time: AnswerTime::default(),
        };
        Self {
            sent: sent.into(),
            settled: Condvar::new(),
        }
    }

    /// Whether a batch with these times could be written now.
    pub(crate) fn is_free_for(&self, ranges: &TimeRanges) -> bool {
        stage::lock(&self.sent).is_free_for(ranges)
    }

    /// How long a batch is in flight at present; none before the first is settled.
    pub(crate) fn answer_time(&self) -> Option<Duration> {
        stage::lock(&self.sent).answer_time.get()
    }

    /// Blocks until it could.
    pub(crate) fn enter(self: &Arc<Self>, ranges: TimeRanges) -> Permit {
        let mut sent = self.wait_until(|sent| sent.is_free_for(&ranges));
        let number = sent.next;
        sent.next += 1;
        sent.batches.push(SentBatch {
            number,
            ranges,
            since: Instant::now(),
        });
        Permit {
            in_flight: Arc::clone(self),
            number,
        }
    }

    /// Blocks until nothing is in flight.
    pub(crate) fn wait_until_empty(&self) {
        drop(self.wait_until(|sent| sent.batches.is_empty()));
    }

    fn wait_until(&self, mut condition: impl FnMut(&Sent) -> bool) -> std::sync::MutexGuard<'_, Sent> {
        let sent = stage::lock(&self.sent);
        let waited = self.settled.wait_while(sent, |sent| !condition(sent));
        // A list of numbers is also consistent after a panic.
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sent {
    fn is_free_for(&self, ranges: &TimeRanges) -> bool {
        self.batches.len() < self.most && !self.batches.iter().any(|sent| ranges.meet(&sent.ranges))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut sent = stage::lock(&self.in_flight.sent);
        if let Some(at) = sent.batches.iter().position(|batch| batch.number == self.number) {
            let settled = sent.batches.swap_remove(at);
            sent.answer_time.note(settled.since.elapsed());
        }
        drop(sent);
        self.in_flight.settled.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(name: &str) -> Arc<str> {
        name.into()
    }

    fn ranges<'p>(points: impl IntoIterator<Item = (&'p Arc<str>, i64)>) -> TimeRanges {
        let mut ranges = TimeRanges::default();
        for (measurement, time) in points {
            ranges.add(measurement, time);
        }
        ranges
    }

    #[test]
    fn only_a_time_of_the_same_measurement_is_waited_for() {
        let (a, b) = (measurement("a"), measurement("b"));
        let in_flight = Arc::new(InFlight::new(2));
        let first = in_flight.enter(ranges([(&a, 10), (&b, 50), (&a, 20), (&b, 60)]).take());
        assert!(in_flight.is_free_for(&ranges([(&a, 21), (&a, 30)])));
        assert!(in_flight.is_free_for(&ranges([(&a, 9), (&b, 61), (&b, 70)])));
        assert!(!in_flight.is_free_for(&ranges([(&a, 21), (&a, 15)])), "within it");
        assert!(
            !in_flight.is_free_for(&ranges([(&a, 0), (&a, 99), (&b, 61)])),
            "around it"
        );
        assert!(!in_flight.is_free_for(&ranges([(&b, 61), (&a, 20)])), "its end");
        drop(first);
        assert!(in_flight.is_free_for(&ranges([(&a, 15)])));
        in_flight.wait_until_empty();
    }

    #[test]
    fn no_more_are_in_flight_than_there_are_writers() {
        let a = measurement("a");
        let in_flight = Arc::new(InFlight::new(2));
        let first = in_flight.enter(ranges([(&a, 1)]).take());
        let _second = in_flight.enter(ranges([(&a, 2)]).take());
        assert!(!in_flight.is_free_for(&ranges([(&a, 3)])));
        drop(first);
        assert!(in_flight.is_free_for(&ranges([(&a, 3)])));
    }

    #[test]
    fn the_time_of_an_answer_is_that_of_the_batches_that_are_settled() {
        let a = measurement("a");
        let in_flight = Arc::new(InFlight::new(1));
        let permit = in_flight.enter(ranges([(&a, 1)]).take());
        assert_eq!(in_flight.answer_time(), None);
        let since = Instant::now();
        drop(permit);
        assert!(in_flight.answer_time().unwrap() <= since.elapsed() + Duration::from_secs(1));
    }

    #[test]
    fn a_schema_waits_for_the_one_before_it() {
        let (old, new) = (measurement("a"), measurement("a"));
        let in_flight = Arc::new(InFlight::new(2));
        let first = in_flight.enter(ranges([(&old, 1)]).take());
        assert!(!in_flight.is_free_for(&ranges([(&new, 2)])));
        drop(first);
        let _both = in_flight.enter(ranges([(&old, 1), (&new, 2)]).take());
        assert!(!in_flight.is_free_for(&ranges([(&new, 3)])));
    }

    #[test]
    fn a_batch_may_go_when_the_one_before_is_settled() {
        let a = measurement("a");
        let in_flight = Arc::new(InFlight::new(2));
        let first = in_flight.enter(ranges([(&a, 1)]).take());
        let second = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| in_flight.enter(ranges([(&a, 1)]).take()));
            drop(first);
            waiting.join().unwrap()
        });
        assert!(!in_flight.is_free_for(&ranges([(&a, 1)])));
        drop(second);
        in_flight.wait_until_empty();
    }
}
