//! What differs between two texts, line by line: the longest common subsequence.

/// A line of either text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change<'t> {
    Same(&'t str),
    Removed(&'t str),
    Added(&'t str),
}

/// Lines of a text beyond which whole blocks are compared: the table has as many cells as the product of both.
const MAX_LINES: usize = 3_000;

/// The lines of both texts in order.
pub(crate) fn diff<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Change<'t>> {
    let same_before = old
        .iter()
        .zip(new)
        .take_while(|(one, other)| one == other)
        .count();
    let (head, old) = old.split_at(same_before);
    let new = new.get(same_before..).unwrap_or_default();
    let same_after = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(one, other)| one == other)
        .count();
    let (old, tail) = old.split_at(old.len() - same_after);
    let new = new.get(..new.len() - same_after).unwrap_or_default();
    let mut changes: Vec<Change<'t>> = head.iter().map(|line| Change::Same(line)).collect();
    if old.len() > MAX_LINES || new.len() > MAX_LINES {
        changes.extend(old.iter().map(|line| Change::Removed(line)));
        changes.extend(new.iter().map(|line| Change::Added(line)));
    } else {
        changes.extend(between(old, new));
    }
    changes.extend(tail.iter().map(|line| Change::Same(line)));
    changes
}

fn between<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Change<'t>> {
    // `longest[i][j]`: how many lines the texts from there on have in common.
    let width = new.len() + 1;
    let mut longest = vec![0_u16; (old.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    let read = |longest: &[u16], i: usize, j: usize| longest.get(at(i, j)).copied().unwrap_or_default();
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let best = if one == other {
                read(&longest, i + 1, j + 1) + 1
            } else {
                read(&longest, i + 1, j).max(read(&longest, i, j + 1))
            };
            if let Some(cell) = longest.get_mut(at(i, j)) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut changes = Vec::new();
    loop {
        match (old.get(i), new.get(j)) {
            (Some(one), Some(other)) if one == other => {
                changes.push(Change::Same(one));
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), other) if other.is_none() || read(&longest, i + 1, j) >= read(&longest, i, j + 1) => {
                changes.push(Change::Removed(one));
                i += 1;
            }
            (_, Some(other)) => {
                changes.push(Change::Added(other));
                j += 1;
            }
            (_, None) => return changes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_marked() {
        use Change::{Added, Removed, Same};
        assert_eq!(
            diff(&["a", "b", "c", "d"], &["a", "x", "c", "d", "e"]),
            [
                Same("a"),
                Removed("b"),
                Added("x"),
                Same("c"),
                Same("d"),
                Added("e")
            ]
        );
        assert_eq!(diff(&["a"], &["a"]), [Same("a")]);
        assert_eq!(diff(&[], &["a"]), [Added("a")]);
        assert_eq!(diff(&["a"], &[]), [Removed("a")]);
        assert_eq!(diff(&["a", "a"], &["a"]), [Same("a"), Removed("a")]);
    }

    #[test]
    fn both_texts_can_be_read_back() {
        proptest::proptest!(|(old in proptest::collection::vec("[ab]", 0..12), new in proptest::collection::vec("[ab]", 0..12))| {
            let (old, new): (Vec<&str>, Vec<&str>) = (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
            let changes = diff(&old, &new);
            let of = |wanted: fn(&Change<'_>) -> bool| changes.iter().filter(|change| wanted(change)).map(|change| match change {
                Change::Same(line) | Change::Removed(line) | Change::Added(line) => *line,
            }).collect::<Vec<_>>();
            assert_eq!(of(|change| !matches!(change, Change::Added(_))), old);
            assert_eq!(of(|change| !matches!(change, Change::Removed(_))), new);
        });
    }
}
