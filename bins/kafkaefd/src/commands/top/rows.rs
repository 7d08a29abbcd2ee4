//! The rows of the groups' table: which groups and partitions are shown, and in which order.

use std::cmp::Reverse;

use operator::stages::{GroupRow, PartitionRow, Snapshot};

use super::state::State;

/// A row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown<'s> {
    Group(&'s GroupRow),
    Partition(&'s PartitionRow),
}

/// The rows that the state selects: a group, then its partitions.
pub(super) fn rows<'s>(snapshot: &'s Snapshot, state: &State) -> Vec<Shown<'s>> {
    let mut groups: Vec<&GroupRow> = snapshot.kafka.iter().flat_map(|kafka| &kafka.groups).collect();
    if state.by_lag {
        groups.sort_by_key(|group| Reverse(group.lag));
    }
    let mut rows = Vec::new();
    for group in groups {
        let is_named = state.matches(&group.group);
        let mut partitions: Vec<&PartitionRow> = group
            .partitions
            .iter()
            .filter(|row| is_named || state.matches(&row.topic))
            .filter(|row| !state.hides_idle || row.lag.is_some_and(|lag| lag > 0))
            .collect();
        if state.by_lag {
            partitions.sort_by_key(|row| Reverse(row.lag));
        }
        let is_idle = state.hides_idle && group.lag <= 0;
        if partitions.is_empty() && (is_idle || !is_named) {
            continue;
        }
        rows.push(Shown::Group(group));
        rows.extend(partitions.into_iter().map(Shown::Partition));
    }
    rows
}

/// As much of a name as fits, cut in the middle: names that are alike differ at their ends.
pub(super) fn fitted(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let kept = width.saturating_sub(1);
    let head: String = name.chars().take(kept / 2).collect();
    let tail: String = name.chars().skip(length - (kept - kept / 2)).collect();
    match width {
        0 => String::new(),
        _ => format!("{head}…{tail}"),
    }
}

#[cfg(test)]
mod tests {
    use operator::groups::GroupState;
    use operator::stages::BrokersRow;

    use super::*;

    fn snapshot() -> Snapshot {
        let group = |name: &str, lags: &[(&str, Option<i64>)]| GroupRow {
            group: name.to_owned(),
            state: GroupState::Stable,
            members: None,
            lag: lags.iter().filter_map(|(_, lag)| *lag).sum(),
            partitions: lags
                .iter()
                .map(|(topic, lag)| PartitionRow {
                    topic: (*topic).to_owned(),
                    partition: 0,
                    committed: None,
                    end: 0,
                    lag: *lag,
                })
                .collect(),
        };
        Snapshot {
            kafka: Some(BrokersRow {
                groups: vec![
                    group("idle", &[("a", Some(0)), ("b", None)]),
                    group("sink", &[("a", Some(0)), ("Dome", Some(2)), ("c", Some(5))]),
                ],
                ..BrokersRow::default()
            }),
            ..Snapshot::default()
        }
    }

    fn shown(state: &State) -> Vec<String> {
        let snapshot = snapshot();
        let name = |row: &Shown<'_>| match row {
            Shown::Group(group) => group.group.clone(),
            Shown::Partition(row) => format!(" {}", row.topic),
        };
        rows(&snapshot, state).iter().map(name).collect()
    }

    #[test]
    fn rows_are_sorted_hidden_and_filtered() {
        assert_eq!(
            shown(&State::default()),
            ["idle", " a", " b", "sink", " a", " Dome", " c"]
        );
        let mut state = State {
            by_lag: true,
            ..State::default()
        };
        assert_eq!(shown(&state), ["sink", " c", " Dome", " a", "idle", " a", " b"]);
        state.hides_idle = true;
        assert_eq!(shown(&state), ["sink", " c", " Dome"]);
        state.filter = "dome".to_owned();
        assert_eq!(shown(&state), ["sink", " Dome"]);
        state.filter = "IDLE".to_owned();
        assert!(shown(&state).is_empty());
    }

    #[test]
    fn names_are_cut_in_the_middle() {
        assert_eq!(
            fitted("lsst.sal.ATDome_position[0]", 27),
            "lsst.sal.ATDome_position[0]"
        );
        assert_eq!(fitted("lsst.sal.ATDome_position[0]", 15), "lsst.sa…tion[0]");
        assert_eq!(
            (fitted("abc", 1), fitted("abc", 0)),
            ("…".to_owned(), String::new())
        );
    }
}
