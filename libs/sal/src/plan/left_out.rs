//! Layouts in which ints are left out. In published schemas of dialect ts_xml a byte, which is not written, is an int like
//! any other: a message may lack one. It stands between `layout`, which makes the layouts with all ints, and `draft`.

use std::collections::HashMap;

use super::draft::{Draft, Extras, MAX_LAYOUTS, MAX_OPS, Runs, Shape, shape};
use super::fields::{Item, Presence, Sorted};
use super::op::{Count, Layout, Rival};
use super::schema::Record;
use crate::name::Kind;

/// A plan gets at most this many combinations of ints that are left out; with more, none.
const MAX_FALLBACKS: usize = 32;

/// The layout that an event without a priority can be mistaken for, as both have the same number of values: with a
/// priority, but without an int. The last int stands for all: values that fit their own places, and also the places after
/// an earlier int that is left out, fit without the last.
pub(super) fn rival(
    record: &Record,
    sorted: &Sorted,
    extras: Extras,
    runs: &Runs,
    sent: &[usize],
) -> Option<Box<Rival>> {
    if record.kind != Kind::Event || extras.priority {
        return None;
    }
    let is_int = |item: &Item| item.presence == Presence::Maybe;
    let last = sorted.items.iter().rposition(is_int)?;
    let with_priority = Extras {
        priority: true,
        ..extras
    };
    Some(Box::new(Rival {
        field: sorted.items.get(last)?.field as u16,
        layout: Draft::default().record(sorted, with_priority, runs, sent, &[last]),
    }))
}

/// Layouts without the ints of some blocks. Of several that look the same on the wire, and of one that looks like a layout
/// with all ints, none is tried: nothing tells which ints are left out.
pub(super) fn fallbacks(
    sorted: &Sorted,
    extras: &[Extras],
    runs: &Runs,
    known: &HashMap<Vec<Shape>, usize>,
    most: usize,
    ops_each: usize,
) -> Vec<Layout> {
    let blocks = blocks_of_ints(sorted);
    // An array of any number of items takes the values of several shapes.
    let has_any_number = |item: &Item| item.read.iter().any(|op| op.count == Count::Some);
    let ways = 1_usize.checked_shl(blocks.len() as u32).unwrap_or(usize::MAX);
    let all = ways.saturating_mul(extras.len()).saturating_add(most);
    if runs.ways() > 1
        || ways > MAX_FALLBACKS
        || all > MAX_LAYOUTS
        || all.saturating_mul(ops_each) > MAX_OPS
        || sorted.items.iter().any(has_any_number)
    {
        return Vec::new();
    }
    let mut found: HashMap<Vec<Shape>, Option<Layout>> = HashMap::new();
    let mut order: Vec<Vec<Shape>> = Vec::new();
    for &extras in extras {
        for way in 1..ways {
            let chosen = blocks
                .iter()
                .enumerate()
                .filter(|(block, _)| way >> block & 1 == 1);
            let left_out: Vec<usize> = chosen.flat_map(|(_, block)| block.iter().copied()).collect();
            let mut layout = Draft::default().record(sorted, extras, runs, &[], &left_out);
            layout.is_fallback = true;
            let shape = shape(&layout);
            if known.contains_key(&shape) {
                continue;
            }
            match found.get_mut(&shape) {
                Some(same) => *same = None,
                None => {
                    order.push(shape.clone());
                    found.insert(shape, Some(layout));
                }
            }
        }
    }
    order.iter().filter_map(|shape| found.remove(shape)?).collect()
}

/// The ints between two strings: within such a block, nothing tells which of several is left out, but for the number of
/// their items.
fn blocks_of_ints(sorted: &Sorted) -> Vec<Vec<usize>> {
    let mut blocks = vec![Vec::new()];
    for (position, item) in sorted.items.iter().enumerate() {
        match blocks.last_mut() {
            Some(block) if item.presence == Presence::Maybe => block.push(position),
            _ if item.is_text => blocks.push(Vec::new()),
            _ => {}
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}
