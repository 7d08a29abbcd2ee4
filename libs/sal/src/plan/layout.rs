//! The possible layouts of a topic's messages, each a flat list of steps. Last step of compiling a plan.
//!
//! SAL's generator writes some values besides the items, and the schema may not say which. A component may
//! have an index; an event has a priority (its absence is tolerated without an index); a command may have
//! four strings and, without items, a `state`; of neighbouring bytes fields either all or none are written. In
//! published schemas of dialect ts_xml a byte, which is not written, is an int like any other: a message that fits
//! no layout with all ints may fit one without those between two strings, and an event without a priority may have one and
//! lack an int instead (`left_out`).

use std::cmp::Reverse;
use std::collections::HashMap;

use super::draft::{Draft, Extras, MAX_LAYOUTS, MAX_OPS, Runs, Shape, shape};
use super::error::PlanError;
use super::fields::Sorted;
use super::left_out::{fallbacks, rival};
use super::op::Layout;
use super::schema::Record;
use crate::name::Kind;

/// All layouts: those with the most strings first, then the likeliest. For some of them the wire does not
/// show which field a value belongs to; a message that fits only those is refused.
pub(super) fn layouts(record: &Record, sorted: &Sorted) -> Result<Vec<Layout>, PlanError> {
    let runs = Runs::new(sorted);
    let extras = extras(record, sorted.items.is_empty());
    let most = extras.len().saturating_mul(runs.ways());
    let ops_each = sorted.items.iter().map(|item| item.read.len()).sum::<usize>() + 32;
    if most > MAX_LAYOUTS || most * ops_each > MAX_OPS {
        return Err(PlanError::TooManyLayouts {
            record: record.name.clone(),
            layouts: most,
        });
    }
    let mut layouts: Vec<Layout> = Vec::with_capacity(most);
    let mut shapes: HashMap<Vec<Shape>, usize> = HashMap::new();
    for &extras in &extras {
        for way in 0..runs.ways() {
            let sent = runs.sent(way);
            let mut layout = Draft::default().record(sorted, extras, &runs, &sent, &[]);
            layout.rival = rival(record, sorted, extras, &runs, &sent);
            let position = *shapes.entry(shape(&layout)).or_insert(layouts.len());
            match layouts.get_mut(position) {
                None => layouts.push(layout),
                // No message could tell these two layouts apart.
                Some(same) => same.unclear = same.unclear.or(Some(runs.unclear(sorted, &sent))),
            }
        }
    }
    layouts.extend(fallbacks(sorted, &extras, &runs, &shapes, most, ops_each));
    layouts.sort_by_key(|layout| Reverse(layout.texts));
    Ok(layouts)
}

/// The likeliest first.
fn extras(record: &Record, no_items: bool) -> Vec<Extras> {
    let none = Extras {
        index: false,
        address: false,
        state: false,
        priority: false,
    };
    let indexes: &[bool] = match record.indexed {
        Some(true) => &[true],
        Some(false) => &[false],
        None => &[false, true],
    };
    let indexed = |extras: Extras| indexes.iter().map(move |&index| Extras { index, ..extras });
    match record.kind {
        Kind::Telemetry | Kind::Ackcmd => indexed(none).collect(),
        Kind::Event => {
            let tolerated = Extras {
                index: record.indexed == Some(true),
                ..none
            };
            indexed(Extras {
                priority: true,
                ..none
            })
            .chain([tolerated])
            .collect()
        }
        Kind::Command => [true, false]
            .into_iter()
            .flat_map(|address| {
                let some = indexed(Extras {
                    address,
                    state: no_items,
                    ..none
                });
                // Without items, a single integer is the state and not the index, unless the schema says that
                // there is an index.
                let nothing = Extras {
                    index: record.indexed == Some(true),
                    address,
                    ..none
                };
                some.chain(no_items.then_some(nothing)).collect::<Vec<_>>()
            })
            .collect(),
    }
}
