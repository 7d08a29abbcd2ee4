//! The fields of a record sorted by what they are on the wire, each with the steps that read or replace it:
//! second step of compiling a plan.

use super::error::PlanError;
use super::literal;
use super::op::{Act, Count, Enumeration, Form, Lead, Op, Shift, Sign, Stamp};
use super::schema::{Field, Record, Scalar};
use crate::encode::{NoteKind, avro};
use crate::name::{Dialect, Kind};
use crate::time::TimeScale;

/// The largest number of fields and of steps that a plan numbers.
const MOST: usize = u16::MAX as usize;

/// Steps for one field: a union's branch, the value, or its replacement.
pub(super) type Steps = Vec<Op>;

/// A value of the wire that comes before or after the items.
#[derive(Debug)]
pub(super) struct Wire {
    /// The field that takes it, and how; none if the schema has no such field.
    pub(super) taken: Option<(usize, Steps)>,
    /// The field's steps where the layout has no such value.
    pub(super) absent: Option<(usize, Steps)>,
    /// The step where the schema has no such field.
    pub(super) skip: Op,
    pub(super) skipped: NoteKind,
    pub(super) omitted: NoteKind,
}

/// An item: a field that the topic's interface names.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) field: usize,
    pub(super) read: Steps,
    pub(super) absent: Option<Steps>,
    pub(super) presence: Presence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// On the wire.
    Sent,
    /// Never on the wire.
    Omitted,
    /// A bytes field of which the schema does not say whether it is.
    Unclear,
}

/// What stands for values that the wire never has: the clock's time, and so on. In the order of the record.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) field: usize,
    pub(super) steps: Steps,
    pub(super) note: Option<NoteKind>,
}

/// A record's fields by their place on the wire.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) preamble: Vec<Wire>,
    pub(super) index: Wire,
    pub(super) address: Vec<Wire>,
    pub(super) items: Vec<Item>,
    pub(super) state: Wire,
    pub(super) priority: Wire,
    pub(super) made: Vec<Made>,
    pub(super) names: Vec<Box<str>>,
    pub(super) enumerations: Vec<Enumeration>,
    pub(super) literals: Vec<u8>,
}

/// A name in each dialect, and how a value without a field is skipped.
type Preamble = (&'static str, &'static str, Act, NoteKind);

/// The six values that every message starts with.
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

/// The four strings of SAL 3's commands.
const ADDRESS: [(&str, NoteKind, NoteKind); 4] = [
    ("device", NoteKind::SkippedDevice, NoteKind::OmittedDevice),
    ("property", NoteKind::SkippedProperty, NoteKind::OmittedProperty),
    ("action", NoteKind::SkippedAction, NoteKind::OmittedAction),
    (
        "itemValue",
        NoteKind::SkippedItemValue,
        NoteKind::OmittedItemValue,
    ),
];

impl Sorted {
    pub(super) fn new(record: &Record, time_scale: TimeScale) -> Result<Self, PlanError> {
        // Beside the fields, names of nine values that have none.
        if record.fields.len() + 16 > MOST {
            let record = record.name.clone();
            return Err(PlanError::TooLarge {
                record,
                what: "fields",
                most: MOST - 16,
            });
        }
        let names = record
            .fields
            .iter()
            .map(|field| field.name.as_str().into())
            .collect();
        let mut sorter = Sorter {
            record,
            names,
            enumerations: Vec::new(),
            literals: Vec::new(),
            taken: vec![],
        };
        let made = sorter.made(time_scale)?;
        let preamble = PREAMBLE
            .into_iter()
            .map(|known| sorter.preamble(known, time_scale))
            .collect::<Result<Vec<_>, _>>()?;
        let index = match record.dialect {
            Dialect::Efd => format!("{}ID", record.component),
            Dialect::TsXml => "salIndex".to_owned(),
        };
        let (skipped, omitted) = (NoteKind::SkippedIndex, NoteKind::OmittedIndex);
        let index = sorter.extra(true, &index, Act::SkipInteger, skipped, omitted)?;
        let is_command = record.kind == Kind::Command;
        let address = ADDRESS
            .iter()
            .map(|(name, skipped, omitted)| sorter.extra(is_command, name, Act::SkipText, *skipped, *omitted))
            .collect::<Result<Vec<_>, _>>()?;
        let is_event = record.kind == Kind::Event;
        let (skipped, omitted) = (NoteKind::SkippedPriority, NoteKind::OmittedPriority);
        let priority = sorter.extra(is_event, "priority", Act::SkipInteger, skipped, omitted)?;
        let has_state = is_command && sorter.untaken().all(|field| field.name == "state");
        let (skipped, omitted) = (NoteKind::SkippedState, NoteKind::OmittedState);
        let state = sorter.extra(has_state, "state", Act::SkipInteger, skipped, omitted)?;
        let items = sorter.items()?;
        let Sorter {
            names,
            enumerations,
            literals,
            ..
        } = sorter;
        Ok(Self {
            preamble,
            index,
            address,
            items,
            state,
            priority,
            made,
            names,
            enumerations,
            literals,
        })
    }
}

struct Sorter<'r> {
    record: &'r Record,
    names: Vec<Box<str>>,
    enumerations: Vec<Enumeration>,
    literals: Vec<u8>,
    /// The fields that have their place.
    taken: Vec<usize>,
}

impl<'r> Sorter<'r> {
    fn untaken(&self) -> impl Iterator<Item = &'r Field> {
        let fields = self.record.fields.iter().enumerate();
        fields
            .filter(|(position, _)| !self.taken.contains(position))
            .map(|(_, field)| field)
    }

    /// The field of that name, which then has its place.
    fn take(&mut self, name: &str) -> Option<(usize, &'r Field)> {
        let position = self.record.fields.iter().position(|field| field.name == name)?;
        if self.taken.contains(&position) {
            return None;
        }
        self.taken.push(position);
        Some((position, self.record.fields.get(position)?))
    }

    /// The fields that no message has a value for.
    fn made(&mut self, time_scale: TimeScale) -> Result<Vec<Made>, PlanError> {
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
            let steps = self.absent(field, json)?;
            made.push(Made {
                field,
                steps,
                note: Some(NoteKind::OmittedIdentity),
            });
        }
        made.sort_by_key(|made| made.field);
        Ok(made)
    }

    fn preamble(&mut self, known: Preamble, time_scale: TimeScale) -> Result<Wire, PlanError> {
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

    /// A value that messages of the kind may carry beside the items; its field, if any, is one that is no item.
    fn extra(
        &mut self,
        of_this_kind: bool,
        name: &str,
        skip: Act,
        skipped: NoteKind,
        omitted: NoteKind,
    ) -> Result<Wire, PlanError> {
        let skip = self.skip(name, skip);
        let private = self.record.dialect == Dialect::TsXml && name == "salIndex";
        let is_extra = |field: &Field| {
            private || self.record.marks_items && field.index.is_none() && field.sal_type.is_none()
        };
        let has_field = of_this_kind
            && self
                .record
                .fields
                .iter()
                .any(|field| field.name == name && is_extra(field));
        let Some((field, json)) = has_field.then(|| self.take(name)).flatten() else {
            return Ok(Wire {
                taken: None,
                absent: None,
                skip,
                skipped,
                omitted,
            });
        };
        let taken = Some((field, self.read(field, json)?));
        let absent = Some((field, self.absent(field, json)?));
        Ok(Wire {
            taken,
            absent,
            skip,
            skipped,
            omitted,
        })
    }

    fn skip(&mut self, name: &str, act: Act) -> Op {
        self.names.push(name.into());
        Op {
            lead: Lead::Field,
            field: (self.names.len() - 1) as u16,
            count: Count::Scalar,
            act,
        }
    }

    /// The rest of the fields, in the order of the wire.
    fn items(&mut self) -> Result<Vec<Item>, PlanError> {
        let fields = self.record.fields.iter().enumerate();
        let mut fields: Vec<_> = fields
            .filter(|(position, _)| !self.taken.contains(position))
            .collect();
        if fields.iter().any(|(_, field)| field.index.is_some()) {
            fields.sort_by_key(|(_, field)| field.index);
            let wrong = |field: &Field| PlanError::Index {
                record: self.record.name.clone(),
                field: field.name.clone(),
            };
            if let Some((_, field)) = fields.first().filter(|(_, field)| field.index.is_none()) {
                return Err(wrong(field));
            }
            if let Some(pair) = fields.windows(2).find(|pair| pair[0].1.index == pair[1].1.index) {
                return Err(wrong(pair[1].1));
            }
        }
        fields
            .into_iter()
            .map(|(position, field)| self.item(position, field))
            .collect()
    }

    fn item(&mut self, position: usize, field: &'r Field) -> Result<Item, PlanError> {
        let presence = match (field.sal_type.as_deref(), &field.avro.scalar) {
            (Some("byte" | "octet"), _) => Presence::Omitted,
            (None, Scalar::Bytes) => Presence::Unclear,
            _ => Presence::Sent,
        };
        let absent = match presence {
            Presence::Sent => None,
            _ => Some(self.absent(position, field)?),
        };
        Ok(Item {
            field: position,
            read: self.read(position, field)?,
            absent,
            presence,
        })
    }

    /// The steps that write a field which has no value on the wire.
    fn absent(&mut self, position: usize, field: &Field) -> Result<Steps, PlanError> {
        let bytes = literal::absent(field).ok_or_else(|| PlanError::NoDefault {
            record: self.record.name.clone(),
            field: field.name.clone(),
        })?;
        Ok(vec![made_op(position, self.literal(&bytes))])
    }

    fn literal(&mut self, bytes: &[u8]) -> Act {
        let start = self.literals.len() as u32;
        self.literals.extend_from_slice(bytes);
        Act::Literal {
            start,
            len: bytes.len() as u32,
        }
    }

    /// The steps that read a field's value and write it.
    fn read(&mut self, position: usize, field: &Field) -> Result<Steps, PlanError> {
        let mut steps = Vec::new();
        let mut number = Vec::new();
        if let Some(union) = field.avro.union {
            avro::long(&mut number, i64::from(union.value));
            steps.push(made_op(position, self.literal(&number)));
        }
        let count = match field.avro.array {
            None => Count::Scalar,
            Some(None) => Count::Some,
            Some(Some(items)) => Count::Items(items),
        };
        let act = self.act(field);
        let op = |lead, count| Op {
            lead,
            field: position as u16,
            count,
            act,
        };
        match (act, count) {
            (Act::Text, Count::Items(items)) => {
                if items as usize > MOST {
                    let record = self.record.name.clone();
                    return Err(PlanError::TooLarge {
                        record,
                        what: "strings in an array",
                        most: MOST,
                    });
                }
                number.clear();
                avro::long(&mut number, i64::from(items));
                steps.push(made_op(position, self.literal(&number)));
                steps.extend(
                    (0..items)
                        .map(|item| op(if item == 0 { Lead::Field } else { Lead::Item }, Count::Scalar)),
                );
                if items > 0 {
                    steps.push(made_op(position, self.literal(&[0])));
                }
            }
            (Act::Text, Count::Some) => {
                let (record, found) = (
                    self.record.name.clone(),
                    "array of string without sal_count".to_owned(),
                );
                return Err(PlanError::Type {
                    record,
                    field: field.name.clone(),
                    found,
                });
            }
            // A char array is one quoted value, however many items it has.
            (Act::Bytes, Count::Items(_) | Count::Some) => {
                steps.push(Op {
                    act: Act::Chars,
                    ..op(Lead::Field, Count::Scalar)
                });
            }
            (_, count) => steps.push(op(Lead::Field, count)),
        }
        Ok(steps)
    }

    fn act(&mut self, field: &Field) -> Act {
        let sign = match field.sal_type.as_deref() {
            Some("unsigned short") => Sign::Restored(16),
            // CORBA's unsigned long has 32 bits, and is printed with %d.
            Some("unsigned int" | "unsigned long") => Sign::Restored(32),
            Some("unsigned long long") => Sign::Restored(64),
            _ => Sign::Kept,
        };
        match &field.avro.scalar {
            Scalar::Boolean => Act::Boolean,
            Scalar::Int => Act::Int(sign),
            Scalar::Long | Scalar::TimestampMillis => Act::Long(sign),
            Scalar::Float => Act::Float,
            Scalar::Double => Act::Double,
            Scalar::String => Act::Text,
            Scalar::Bytes => Act::Bytes,
            Scalar::Enum(symbols) => {
                let symbols = symbols
                    .iter()
                    .map(|(name, value)| (name.as_str().into(), *value))
                    .collect();
                self.enumerations.push(Enumeration { symbols });
                Act::Enum((self.enumerations.len() - 1) as u16)
            }
        }
    }
}

/// A step that reads nothing.
fn made_op(field: usize, act: Act) -> Op {
    Op {
        lead: Lead::Nothing,
        field: field as u16,
        count: Count::Scalar,
        act,
    }
}
