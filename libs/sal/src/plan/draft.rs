//! One layout of a topic's messages, put together from a record's fields and from what is on the wire besides them. It
//! stands below `layout` and `left_out`, which choose what is on the wire.

use super::fields::{Presence, Sorted, Wire};
use super::op::{Act, Count, Layout, Lead, Op, Unclear};
use super::steps::Steps;
use crate::notes::NoteKind;

/// A plan with more layouts than this is refused.
pub(super) const MAX_LAYOUTS: usize = 256;
/// A plan with more steps than this is refused: no message of 100,000 bytes has so many values.
pub(super) const MAX_OPS: usize = 1 << 20;

/// The values of a layout besides the preamble and the items.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extras {
    pub(super) index: bool,
    pub(super) address: bool,
    pub(super) state: bool,
    pub(super) priority: bool,
}

/// Runs of neighbouring bytes fields that may or may not be on the wire, as positions of items.
pub(super) struct Runs(Vec<Vec<usize>>);

impl Runs {
    pub(super) fn new(sorted: &Sorted) -> Self {
        let mut runs = Vec::new();
        let mut run = Vec::new();
        for (position, item) in sorted.items.iter().enumerate() {
            match item.presence {
                Presence::Unclear => run.push(position),
                Presence::Omitted => {}
                Presence::Sent | Presence::Maybe if run.is_empty() => {}
                Presence::Sent | Presence::Maybe => runs.push(std::mem::take(&mut run)),
            }
        }
        if !run.is_empty() {
            runs.push(run);
        }
        Self(runs)
    }

    /// The combinations in which each run has between 0 and all of its values.
    pub(super) fn ways(&self) -> usize {
        self.0
            .iter()
            .fold(1, |ways, run| ways.saturating_mul(run.len() + 1))
    }

    /// The number of values in each run for one combination; in the first, every run is complete.
    pub(super) fn sent(&self, mut way: usize) -> Vec<usize> {
        let digit = |run: &Vec<usize>| {
            let digit = way % (run.len() + 1);
            way /= run.len() + 1;
            run.len() - digit
        };
        self.0.iter().map(digit).collect()
    }

    /// The run that contains an item, and the item's position in the run.
    fn find(&self, item: usize) -> Option<(usize, usize)> {
        let runs = self.0.iter().enumerate();
        runs.filter_map(|(run, items)| Some((run, items.iter().position(|&each| each == item)?)))
            .next()
    }

    pub(super) fn unclear(&self, sorted: &Sorted, sent: &[usize]) -> Unclear {
        let fields = self.0.iter().map(Vec::len).sum::<usize>();
        let first = self
            .0
            .first()
            .and_then(|run| sorted.items.get(*run.first()?))
            .map_or(0, |item| item.field);
        Unclear {
            field: first as u16,
            fields: fields as u32,
            found: sent.iter().sum::<usize>() as u32,
        }
    }
}

/// A layout under construction: the steps, each with the field that it writes.
#[derive(Default)]
pub(super) struct Draft {
    ops: Vec<(Option<usize>, Op)>,
    notes: Vec<NoteKind>,
    unclear: Option<Unclear>,
}

impl Draft {
    /// `left_out` are the positions of items that are not on the wire although they usually are.
    pub(super) fn record(
        mut self,
        sorted: &Sorted,
        extras: Extras,
        runs: &Runs,
        sent: &[usize],
        left_out: &[usize],
    ) -> Layout {
        for wire in &sorted.preamble {
            self.wire(wire, true);
        }
        self.wire(&sorted.index, extras.index);
        for wire in &sorted.address {
            self.wire(wire, extras.address);
        }
        for position in 0..sorted.items.len() {
            self.item(sorted, position, runs, sent, left_out.contains(&position));
        }
        self.wire(&sorted.state, extras.state);
        self.wire(&sorted.priority, extras.priority);
        for made in &sorted.made {
            self.made(made.field, &made.steps);
            self.notes.extend(made.note);
        }
        self.finish()
    }

    /// Adds a value besides the items.
    fn wire(&mut self, wire: &Wire, sent: bool) {
        match (sent, &wire.taken, &wire.absent) {
            (true, Some((field, steps)), _) => self.read(*field, steps),
            (true, None, _) => {
                self.ops.push((None, wire.skip));
                self.notes.push(wire.skipped);
            }
            (false, _, Some((field, steps))) => {
                self.made(*field, steps);
                self.notes.push(wire.omitted);
            }
            (false, _, None) => {}
        }
    }

    fn item(&mut self, sorted: &Sorted, position: usize, runs: &Runs, sent: &[usize], is_left_out: bool) {
        let Some(item) = sorted.items.get(position) else {
            return;
        };
        let is_sent = match (item.presence, runs.find(position)) {
            (Presence::Unclear, Some((run, place))) => {
                let (values, of) = (
                    sent.get(run).copied().unwrap_or(0),
                    runs.0.get(run).map_or(0, Vec::len),
                );
                if place == 0 && values != 0 && values != of {
                    let (fields, found) = (of as u32, values as u32);
                    self.unclear = self.unclear.or(Some(Unclear {
                        field: item.field as u16,
                        fields,
                        found,
                    }));
                }
                place < values
            }
            (presence, _) => matches!(presence, Presence::Sent | Presence::Maybe) && !is_left_out,
        };
        match &item.absent {
            Some(steps) if !is_sent => {
                self.made(item.field, steps);
                self.notes.push(NoteKind::OmittedByte);
            }
            _ => self.read(item.field, &item.read),
        }
    }

    fn read(&mut self, field: usize, steps: &Steps) {
        self.ops.extend(steps.iter().map(|op| (Some(field), *op)));
    }

    /// Inserts steps that read nothing at their place in Avro's order, if the wire order allows it.
    fn made(&mut self, field: usize, steps: &Steps) {
        let before = self
            .ops
            .iter()
            .enumerate()
            .filter(|(_, (other, _))| other.is_some_and(|other| other < field));
        let mut at = before
            .max_by_key(|(at, (other, _))| (*other, *at))
            .map_or(0, |(at, _)| at + 1);
        if steps.iter().any(|op| matches!(op.act, Act::Sent(_))) {
            let sent = self
                .ops
                .iter()
                .position(|(_, op)| matches!(op.act, Act::SentStamp(_)));
            at = at.max(sent.map_or(0, |sent| sent + 1));
        }
        self.ops.splice(at..at, steps.iter().map(|op| (Some(field), *op)));
    }

    fn finish(mut self) -> Layout {
        if let Some((_, first)) = self.ops.iter_mut().find(|(_, op)| op.act.is_read()) {
            first.lead = Lead::Nothing;
        }
        let order = order(&self.ops);
        let ops: Box<[Op]> = self.ops.into_iter().map(|(_, op)| op).collect();
        let texts = ops.iter().filter(|op| op.act.is_text()).count() as u32;
        let values = ops.iter().filter(|op| op.starts_value()).count() as u32;
        let (notes, unclear) = (self.notes.into(), self.unclear);
        Layout {
            ops,
            order,
            texts,
            values,
            notes,
            is_fallback: false,
            rival: None,
            unclear,
        }
    }
}

/// The steps in Avro's order as ranges of the wire order; `None` if both are the same.
fn order(ops: &[(Option<usize>, Op)]) -> Option<Box<[(u32, u32)]>> {
    let mut written: Vec<(usize, usize)> = ops
        .iter()
        .enumerate()
        .filter_map(|(position, (field, op))| {
            field
                .filter(|_| op.act.is_written())
                .map(|field| (field, position))
        })
        .collect();
    if written.is_sorted() {
        return None;
    }
    written.sort_unstable();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for (_, position) in written {
        let position = position as u32;
        match ranges.last_mut() {
            Some((_, end)) if *end == position => *end += 1,
            _ => ranges.push((position, position + 1)),
        }
    }
    Some(ranges.into())
}

/// What a message shows of a step: its separator, whether it is quoted, and the number of items. An array of one item looks
/// like a scalar.
pub(super) type Shape = (Lead, bool, Count);

pub(super) fn shape(layout: &Layout) -> Vec<Shape> {
    let read = layout.ops.iter().filter(|op| op.act.is_read());
    read.map(|op| {
        let count = match op.count {
            Count::Items(1) => Count::Scalar,
            count => count,
        };
        (op.lead, op.act.is_text(), count)
    })
    .collect()
}
