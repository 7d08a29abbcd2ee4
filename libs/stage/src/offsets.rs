//! The finished prefix: which offset of one partition may be committed. An offset becomes committable here.
//!
//! Messages are consumed in offset order and finish in any order (the producer acknowledges out of order, a batch is
//! bisected, a dead letter takes longer). Kafka keeps one number per partition, so the only offset that is safe to
//! commit is that of the first message that has not finished. This structure yields it, and that message's timestamp. It
//! does no I/O, has no clock, and is checked against a naive model.

use std::collections::VecDeque;

/// A consumed message that is not yet part of the prefix.
#[derive(Debug)]
struct Open {
    offset: i64,
    timestamp_ms: Option<i64>,
    is_finished: bool,
}

/// The consumed messages of one partition, and how far the finished ones reach without a gap.
///
/// Offsets need not be consecutive: compaction and transaction markers leave holes.
#[derive(Debug, Default)]
pub struct OffsetTracker {
    /// In offset order.
    open: VecDeque<Open>,
    /// The timestamp of the last message of the prefix that has one.
    passed_ms: Option<i64>,
    /// The greatest timestamp of a finished message.
    newest_ms: Option<i64>,
    /// The offset to commit: one past the last message of the prefix, or past offsets without a message that follow it.
    position: Option<i64>,
    /// Every message before it is consumed.
    reached: Option<i64>,
}

impl OffsetTracker {
    /// Notes that the message at `offset` was consumed. Offsets rise; one that does not (a replay after a seek)
    /// restarts the partition there, because Kafka delivers all later messages again.
    pub fn begin(&mut self, offset: i64, timestamp_ms: Option<i64>) {
        if self.open.back().is_some_and(|last| last.offset >= offset) {
            self.open.clear();
        }
        if self.reached.is_some_and(|reached| reached > offset) {
            self.reached = None;
        }
        self.open.push_back(Open {
            offset,
            timestamp_ms,
            is_finished: false,
        });
    }

    /// Notes that the message at `offset` has reached the next system. Unknown offsets are ignored: they precede a
    /// replay.
    pub fn finish(&mut self, offset: i64) {
        // Nearly all finish in order: the first is checked before the others are searched.
        let found = match self.open.front() {
            Some(first) if first.offset == offset => Ok(0),
            _ => self.open.binary_search_by_key(&offset, |open| open.offset),
        };
        if let Ok(index) = found
            && let Some(open) = self.open.get_mut(index)
        {
            open.is_finished = true;
            self.newest_ms = self.newest_ms.max(open.timestamp_ms);
        }
        while let Some(first) = self.open.pop_front_if(|first| first.is_finished) {
            self.position = Some(first.offset + 1);
            self.passed_ms = first.timestamp_ms.or(self.passed_ms);
        }
        self.advance();
    }

    /// Notes that all messages before `offset` were consumed. Other offsets (transaction markers, gaps left by
    /// compaction) are never delivered, and the prefix passes them once those messages have finished.
    pub fn reach(&mut self, offset: i64) {
        self.reached = Some(offset);
        self.advance();
    }

    fn advance(&mut self) {
        if let Some(reached) = self.reached
            && self.open.front().is_none_or(|first| first.offset >= reached)
        {
            self.position = self.position.max(Some(reached));
            self.reached = None;
        }
    }

    /// The offset to commit, in Kafka's sense: that of the next message to read. `None` before anything finished.
    pub fn position(&self) -> Option<i64> {
        self.position
    }

    /// The timestamp of the first message after the prefix, if it is consumed and has one.
    pub fn oldest_ms(&self) -> Option<i64> {
        self.open.front().and_then(|first| first.timestamp_ms)
    }

    /// The timestamp of the last message of the prefix that has one.
    pub fn passed_ms(&self) -> Option<i64> {
        self.passed_ms
    }

    /// The greatest timestamp of a finished message, in the prefix or not.
    pub fn newest_ms(&self) -> Option<i64> {
        self.newest_ms
    }

    /// How many consumed messages are not in the prefix, finished after a gap or not.
    pub fn open(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_gap_holds_everything_behind_it() {
        let mut prefix = OffsetTracker::default();
        for offset in [10, 11, 15] {
            prefix.begin(offset, None);
        }
        prefix.finish(11);
        prefix.finish(15);
        assert_eq!(prefix.position(), None);
        prefix.finish(10);
        assert_eq!(prefix.position(), Some(16));
        assert_eq!(prefix.open(), 0);
    }

    #[test]
    fn a_replay_restarts_the_prefix() {
        let mut prefix = OffsetTracker::default();
        prefix.begin(7, None);
        prefix.begin(8, None);
        prefix.begin(7, None);
        prefix.finish(8);
        assert_eq!(
            prefix.position(),
            None,
            "8 was consumed before the replay and says nothing about 7"
        );
        prefix.finish(7);
        assert_eq!(prefix.position(), Some(8));
    }

    #[test]
    fn what_is_not_a_message_is_passed_once_all_before_it_has_finished() {
        let mut prefix = OffsetTracker::default();
        prefix.reach(3);
        assert_eq!(prefix.position(), Some(3), "nothing was there");
        prefix.begin(3, None);
        prefix.begin(4, None);
        prefix.reach(6);
        prefix.finish(4);
        assert_eq!(prefix.position(), Some(3), "3 has not finished");
        prefix.begin(7, None);
        prefix.finish(3);
        assert_eq!(prefix.position(), Some(6));
        prefix.finish(7);
        assert_eq!(prefix.position(), Some(8));
        prefix.reach(2);
        assert_eq!(prefix.position(), Some(8), "it never goes back");
    }

    #[test]
    fn what_was_reached_before_a_replay_is_forgotten() {
        let mut prefix = OffsetTracker::default();
        prefix.begin(7, None);
        prefix.reach(9);
        prefix.begin(7, None);
        prefix.finish(7);
        assert_eq!(prefix.position(), Some(8));
    }

    #[test]
    fn the_oldest_unfinished_message_and_the_newest_finished_one_have_their_timestamps() {
        let mut prefix = OffsetTracker::default();
        assert_eq!((prefix.oldest_ms(), prefix.newest_ms()), (None, None));
        // The broker's clock went back once.
        for (offset, timestamp_ms) in [(0, 100), (1, 90), (2, 300)] {
            prefix.begin(offset, Some(timestamp_ms));
        }
        prefix.finish(2);
        assert_eq!((prefix.oldest_ms(), prefix.newest_ms()), (Some(100), Some(300)));
        assert_eq!(prefix.passed_ms(), None);
        prefix.finish(0);
        assert_eq!((prefix.oldest_ms(), prefix.passed_ms()), (Some(90), Some(100)));
        prefix.finish(1);
        // Not a message, or one without a timestamp.
        prefix.begin(5, None);
        prefix.finish(5);
        assert_eq!((prefix.oldest_ms(), prefix.passed_ms()), (None, Some(300)));
        assert_eq!(prefix.newest_ms(), Some(300));
    }

    proptest! {
        /// The naive model: the position is one past the last consumed offset up to which all have finished.
        #[test]
        fn agrees_with_the_naive_model(
            gaps in proptest::collection::vec(1i64..5, 1..60),
            order in proptest::collection::vec(any::<proptest::sample::Index>(), 0..60),
        ) {
            let offsets: Vec<i64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let mut prefix = OffsetTracker::default();
            offsets.iter().for_each(|&offset| prefix.begin(offset, None));
            let mut finished = std::collections::BTreeSet::new();
            for index in order {
                let offset = *index.get(&offsets);
                prefix.finish(offset);
                finished.insert(offset);
                let expected = offsets.iter().take_while(|o| finished.contains(o)).last().map(|o| o + 1);
                prop_assert_eq!(prefix.position(), expected);
            }
        }
    }
}
