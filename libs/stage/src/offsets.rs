//! The finished prefix: which offset of one partition may be committed. An offset becomes committable here.
//!
//! Messages are consumed in offset order and finish in any order (the producer acknowledges out of order, a batch is
//! bisected, a dead letter takes longer). Kafka keeps one number per partition, so the only offset that is safe to
//! commit is that of the first message that has not finished. This structure yields it. It does no I/O, has no clock,
//! and is checked against a naive model.

use std::collections::VecDeque;

/// The consumed messages of one partition, and how far the finished ones reach without a gap.
///
/// Offsets need not be consecutive: compaction and transaction markers leave holes.
#[derive(Debug, Default)]
pub struct OffsetTracker {
    /// Consumed and not yet part of the prefix, in offset order, with whether it has finished.
    open: VecDeque<(i64, bool)>,
    /// The offset to commit: one past the last message of the prefix, or past offsets without a message that follow it.
    position: Option<i64>,
    /// Every message before it is consumed.
    reached: Option<i64>,
}

impl OffsetTracker {
    /// Notes that the message at `offset` was consumed. Offsets rise; one that does not (a replay after a seek)
    /// restarts the partition there, because Kafka delivers all later messages again.
    pub fn begin(&mut self, offset: i64) {
        if self.open.back().is_some_and(|&(last, _)| last >= offset) {
            self.open.clear();
        }
        if self.reached.is_some_and(|reached| reached > offset) {
            self.reached = None;
        }
        self.open.push_back((offset, false));
    }

    /// Notes that the message at `offset` has reached the next system. Unknown offsets are ignored: they precede a
    /// replay.
    pub fn finish(&mut self, offset: i64) {
        // Nearly all finish in order: the first is checked before the others are searched.
        let found = match self.open.front() {
            Some(&(first, _)) if first == offset => Ok(0),
            _ => self.open.binary_search_by_key(&offset, |&(open, _)| open),
        };
        if let Ok(index) = found
            && let Some(entry) = self.open.get_mut(index)
        {
            entry.1 = true;
        }
        while let Some(&(first, true)) = self.open.front() {
            self.position = Some(first + 1);
            self.open.pop_front();
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
            && self.open.front().is_none_or(|&(first, _)| first >= reached)
        {
            self.position = self.position.max(Some(reached));
            self.reached = None;
        }
    }

    /// The offset to commit, in Kafka's sense: that of the next message to read. `None` before anything finished.
    pub fn position(&self) -> Option<i64> {
        self.position
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
            prefix.begin(offset);
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
        prefix.begin(7);
        prefix.begin(8);
        prefix.begin(7);
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
        prefix.begin(3);
        prefix.begin(4);
        prefix.reach(6);
        prefix.finish(4);
        assert_eq!(prefix.position(), Some(3), "3 has not finished");
        prefix.begin(7);
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
        prefix.begin(7);
        prefix.reach(9);
        prefix.begin(7);
        prefix.finish(7);
        assert_eq!(prefix.position(), Some(8));
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
            offsets.iter().for_each(|&offset| prefix.begin(offset));
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
