//! A message's values, read as its topic's plan says and written as a Confluent frame of Avro: the heart of the
//! transform. Header (`wire`) and plan come in, a frame goes out to Kafka.
//!
//! Nothing is allocated per message once the buffers have grown, nothing is looked up by name, and no value exists
//! but as the number that is just being written.
//!
//! Where strings leave a choice, see `record`. Of several layouts that a message fits, the one with the most strings
//! wins (as with strings: what ends earliest), and the message counts as ambiguous. A message whose strings contain
//! no quote fits one layout at most; so the layout that fitted last can be tried first, and nothing but the time it
//! takes depends on the messages before. Where a string does contain one, the layouts that have more values than the
//! message has separators for need not be tried.

pub(crate) mod avro;
mod notes;
mod record;
mod refusal;
mod value;

use std::iter;

pub(crate) use notes::NoteKind;
pub use notes::Notes;

use crate::plan::Plan;
use crate::wire::{Fault, Message, Problem, WireError};
use record::{Buffers, Failure, Fit, Source};

/// Encodes messages, one after the other; owns what is reused between them. One per thread.
#[derive(Debug, Default)]
pub struct Encoder {
    buffers: Buffers,
}

impl Encoder {
    /// With buffers that grow to the size of the largest message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces `out` by the message as a Confluent frame: 0x00, the schema's id (big-endian), Avro.
    /// `now_unix_micros` is the time (UTC) for `kafka_timestamp` or `private_kafkaStamp`.
    ///
    /// An error of stage `parse` says that the message is not SAL text of this topic, one of stage `encode` that it
    /// is, and that the schema cannot carry a value. After an error `out` is empty.
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
        let result = self
            .choose(&source, out)
            .and_then(|chosen| accept(&source, chosen));
        result.map_err(|failure| {
            out.clear();
            refusal::error(plan, message, &failure)
        })
    }

    /// The layout that the message fits, and the message in `out`: each layout is read once, behind what the best one yet
    /// has left there.
    fn choose<'a>(&mut self, source: &Source<'_, 'a>, out: &mut Vec<u8>) -> Result<Chosen<'a>, Failure<'a>> {
        let frame = out.len();
        let last = source.plan.last();
        let others = (0..source.plan.layouts.len()).filter(|layout| *layout != last);
        let mut chosen: Option<Chosen<'a>> = None;
        let mut furthest: Option<Failure<'a>> = None;
        let mut most_values = None;
        for layout in iter::once(last).chain(others) {
            let values = source.plan.layouts.get(layout).map_or(0, |layout| layout.values);
            if chosen.is_some() && values > *most_values.get_or_insert_with(|| source.most_values()) {
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
                    if furthest.is_none_or(|furthest| failure.is_further(&furthest)) {
                        furthest = Some(failure);
                    }
                }
            }
        }
        chosen.ok_or_else(|| {
            // No plan is without layouts.
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
}

/// A layout that a message fits.
struct Chosen<'a> {
    layout: usize,
    fit: Fit<'a>,
    others_fit: bool,
}

/// Refuses what fits only by a guess or with a value that Avro cannot carry; remembers and counts all else.
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
