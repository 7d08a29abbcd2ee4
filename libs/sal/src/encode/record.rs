//! Reads one message in one layout: runs the plan's steps in order. `string_end` decides where each string ends.
//!
//! Values are written while they are read. In most messages no string contains a quote, so the first quote is
//! the end and nothing is read twice.

use crate::plan::{Layout, Lead, Op, Plan};
use crate::wire::grammar::{Parsed, field_separator, item_separator, opening_quote, record_end};
use crate::wire::{Fault, Problem};

/// The input of one reading.
pub(super) struct Source<'r, 'a> {
    pub(super) plan: &'r Plan,
    /// From the first value to the closing parenthesis.
    pub(super) values: &'a [u8],
    pub(super) now_unix_micros: i64,
}

impl Source<'_, '_> {
    /// The number of values if each ` ,` in the message separates two fields: no layout with more values
    /// fits.
    #[cold]
    pub(super) fn max_values(&self) -> u32 {
        let pairs = self.values.iter().zip(self.values.iter().skip(1));
        1 + pairs.map(|pair| u32::from(pair == (&b' ', &b','))).sum::<u32>()
    }
}

/// Buffers that are reused from message to message.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// The values in wire order, if that differs from Avro's order.
    scratch: Vec<u8>,
    /// The offset in `scratch` at which each step's bytes start.
    marks: Vec<u32>,
    texts: Vec<Text>,
}

/// A string: the step that read it and the offset of its closing quote in the values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub(super) op: usize,
    pub(super) end: usize,
}

/// A message with the structure of the layout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit<'a> {
    /// Whether a string contains a quote, so that more than one end was tried.
    pub(super) tried_ends: bool,
    /// Whether the strings can be split differently.
    pub(super) is_ambiguous: bool,
    /// The first value that its Avro type cannot carry, and its field.
    pub(super) misfit: Option<(Fault<'a>, u16)>,
    /// The component's index, if the layout has a field for it.
    pub(super) index: Option<i64>,
}

/// A message with a different structure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure<'a> {
    pub(super) fault: Fault<'a>,
    pub(super) layout: usize,
    pub(super) op: usize,
    pub(super) field: u16,
}

impl Failure<'_> {
    /// Whether this failure is further along: at a later step, or at a later byte of the same step. The byte
    /// alone is not enough: a string that extends too far fails late in the message, but at its very next
    /// step.
    pub(super) fn is_further(&self, other: &Self) -> bool {
        (self.op, other.fault.rest.len()) > (other.op, self.fault.rest.len())
    }
}

/// Reads the message in one of the plan's layouts and appends it to `out` as Avro.
pub(super) fn read<'a>(
    source: &Source<'_, 'a>,
    layout_index: usize,
    buffers: &mut Buffers,
    out: &mut Vec<u8>,
) -> Result<Fit<'a>, Failure<'a>> {
    let Some(layout) = source.plan.layouts.get(layout_index) else {
        let fault = Fault {
            problem: Problem::RecordEnd,
            rest: source.values,
        };
        return Err(Failure {
            fault,
            layout: layout_index,
            op: 0,
            field: 0,
        });
    };
    read_as(source, layout, layout_index, buffers, out)
}

/// Reads the message in a layout, of which failures have this number.
pub(super) fn read_as<'a>(
    source: &Source<'_, 'a>,
    layout: &Layout,
    layout_index: usize,
    buffers: &mut Buffers,
    out: &mut Vec<u8>,
) -> Result<Fit<'a>, Failure<'a>> {
    let Buffers {
        scratch,
        marks,
        texts,
    } = buffers;
    texts.clear();
    let Some(order) = &layout.order else {
        return Reading::new(source, layout, layout_index, out, None, texts).run();
    };
    scratch.clear();
    marks.clear();
    marks.resize(layout.ops.len() + 1, 0);
    let fit = Reading::new(source, layout, layout_index, scratch, Some(marks), texts).run()?;
    for &(from, to) in order {
        if let (Some(&start), Some(&end)) = (marks.get(from as usize), marks.get(to as usize)) {
            out.extend_from_slice(scratch.get(start as usize..end as usize).unwrap_or_default());
        }
    }
    Ok(fit)
}

pub(super) struct Reading<'r, 'a> {
    pub(super) source: &'r Source<'r, 'a>,
    layout: &'r Layout,
    layout_index: usize,
    pub(super) out: &'r mut Vec<u8>,
    pub(super) marks: Option<&'r mut Vec<u32>>,
    pub(super) texts: &'r mut Vec<Text>,
    pub(super) misfit: Option<(Fault<'a>, u16)>,
    /// When the message was sent, in seconds.
    pub(super) sent: f64,
    pub(super) index: Option<i64>,
}

/// The next step that reads a string (or the number of steps), and the input from the string's first byte.
pub(super) type Reached<'a> = (usize, &'a [u8]);

impl<'r, 'a> Reading<'r, 'a> {
    fn new(
        source: &'r Source<'r, 'a>,
        layout: &'r Layout,
        layout_index: usize,
        out: &'r mut Vec<u8>,
        marks: Option<&'r mut Vec<u32>>,
        texts: &'r mut Vec<Text>,
    ) -> Self {
        Self {
            source,
            layout,
            layout_index,
            out,
            marks,
            texts,
            misfit: None,
            sent: 0.0,
            index: None,
        }
    }

    fn run(mut self) -> Result<Fit<'a>, Failure<'a>> {
        let mut tried_ends = false;
        let (mut at, mut rest) = self.up_to_text(0, self.source.values)?;
        while let Some(&op) = self.layout.ops.get(at) {
            let start = self.source.values.len() - rest.len();
            let (len, reached) = match self.first_end(at, op, rest) {
                Ok(found) => found,
                Err(failure) => {
                    tried_ends = true;
                    self.later_end(at, op, rest, failure)?
                }
            };
            self.texts.push(Text {
                op: at,
                end: start + len,
            });
            (at, rest) = reached;
        }
        let is_ambiguous = tried_ends && self.is_ambiguous();
        Ok(Fit {
            tried_ends,
            is_ambiguous,
            misfit: self.misfit,
            index: self.index,
        })
    }

    /// Runs the steps from `from` up to the next one that reads a string, or up to the end of the message.
    pub(super) fn up_to_text(&mut self, from: usize, mut rest: &'a [u8]) -> Result<Reached<'a>, Failure<'a>> {
        let layout = self.layout;
        for (offset, op) in layout.ops.get(from..).unwrap_or_default().iter().enumerate() {
            let at = from + offset;
            if let Some(mark) = self.marks.as_mut().and_then(|marks| marks.get_mut(at)) {
                *mark = self.out.len() as u32;
            }
            let step = if op.act.is_text() {
                before_text(op, rest)
            } else {
                self.step(op, rest)
            };
            match step {
                Ok((after, ())) if op.act.is_text() => return Ok((at, after)),
                Ok((after, ())) => rest = after,
                Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => return Err(self.failure(at, fault)),
                Err(nom::Err::Incomplete(_)) => {
                    return Err(self.failure(
                        at,
                        Fault {
                            problem: Problem::RecordEnd,
                            rest,
                        },
                    ));
                }
            }
        }
        let end = layout.ops.len();
        if let Some(mark) = self.marks.as_mut().and_then(|marks| marks.get_mut(end)) {
            *mark = self.out.len() as u32;
        }
        match record_end(rest) {
            Ok((rest, ())) => Ok((end, rest)),
            Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(self.failure(end, fault)),
            Err(nom::Err::Incomplete(_)) => Err(self.failure(
                end,
                Fault {
                    problem: Problem::RecordEnd,
                    rest,
                },
            )),
        }
    }

    #[inline]
    fn step(&mut self, op: &Op, rest: &'a [u8]) -> Parsed<'a, ()> {
        let (rest, ()) = lead(op.lead, rest)?;
        self.value(op, rest)
    }

    #[cold]
    pub(super) fn failure(&self, op: usize, fault: Fault<'a>) -> Failure<'a> {
        // After the last step, report the last field.
        let ops = &self.layout.ops;
        let field = ops.get(op).or(ops.last()).map_or(0, |op| op.field);
        Failure {
            fault,
            layout: self.layout_index,
            op,
            field,
        }
    }
}

#[inline]
fn lead(lead: Lead, rest: &[u8]) -> Parsed<'_, ()> {
    match lead {
        Lead::Nothing => Ok((rest, ())),
        Lead::Field => field_separator(rest),
        Lead::Item => item_separator(rest),
    }
}

fn before_text<'a>(op: &Op, rest: &'a [u8]) -> Parsed<'a, ()> {
    let (rest, ()) = lead(op.lead, rest)?;
    opening_quote(rest)
}
