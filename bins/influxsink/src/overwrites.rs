//! Detects points that overwrite each other: another message's point has the same series (measurement and tags) and
//! time, but different values. The database keeps only the later one, silently.
//!
//! The memory is bounded: a key and a digest of 65,536 points for all workers of the process (97 % and more of its last
//! 20,000), because two topics with one record name may belong to two workers. Messages that share a millisecond, or
//! that two sites mirror, are that close to each other; what other replicas write is not seen. A repeated message has
//! the same digest and is not counted.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use foldhash::quality::FixedState;
use prometheus::IntCounterVec;
use stage::Printable;

/// Shards with their own locks, so that workers rarely contend.
const SHARDS: usize = 64;
/// Sets per shard.
const SETS: usize = 256;
/// Points per set; if more share a place, the oldest is forgotten.
const WAYS: usize = 4;
/// The minimum time between two log lines.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Why two messages became one point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overwrite {
    /// Their times may differ by less than the written precision.
    Resolution,
    /// They have the same time.
    SameTime,
    /// They come from different topics.
    Topics,
}

/// A point, just encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fresh<'l> {
    /// Its line.
    pub(crate) line: &'l [u8],
    /// Bytes of measurement and tags, with which the line begins.
    pub(crate) series_bytes: usize,
    /// Its time.
    pub(crate) time_micros: i64,
    /// Whether different times are written as this one.
    pub(crate) is_coarse: bool,
    /// Where its message comes from.
    pub(crate) topic: &'l str,
}

/// The memory of all workers.
pub(crate) struct Overwrites {
    hasher: FixedState,
    shards: Box<[Mutex<Box<[Set]>>]>,
    counted: IntCounterVec,
    said: Mutex<Said>,
}

/// Newest first; a key of 0 marks an empty place.
#[derive(Clone, Copy, Default)]
struct Set([Seen; WAYS]);

#[derive(Clone, Copy, Default)]
struct Seen {
    /// The hash of series and time.
    key: u64,
    /// The hash of the whole line, with that of the topic in the lowest 16 bits.
    digest: u64,
}

/// The lowest bits of [`Seen::digest`].
const TOPIC_BITS: u64 = 0xffff;

struct Said {
    last: Option<Instant>,
    since: u64,
}

impl Overwrites {
    /// Counts in `counted`, whose label is the reason.
    pub(crate) fn new(counted: IntCounterVec) -> Self {
        let shard = || Mutex::new(vec![Set::default(); SETS].into());
        Self {
            hasher: FixedState::default(),
            shards: (0..SHARDS).map(|_| shard()).collect(),
            counted,
            said: Mutex::new(Said { last: None, since: 0 }),
        }
    }

    /// Remembers a point. If it overwrites another, it is counted, and logged from time to time.
    pub(crate) fn note(&self, fresh: &Fresh<'_>) -> Option<Overwrite> {
        let overwrite = self.look(fresh)?;
        self.counted.with_label_values(&[overwrite.reason()]).inc();
        self.say(fresh, overwrite);
        Some(overwrite)
    }

    fn look(&self, fresh: &Fresh<'_>) -> Option<Overwrite> {
        let series = fresh.line.get(..fresh.series_bytes).unwrap_or_default();
        let mut key = self.hasher.build_hasher();
        key.write(series);
        key.write(time_of(fresh.line));
        let key = key.finish().max(1);
        let seen = Seen {
            key,
            digest: self.hash(fresh.line) & !TOPIC_BITS | self.hash(fresh.topic.as_bytes()) & TOPIC_BITS,
        };
        let shard = self.shards.get((key >> 58) as usize % SHARDS)?;
        let mut shard = stage::lock(shard);
        let set = shard.get_mut((key >> 50) as usize % SETS)?;
        set.meet(seen, fresh.is_coarse)
    }

    fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    fn say(&self, fresh: &Fresh<'_>, overwrite: Overwrite) {
        let mut said = stage::lock(&self.said);
        said.since += 1;
        if said.last.is_some_and(|last| last.elapsed() < LOG_INTERVAL) {
            return;
        }
        said.last = Some(Instant::now());
        let points = std::mem::take(&mut said.since);
        drop(said);
        let series = fresh.line.get(..fresh.series_bytes).unwrap_or_default();
        tracing::warn!(
            reason = overwrite.reason(),
            points,
            series = %Printable(String::from_utf8_lossy(series)),
            time_micros = fresh.time_micros,
            topic = fresh.topic,
            advice = overwrite.advice(),
            "points of different messages have the same series and time; the database keeps the later one"
        );
    }
}

impl Set {
    fn meet(&mut self, seen: Seen, is_coarse: bool) -> Option<Overwrite> {
        let ours = |known: &&Seen| known.key == seen.key;
        let is_repeated = |known: &Seen| (known.digest ^ seen.digest) & !TOPIC_BITS == 0;
        if self.0.iter().filter(ours).any(is_repeated) {
            return None;
        }
        let other = self.0.iter().find(ours).copied();
        self.0.rotate_right(1);
        if let Some(first) = self.0.first_mut() {
            *first = seen;
        }
        Some(match other {
            _ if other?.digest & TOPIC_BITS != seen.digest & TOPIC_BITS => Overwrite::Topics,
            _ if is_coarse => Overwrite::Resolution,
            _ => Overwrite::SameTime,
        })
    }
}

/// The last word of a line.
fn time_of(line: &[u8]) -> &[u8] {
    line.rsplit(|byte| *byte == b' ').next().unwrap_or_default()
}

impl Overwrite {
    /// The metric's label.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Overwrite::Resolution => "resolution",
            Overwrite::SameTime => "same_time",
            Overwrite::Topics => "topics",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Overwrite::Resolution => {
                "--tiebreaker keeps both where the record's time is coarser than what is written, --time-precision ns where it is \
                 finer, --tag-copy what belongs to different instances"
            }
            Overwrite::SameTime => {
                "--tag-copy keeps apart what belongs to different instances; --tiebreaker with --time-precision ns keeps all"
            }
            Overwrite::Topics => "--topic-tag keeps apart what comes from different topics",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::SinkMetrics;

    use super::*;

    fn memory() -> Overwrites {
        let metrics = SinkMetrics::register(&prometheus::Registry::new()).unwrap();
        Overwrites::new(metrics.overwritten)
    }

    fn note(memory: &Overwrites, line: &str, topic: &str, is_coarse: bool) -> Option<Overwrite> {
        memory.note(&Fresh {
            line: line.as_bytes(),
            series_bytes: line.find(' ').unwrap(),
            time_micros: 0,
            is_coarse,
            topic,
        })
    }

    #[test]
    fn only_a_different_point_of_the_same_series_and_time_overwrites() {
        let memory = memory();
        for line in [
            "m v=1 5\n",
            "m v=1 6\n",
            "m,t=a v=1 5\n",
            "n v=1 5\n",
            "m v=1 5\n",
        ] {
            assert_eq!(note(&memory, line, "t", true), None, "{line}");
        }
        assert_eq!(note(&memory, "m v=2 5\n", "t", true), Some(Overwrite::Resolution));
        // Both are known by now: a redelivery of the two does not count.
        assert_eq!(note(&memory, "m v=1 5\n", "t", true), None);
        assert_eq!(note(&memory, "m v=2 5\n", "t", true), None);
        assert_eq!(note(&memory, "m v=2 6\n", "t", false), Some(Overwrite::SameTime));
        assert_eq!(
            note(&memory, "m v=3 6\n", "other", false),
            Some(Overwrite::Topics)
        );
        assert_eq!(
            note(&memory, "m v=3 6\n", "a mirror of it", false),
            None,
            "the same point from elsewhere"
        );
        let counted = |reason| memory.counted.with_label_values(&[reason]).get();
        assert_eq!(["resolution", "same_time", "topics"].map(counted), [1, 1, 1]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_reaches_far() {
        let memory = memory();
        let line = |v: usize, time: usize| format!("m v={v} {time}\n");
        for at in 0..200_000 {
            assert_eq!(note(&memory, &line(1, at), "t", false), None);
        }
        let noticed = (180_000..200_000).filter(|at| note(&memory, &line(2, *at), "t", false).is_some());
        assert!(noticed.count() > 19_000);
        assert!(note(&memory, &line(2, 0), "t", false).is_none(), "long ago");
    }
}
