//! Points of one batch that are sent together: first all of them, then parts, after the database refused some.

use std::ops::Range;

/// Points by their place in the batch, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Neighbours: their lines are a slice of the batch's.
    Range(Range<usize>),
    /// Single places, ascending.
    Chosen(Vec<usize>),
}

impl Group {
    /// The number of points.
    pub(crate) fn len(&self) -> usize {
        match self {
            Group::Range(range) => range.len(),
            Group::Chosen(places) => places.len(),
        }
    }

    /// Their places in the batch.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let (range, chosen) = match self {
            Group::Range(range) => (range.clone(), &[][..]),
            Group::Chosen(places) => (0..0, places.as_slice()),
        };
        range.chain(chosen.iter().copied())
    }

    /// The first half and the second, which is not smaller.
    pub(crate) fn halves(self) -> [Group; 2] {
        let middle = self.len() / 2;
        match self {
            Group::Range(Range { start, end }) => {
                [start..start + middle, start + middle..end].map(Group::Range)
            }
            Group::Chosen(mut places) => {
                let second = places.split_off(middle);
                [places, second].map(Group::Chosen)
            }
        }
    }

    /// Those at `positions` (in this group, ascending), and the others.
    pub(crate) fn part(self, positions: &[usize]) -> [Group; 2] {
        let mut positions = positions.iter().copied().peekable();
        let (mut those, mut others) = (Vec::new(), Vec::new());
        for (position, place) in self.places().enumerate() {
            if positions.next_if_eq(&position).is_some() {
                those.push(place);
            } else {
                others.push(place);
            }
        }
        [those, others].map(Group::Chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_the_order_and_lose_nothing() {
        let all = Group::Range(2..7);
        assert_eq!(all.places().collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
        assert_eq!(all.clone().halves(), [Group::Range(2..4), Group::Range(4..7)]);
        let [those, others] = all.part(&[1, 4]);
        assert_eq!(those, Group::Chosen(vec![3, 6]));
        assert_eq!(others, Group::Chosen(vec![2, 4, 5]));
        let [first, second] = others.halves();
        assert_eq!((first.len(), second), (1, Group::Chosen(vec![4, 5])));
    }
}
