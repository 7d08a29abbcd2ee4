//! A batch, the fourth step of the data flow: lines that go to the database together, each with the message that it
//! came from, so that a refused point becomes a dead letter with its original bytes, and its offset is held until then.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::group::Group;

/// When a batch is full. M1M3's messages are 50 times as large as those of an event, so a number of messages
/// alone is not a bound.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Bytes of lines.
    pub bytes: usize,
    /// Points.
    pub points: usize,
}

/// Lines and their messages. `K` is what is kept of a message (a [`stage::intake::Consumed`]; anything in tests).
#[derive(Debug)]
pub struct Batch<K> {
    lines: Vec<u8>,
    points: Vec<BatchedPoint<K>>,
    opened: Option<Instant>,
    /// The lines of batches that were taken. Once nobody else holds them, they are the buffer of the next batch.
    taken: Vec<Bytes>,
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
            points: Vec::new(),
            opened: None,
            taken: Vec::new(),
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
        self.points.push(BatchedPoint {
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

    /// The remaining wait of its oldest point, of `interval` in all: zero if it is due, `None` if the batch is empty.
    #[must_use]
    pub fn due_in(&self, interval: Duration) -> Option<Duration> {
        let opened = self.opened?;
        Some(interval.saturating_sub(opened.elapsed()))
    }

    /// Takes the batch, in the form from which the writer removes points, and leaves an empty one. Its buffer is that of
    /// an earlier batch: the system clears the pages of a new one first, which costs more than to fill them.
    pub fn take(&mut self) -> PendingBatch<K> {
        let lines = Bytes::from(std::mem::take(&mut self.lines));
        self.lines = self.spare().unwrap_or_else(|| Vec::with_capacity(lines.len()));
        self.taken.push(lines.clone());
        self.opened = None;
        let next = Vec::with_capacity(self.points.len());
        let points = std::mem::replace(&mut self.points, next);
        PendingBatch {
            lines,
            points: points.into_iter().map(Place::from).collect(),
        }
    }

    /// The buffer of a batch that is settled.
    fn spare(&mut self) -> Option<Vec<u8>> {
        let free = self.taken.iter().position(Bytes::is_unique)?;
        let mut lines = self.taken.swap_remove(free).try_into_mut().ok()?;
        lines.clear();
        Some(lines.into())
    }
}

/// A batch being written: points leave it, one or many at a time, as they are written or rejected.
#[derive(Debug)]
pub struct PendingBatch<K> {
    lines: Bytes,
    points: Vec<Place<K>>,
}

/// A point's place, which remains when the point has left.
#[derive(Debug)]
struct Place<K> {
    point: Option<BatchedPoint<K>>,
    time_micros: i64,
    end: usize,
}

impl<K> From<BatchedPoint<K>> for Place<K> {
    fn from(point: BatchedPoint<K>) -> Self {
        Place {
            time_micros: point.time_micros,
            end: point.end,
            point: Some(point),
        }
    }
}

impl<K> PendingBatch<K> {
    /// The messages of the points that are still pending.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &K> {
        self.points
            .iter()
            .filter_map(|place| Some(&place.point.as_ref()?.kept))
    }

    /// All of its places.
    pub(crate) fn all(&self) -> Group {
        Group::Range(0..self.points.len())
    }

    /// The group's lines, without a copy if they are adjacent.
    pub(crate) fn lines(&self, group: &Group) -> Bytes {
        match group {
            Group::Range(range) => self.lines.slice(self.start(range.start)..self.start(range.end)),
            Group::Chosen(places) => {
                let mut lines = BytesMut::new();
                for place in places {
                    lines.extend_from_slice(&self.line(*place));
                }
                lines.freeze()
            }
        }
    }

    /// One line, with its newline.
    pub(crate) fn line(&self, place: usize) -> Bytes {
        self.lines.slice(self.start(place)..self.start(place + 1))
    }

    /// The time of the point that is, or was, at this place.
    pub(crate) fn time_micros(&self, place: usize) -> i64 {
        self.points.get(place).map_or(0, |place| place.time_micros)
    }

    /// Takes a group's points out.
    pub(crate) fn settle(&mut self, group: &Group) -> impl Iterator<Item = BatchedPoint<K>> {
        group
            .places()
            .filter_map(|place| self.points.get_mut(place)?.point.take())
    }

    /// Where the line of this place begins.
    fn start(&self, place: usize) -> usize {
        let before = place.checked_sub(1).and_then(|before| self.points.get(before));
        before.map_or(0, |before| before.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BatchLimits = BatchLimits { bytes: 20, points: 3 };

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
        let minute = Duration::from_secs(60);
        assert!(batch(&["a\n"]).due_in(minute) > Some(Duration::from_secs(50)));
        assert_eq!(batch(&["a\n"]).due_in(Duration::ZERO), Some(Duration::ZERO));
        assert_eq!(batch(&[]).due_in(Duration::ZERO), None, "nothing waits");
    }

    #[test]
    fn points_leave_with_their_own_lines() {
        let mut pending = batch(&["one\n", "two\n", "three\n"]).take();
        let (ends, middle) = (Group::Chosen(vec![0, 2]), Group::Range(1..2));
        assert_eq!(pending.lines(&pending.all()), "one\ntwo\nthree\n");
        assert_eq!(pending.lines(&ends), "one\nthree\n");
        let settled: Vec<_> = pending.settle(&ends).map(|point| point.kept).collect();
        assert_eq!(settled, [0, 2]);
        assert_eq!(pending.lines(&middle), "two\n");
        assert_eq!(pending.kept().collect::<Vec<_>>(), [&1]);
        assert_eq!(
            pending.settle(&pending.all()).map(|p| p.kept).collect::<Vec<_>>(),
            [1]
        );
        assert_eq!(pending.settle(&middle).count(), 0, "once");
        assert_eq!(batch(&[]).take().lines(&Group::Range(0..0)), Bytes::new());
    }

    #[test]
    fn the_buffer_of_a_settled_batch_is_filled_again() {
        let mut batch = batch(&["one\n", "two\n"]);
        let buffer = |batch: &mut Batch<usize>| batch.lines_mut().as_ptr();
        let first = buffer(&mut batch);
        let being_written = batch.take();
        batch.lines_mut().extend_from_slice(b"three\n");
        batch.add(2, 1);
        let second = buffer(&mut batch);
        assert_ne!(first, second);
        assert_eq!(being_written.lines(&being_written.all()), "one\ntwo\n");
        drop(being_written);
        let being_written = batch.take();
        assert_eq!((buffer(&mut batch), batch.bytes()), (first, 0));
        assert_eq!(being_written.lines(&being_written.all()), "three\n");
        assert_eq!(batch.taken.len(), 1, "as many as are being written");
    }
}
