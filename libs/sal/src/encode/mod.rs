//! The core of the transform: reads a message's values as its topic's plan says and writes them as a
//! Confluent frame. The input is a header from `wire` and a plan; the output is a frame for Kafka.
//!
//! Once the buffers have grown, nothing is allocated per message. Nothing is looked up by name, and no tree
//! of values is built: each value is written as soon as it is read.
//!
//! `string_end` decides where strings end. If a message fits several layouts, the one with the most strings wins
//! (the strings then end earliest) and the message counts as ambiguous. A message without quotes inside its
//! strings fits at most one layout. The layout that fitted last can therefore be tried first: earlier
//! messages affect only the speed, never the result. If a string does contain a quote, layouts with more
//! values than the message has separators need not be tried.

mod record;
mod refusal;
mod string_end;
mod value;

use std::iter;

pub use crate::notes::Notes;

use crate::notes::NoteKind;
use crate::plan::Plan;
use crate::wire::{Fault, Message, Problem, WireError};
use record::{Buffers, Failure, Fit, Source};

/// Encodes messages one after the other and owns the buffers that they reuse. One per thread.
#[derive(Debug, Default)]
pub struct Encoder {
    buffers: Buffers,
    index: Option<i64>,
}

impl Encoder {
    /// Creates an encoder whose buffers grow to the size of the largest message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces `out` with the message as a Confluent frame: 0x00, the schema id (big-endian), Avro.
    /// `now_unix_micros` is the time (UTC) for `kafka_timestamp` or `private_kafkaStamp`.
    ///
    /// An error of stage `parse` means that the message is not SAL text of this topic; an error of stage
    /// `encode` means that it is, but that the schema cannot carry one of its values. After an error `out` is
    /// empty.
    pub fn encode(
        &mut self,
        plan: &Plan,
        message: &Message<'_>,
        schema_id: u32,
        now_unix_micros: i64,
        out: &mut Vec<u8>,
    ) -> Result<Notes, WireError> {
        out.clear();
        confluent_avro::frame::write(schema_id, out);
        let source = Source {
            plan,
            values: message.values(),
            now_unix_micros,
        };
        let result = self.choose(&source, out).and_then(|chosen| {
            self.index = chosen.fit.index;
            self.rule_out_rival(&source, &chosen, out)?;
            accept(&source, chosen)
        });
        result.map_err(|failure| {
            out.clear();
            refusal::error(plan, message, &failure)
        })
    }

    /// The component's index in the last message that was encoded; `None` if its schema has no field for one.
    pub fn index(&self) -> Option<i64> {
        self.index
    }

    /// Finds the layout that the message fits and leaves the message in `out`. Each layout is read once and
    /// appended after the best result so far.
    fn choose<'a>(&mut self, source: &Source<'_, 'a>, out: &mut Vec<u8>) -> Result<Chosen<'a>, Failure<'a>> {
        let frame = out.len();
        let last = source.plan.last();
        let others = (0..source.plan.layouts.len()).filter(|layout| *layout != last);
        let mut chosen: Option<Chosen<'a>> = None;
        let mut furthest: Option<Failure<'a>> = None;
        let mut max_values = None;
        for layout in iter::once(last).chain(others) {
            let values = source.plan.layouts.get(layout).map_or(0, |layout| layout.values);
            if chosen.is_some() && values > *max_values.get_or_insert_with(|| source.max_values()) {
                continue;
            }
            let start = out.len();
            match record::read(source, layout, &mut self.buffers, out) {
                Ok(fit) => {
                    let is_sure = !fit.tried_ends;
                    let is_first = chosen.as_ref().is_none_or(|chosen| layout < chosen.layout);
                    if is_sure || is_first {
                        out.drain(frame..start);
                        chosen = Some(Chosen {
                            layout,
                            fit,
                            others_fit: chosen.is_some() && !is_sure,
                        });
                    } else {
                        out.truncate(start);
                        chosen.iter_mut().for_each(|chosen| chosen.others_fit = true);
                    }
                    if is_sure {
                        break;
                    }
                }
                Err(failure) => {
                    out.truncate(start);
                    let layout = source.plan.layouts.get(layout);
                    let is_fallback = layout.is_some_and(|layout| layout.is_fallback);
                    if !is_fallback && furthest.is_none_or(|furthest| failure.is_further(&furthest)) {
                        furthest = Some(failure);
                    }
                }
            }
        }
        chosen.ok_or_else(|| {
            // Every plan has at least one layout.
            furthest.unwrap_or(Failure {
                fault: Fault {
                    problem: Problem::RecordEnd,
                    rest: source.values,
                },
                layout: 0,
                op: 0,
                field: 0,
            })
        })
    }

    /// Refuses a message that may as well be one of the layout's rival.
    fn rule_out_rival<'a>(
        &mut self,
        source: &Source<'_, 'a>,
        chosen: &Chosen<'a>,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure<'a>> {
        let layout = source.plan.layouts.get(chosen.layout);
        let Some(rival) = layout.and_then(|layout| layout.rival.as_deref()) else {
            return Ok(());
        };
        let end = out.len();
        let fit = record::read_as(source, &rival.layout, chosen.layout, &mut self.buffers, out);
        out.truncate(end);
        if fit.is_err() {
            return Ok(());
        }
        let fault = Fault {
            problem: Problem::UnclearPriority,
            rest: source.values,
        };
        Err(Failure {
            fault,
            layout: chosen.layout,
            op: 0,
            field: rival.field,
        })
    }
}

struct Chosen<'a> {
    layout: usize,
    fit: Fit<'a>,
    others_fit: bool,
}

/// Refuses a message that fits only by a guess or has a value that Avro cannot carry; remembers the layout
/// and counts the notes of every other message.
fn accept<'a>(source: &Source<'_, 'a>, chosen: Chosen<'a>) -> Result<Notes, Failure<'a>> {
    let mut notes = Notes::default();
    if let Some(layout) = source.plan.layouts.get(chosen.layout) {
        if let Some(unclear) = layout.unclear {
            let problem = Problem::UnclearBytes {
                fields: unclear.fields,
                found: unclear.found,
            };
            let fault = Fault {
                problem,
                rest: source.values,
            };
            return Err(Failure {
                fault,
                layout: chosen.layout,
                op: 0,
                field: unclear.field,
            });
        }
        layout.notes.iter().for_each(|&note| notes.add(note));
    }
    if let Some((fault, field)) = chosen.fit.misfit {
        return Err(Failure {
            fault,
            layout: chosen.layout,
            op: 0,
            field,
        });
    }
    source.plan.remember(chosen.layout);
    if chosen.others_fit || chosen.fit.is_ambiguous {
        notes.add(NoteKind::AmbiguousString);
    }
    Ok(notes)
}
