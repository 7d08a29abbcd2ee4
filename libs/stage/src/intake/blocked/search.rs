//! Finds the end of a batch that cannot be decoded. Kafka answers a fetch from any offset within a batch with the whole
//! batch, so a read shows whether an offset lies in the same batch; those that do are contiguous.

/// The first offset after the batch that contains `inside`. `is_inside` tests an offset, or fails.
pub(super) fn end_of_batch<E>(
    inside: i64,
    mut is_inside: impl FnMut(i64) -> Result<bool, E>,
) -> Result<i64, E> {
    let (mut inside, mut step) = (inside, 1);
    let mut outside = loop {
        let next = inside.saturating_add(step);
        if !is_inside(next)? {
            break next;
        }
        inside = next;
        step *= 2;
    };
    while outside - inside > 1 {
        let middle = inside + (outside - inside) / 2;
        if is_inside(middle)? {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    Ok(outside)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_the_end_and_asks_seldom(first in 0..1_000_i64, length in 1..2_000_000_i64, from in 0..1_000_i64) {
            let from = first + from.min(length - 1);
            let mut asked = 0;
            let found = end_of_batch(from, |offset| {
                asked += 1;
                Ok::<_, ()>((first..first + length).contains(&offset))
            });
            prop_assert_eq!(found, Ok(first + length));
            prop_assert!(asked <= 44, "{} questions", asked);
        }
    }

    #[test]
    fn a_question_without_an_answer_ends_the_search() {
        assert_eq!(end_of_batch(7, |_| Err::<bool, _>("away")), Err("away"));
    }
}
