//! A batch: the fourth step of the data's way. Lines that go to the database together, and with each the
//! message that it came from, so that a point which the database refuses can be dead-lettered as its original
//! bytes, and its offset be held until then.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// When a batch is full or due. M1M3's messages are 50 times those of an event: counting messages alone
/// bounds nothing.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Bytes of lines.
    pub bytes: usize,
    /// Points.
    pub points: usize,
    /// Age of the oldest point.
    pub interval: Duration,
}

/// Lines, and what each came from. `K` is what is kept of a message (a [`pipeline::intake::Taken`], in tests
/// anything).
#[derive(Debug)]
pub struct Batch<K> {
    lines: Vec<u8>,
    points: VecDeque<BatchedPoint<K>>,
    opened: Option<Instant>,
}

/// A point's place in a batch.
#[derive(Debug)]
pub struct BatchedPoint<K> {
    /// The message.
    pub kept: K,
    /// The point's time, microseconds since 1970 UTC.
    pub time_micros: i64,
    /// Where its line ends in the batch's lines.
    end: usize,
}

impl<K> Default for Batch<K> {
    fn default() -> Self {
        Batch {
            lines: Vec::new(),
            points: VecDeque::new(),
            opened: None,
        }
    }
}

impl<K> Batch<K> {
    /// The buffer that an encoder appends one line to, just before [`Batch::add`].
    pub fn lines_mut(&mut self) -> &mut Vec<u8> {
        &mut self.lines
    }

    /// Adds the point whose line was just appended.
    pub fn add(&mut self, kept: K, time_micros: i64) {
        self.opened.get_or_insert_with(Instant::now);
        self.points.push_back(BatchedPoint {
            kept,
            time_micros,
            end: self.lines.len(),
        });
    }

    /// Points in it.
    #[must_use]
    pub fn points(&self) -> usize {
        self.points.len()
    }

    /// Bytes of its lines.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Whether no more should be added.
    #[must_use]
    pub fn is_full(&self, limits: &BatchLimits) -> bool {
        self.lines.len() >= limits.bytes || self.points.len() >= limits.points
    }

    /// When its oldest point will have waited long enough: zero if it has. `None` if there is nothing in it.
    #[must_use]
    pub fn due_in(&self, limits: &BatchLimits) -> Option<Duration> {
        let opened = self.opened?;
        Some(limits.interval.saturating_sub(opened.elapsed()))
    }

    /// Takes what was gathered and leaves an empty batch with room for as much.
    pub fn take(&mut self) -> Batch<K> {
        let next = Batch {
            lines: Vec::with_capacity(self.lines.len()),
            points: VecDeque::with_capacity(self.points.len()),
            opened: None,
        };
        std::mem::replace(self, next)
    }

    /// The batch as the writer takes it apart.
    pub(crate) fn unsettled(self) -> Unsettled<K> {
        Unsettled {
            lines: self.lines.into(),
            points: self.points,
            start: 0,
        }
    }
}

/// A batch on its way into the database: points leave it at its front, one by one or many at a time, as their
/// fate is known.
#[derive(Debug)]
pub(crate) struct Unsettled<K> {
    lines: Bytes,
    points: VecDeque<BatchedPoint<K>>,
    start: usize,
}

impl<K> Unsettled<K> {
    /// What is kept of the points without a fate.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &K> {
        self.points.iter().map(|point| &point.kept)
    }

    /// Points without a fate.
    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// The lines of the first `count` points; not a copy.
    pub(crate) fn lines(&self, count: usize) -> Bytes {
        let end = count
            .checked_sub(1)
            .and_then(|last| self.points.get(last))
            .map_or(self.start, |p| p.end);
        self.lines.slice(self.start..end)
    }

    /// Takes the first `count` points out.
    pub(crate) fn settle(&mut self, count: usize) -> impl Iterator<Item = BatchedPoint<K>> + '_ {
        self.start += self.lines(count).len();
        self.points.drain(..count.min(self.points.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BatchLimits = BatchLimits {
        bytes: 20,
        points: 3,
        interval: Duration::from_secs(60),
    };

    fn batch(lines: &[&str]) -> Batch<usize> {
        let mut batch = Batch::default();
        for (at, line) in lines.iter().enumerate() {
            batch.lines_mut().extend_from_slice(line.as_bytes());
            batch.add(at, 1);
        }
        batch
    }

    #[test]
    fn full_by_bytes_or_points_and_due_by_time() {
        assert!(!batch(&["a\n", "b\n"]).is_full(&LIMITS));
        assert!(batch(&["a\n", "b\n", "c\n"]).is_full(&LIMITS));
        assert!(batch(&["a line of twenty by.\n"]).is_full(&LIMITS));
        let at_once = BatchLimits {
            interval: Duration::ZERO,
            ..LIMITS
        };
        assert!(batch(&["a\n"]).due_in(&LIMITS) > Some(Duration::from_secs(50)));
        assert_eq!(batch(&["a\n"]).due_in(&at_once), Some(Duration::ZERO));
        assert_eq!(batch(&[]).due_in(&at_once), None, "nothing waits");
    }

    #[test]
    fn points_leave_with_their_own_lines() {
        let mut unsettled = batch(&["one\n", "two\n", "three\n"]).unsettled();
        assert_eq!(unsettled.lines(2), "one\ntwo\n");
        assert_eq!(unsettled.settle(1).map(|p| p.kept).collect::<Vec<_>>(), [0]);
        assert_eq!(unsettled.lines(1), "two\n");
        assert_eq!(unsettled.lines(2), "two\nthree\n");
        assert_eq!(unsettled.settle(2).map(|p| p.kept).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((unsettled.lines(1), unsettled.len()), (Bytes::new(), 0));
    }
}
