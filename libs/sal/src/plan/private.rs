//! The private fields of both dialects: those for the six values at the start of every message, and those
//! that no message has a value for. Part of the second step of compiling a plan.

use super::error::PlanError;
use super::fields::{Made, Sorter, Wire};
use super::op::{Act, Form, Op, Shift, Sign, Stamp};
use super::schema::{Field, Scalar};
use super::steps::made_op;
use crate::name::Dialect;
use crate::notes::NoteKind;
use crate::time::TimeScale;

/// The field's name in each dialect, and how to skip the value if there is no such field.
type Preamble = (&'static str, &'static str, Act, NoteKind);

/// The six values at the start of every message.
const PREAMBLE: [Preamble; 6] = [
    (
        "sal_revcode",
        "private_revCode",
        Act::SkipText,
        NoteKind::SkippedPreamble,
    ),
    (
        "sal_created",
        "private_sndStamp",
        Act::SkipNumber,
        NoteKind::SkippedPreamble,
    ),
    (
        "sal_ingested",
        "private_rcvStamp",
        Act::SkipNumber,
        NoteKind::SkippedPreamble,
    ),
    (
        "sal_sequence",
        "private_seqNum",
        Act::SkipInteger,
        NoteKind::SkippedPreamble,
    ),
    (
        "sal_origin",
        "private_origin",
        Act::SkipInteger,
        NoteKind::SkippedPreamble,
    ),
    (
        "sal_host",
        "private_host",
        Act::SkipInteger,
        NoteKind::SkippedHost,
    ),
];

impl Sorter<'_> {
    /// The fields that no message has a value for.
    pub(super) fn made(&mut self, time_scale: TimeScale) -> Result<Vec<Made>, PlanError> {
        let clock = |shift| move |form| Act::Clock(Stamp { form, shift });
        let mut made = Vec::new();
        if self.record.dialect == Dialect::Efd {
            if let Some((field, json)) = self.take("kafka_timestamp") {
                let act = self.stamp(json, clock(Shift::Kept))?;
                made.push(Made {
                    field,
                    steps: vec![made_op(field, act)],
                    note: None,
                });
            }
            return Ok(made);
        }
        if let Some((field, json)) = self.take("private_efdStamp") {
            let shift = if time_scale == TimeScale::Tai {
                Shift::TaiToUtc
            } else {
                Shift::Kept
            };
            let act = self.stamp(json, |form| Act::Sent(Stamp { form, shift }))?;
            made.push(Made {
                field,
                steps: vec![made_op(field, act)],
                note: None,
            });
        }
        if let Some((field, json)) = self.take("private_kafkaStamp") {
            let act = self.stamp(json, clock(Shift::UtcToTai))?;
            made.push(Made {
                field,
                steps: vec![made_op(field, act)],
                note: None,
            });
        }
        if let Some((field, json)) = self.take("private_identity") {
            let steps = self.maker.absent(field, json)?;
            made.push(Made {
                field,
                steps,
                note: Some(NoteKind::OmittedIdentity),
            });
        }
        made.sort_by_key(|made| made.field);
        Ok(made)
    }

    /// The values at the start of every message, with the fields that they go to.
    pub(super) fn preamble(&mut self, time_scale: TimeScale) -> Result<Vec<Wire>, PlanError> {
        let values = PREAMBLE
            .into_iter()
            .map(|known| self.preamble_value(known, time_scale));
        values.collect()
    }

    fn preamble_value(&mut self, known: Preamble, time_scale: TimeScale) -> Result<Wire, PlanError> {
        let (efd, ts_xml, skip, skipped) = known;
        let is_efd = self.record.dialect == Dialect::Efd;
        let name = if is_efd { efd } else { ts_xml };
        let shift = match (is_efd, time_scale) {
            (true, TimeScale::Utc) | (false, TimeScale::Tai) => Shift::Kept,
            (true, TimeScale::Tai) => Shift::TaiToUtc,
            (false, TimeScale::Utc) => Shift::UtcToTai,
        };
        let skip = self.skip(name, skip);
        let taken = match self.take(name) {
            None => None,
            Some((field, json)) => {
                let act = match (skip.act, &json.avro.scalar) {
                    _ if json.avro.array.is_some() || json.avro.union.is_some() => None,
                    (Act::SkipText, Scalar::String) => Some(Act::Text),
                    (Act::SkipInteger, Scalar::Int) => Some(Act::Int(Sign::Kept)),
                    (Act::SkipInteger, Scalar::Long) => Some(Act::Long(Sign::Kept)),
                    (Act::SkipNumber, _) if efd == "sal_created" => {
                        Some(self.stamp(json, |form| Act::SentStamp(Stamp { form, shift }))?)
                    }
                    (Act::SkipNumber, _) => Some(self.stamp(json, |form| Act::Stamp(Stamp { form, shift }))?),
                    _ => None,
                };
                let expected = if skip.act == Act::SkipText {
                    "string"
                } else {
                    "int or long"
                };
                let act = act.ok_or_else(|| self.private_type(json, expected))?;
                Some((field, vec![Op { act, ..skip }]))
            }
        };
        Ok(Wire {
            taken,
            absent: None,
            skip,
            skipped,
            omitted: skipped,
        })
    }

    fn stamp(&self, field: &Field, act: impl Fn(Form) -> Act) -> Result<Act, PlanError> {
        let is_plain = field.avro.array.is_none() && field.avro.union.is_none();
        match field.avro.scalar {
            Scalar::TimestampMillis if is_plain => Ok(act(Form::Millis)),
            Scalar::Double if is_plain => Ok(act(Form::Seconds)),
            _ => Err(self.private_type(field, "long (timestamp-millis) or double")),
        }
    }

    fn private_type(&self, field: &Field, expected: &'static str) -> PlanError {
        let (record, found) = (self.record.name.clone(), field.avro.describe());
        PlanError::PrivateType {
            record,
            field: field.name.clone(),
            expected,
            found,
        }
    }
}
