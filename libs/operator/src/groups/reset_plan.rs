//! Where a group is to go on, and what that means for each partition: pure, so that a plan can be shown and tested.

use std::str::FromStr;

use serde::Serialize;
use stage::config::{Timestamp, parse_timestamp};

use super::Position;

/// Where to go on: what `--to` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// At the oldest message that is there.
    Earliest,
    /// At the next message that comes.
    Latest,
    /// At this offset of each partition.
    Offset(i64),
    /// At the first message of this moment or later.
    Datetime(Timestamp),
    /// This many messages later, or earlier if negative.
    Shift(i64),
}

/// What will become of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Move {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// What is committed now.
    pub from: Option<i64>,
    /// What will be committed.
    pub to: i64,
    /// What was wanted, where the partition does not hold it.
    pub wanted: Option<i64>,
    /// Messages to read before.
    pub lag_before: Option<i64>,
    /// Messages to read after.
    pub lag_after: i64,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<i64>().map_err(|error| format!("{text}: {error}"));
        match text.split_once('=') {
            None if ["earliest", "start", "oldest"].contains(&text) => Ok(Self::Earliest),
            None if ["latest", "end", "newest"].contains(&text) => Ok(Self::Latest),
            Some(("offset", offset)) => match number(offset)? {
                offset if offset < 0 => Err("an offset is 0 or more".to_owned()),
                offset => Ok(Self::Offset(offset)),
            },
            Some(("datetime", text)) => parse_timestamp(text).map(Self::Datetime),
            Some(("shift", by)) => number(by).map(Self::Shift),
            _ => Err(
                "expected earliest, latest, offset=120, datetime=2026-11-21T10:00:00Z (or datetime=-90m), or shift=-100"
                    .to_owned(),
            ),
        }
    }
}

impl Target {
    /// The move of a partition; `at` is its first offset at or after the moment, if the target is one. None if there is
    /// nothing to shift.
    pub(super) fn of(self, position: &Position, at: Option<i64>) -> Option<Move> {
        let wanted = match self {
            Self::Earliest => position.oldest,
            Self::Latest => position.newest,
            Self::Offset(offset) => offset,
            Self::Datetime(_) => at.unwrap_or(position.newest),
            Self::Shift(by) => position.committed?.saturating_add(by),
        };
        let to = wanted.min(position.newest).max(position.oldest);
        Some(Move {
            topic: position.topic.clone(),
            partition: position.partition,
            from: position.committed,
            to,
            wanted: (wanted != to).then_some(wanted),
            lag_before: position.lag(),
            lag_after: (position.newest - to).max(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> Position {
        Position {
            topic: "t".to_owned(),
            partition: 0,
            committed: Some(20),
            oldest: 10,
            newest: 30,
            nothing_to_read: false,
        }
    }

    #[test]
    fn targets_are_read() {
        let read = |text: &str| text.parse::<Target>();
        assert_eq!(read("earliest"), Ok(Target::Earliest));
        assert_eq!(read("offset=5"), Ok(Target::Offset(5)));
        assert_eq!(
            read("datetime=1970-01-02"),
            Ok(Target::Datetime(Timestamp(86_400_000)))
        );
        assert_eq!(read("shift=-5"), Ok(Target::Shift(-5)));
        assert_eq!(read("shift=+5"), Ok(Target::Shift(5)));
        assert!(matches!(read("datetime=-90m"), Ok(Target::Datetime(_))));
        for wrong in [
            "",
            "first",
            "offset",
            "offset=-1",
            "offset=x",
            "shift=",
            "latest=1",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn targets_stay_within_what_the_partition_holds() {
        let to = |target: Target| {
            let planned = target.of(&position(), None).unwrap();
            (planned.to, planned.wanted, planned.lag_after)
        };
        assert_eq!(to(Target::Earliest), (10, None, 20));
        assert_eq!(to(Target::Latest), (30, None, 0));
        assert_eq!(to(Target::Offset(3)), (10, Some(3), 20));
        assert_eq!(to(Target::Offset(31)), (30, Some(31), 0));
        assert_eq!(to(Target::Shift(-7)), (13, None, 17));
        assert_eq!(to(Target::Shift(i64::MIN)), (10, Some(20 + i64::MIN), 20));
        assert_eq!(to(Target::Shift(i64::MAX)), (30, Some(i64::MAX), 0));
        let moment = Target::Datetime(Timestamp(0));
        assert_eq!(moment.of(&position(), Some(12)).unwrap().to, 12);
        assert_eq!(to(moment), (30, None, 0), "nothing is that late");
    }

    #[test]
    fn what_was_never_committed_cannot_be_shifted() {
        let fresh = Position {
            committed: None,
            ..position()
        };
        assert_eq!(Target::Shift(1).of(&fresh, None), None);
        assert_eq!(Target::Latest.of(&fresh, None).unwrap().lag_before, None);
    }
}
