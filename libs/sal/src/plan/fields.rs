//! Sorts a record's fields by their role on the wire, each with the steps that read or replace it. Second
//! step of compiling a plan.

use super::error::PlanError;
use super::op::{Act, Count, Enumeration, Lead, Op};
use super::schema::{Field, Record, Scalar};
use super::steps::{MAX_NUMBERED, Maker, Steps};
use crate::name::{Dialect, Kind};
use crate::notes::NoteKind;
use crate::time::TimeScale;

/// A wire value before or after the items.
#[derive(Debug)]
pub(super) struct Wire {
    /// The field that takes it, and the steps; `None` if the schema has no such field.
    pub(super) taken: Option<(usize, Steps)>,
    /// The field's steps for layouts without this value.
    pub(super) absent: Option<(usize, Steps)>,
    /// The step to use if the schema has no such field.
    pub(super) skip: Op,
    pub(super) skipped: NoteKind,
    pub(super) omitted: NoteKind,
}

/// An item: a field that the topic's interface defines.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) field: usize,
    pub(super) read: Steps,
    pub(super) absent: Option<Steps>,
    pub(super) presence: Presence,
    /// Whether its values are quoted.
    pub(super) is_text: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Always on the wire.
    Sent,
    /// Never on the wire.
    Omitted,
    /// A `bytes` field; the schema does not say whether it is on the wire.
    Unclear,
    /// An `int` of dialect ts_xml: on the wire, unless it is SAL's `byte`, which published schemas do not tell.
    Maybe,
}

/// Steps for values that the wire never has, such as the current time, in record order.
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

/// The four strings of SAL 3 commands.
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
        // Nine values without a field need names as well.
        if record.fields.len() + 16 > MAX_NUMBERED {
            let record = record.name.clone();
            return Err(PlanError::TooLarge {
                record,
                what: "fields",
                max: MAX_NUMBERED - 16,
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
            maker: Maker {
                record: &record.name,
                enumerations: Vec::new(),
                literals: Vec::new(),
            },
            taken: Vec::new(),
        };
        let made = sorter.made(time_scale)?;
        let preamble = sorter.preamble(time_scale)?;
        let index = match record.dialect {
            Dialect::Efd => format!("{}ID", record.component),
            Dialect::TsXml => "salIndex".to_owned(),
        };
        let (skipped, omitted) = (NoteKind::SkippedIndex, NoteKind::OmittedIndex);
        let mut index = sorter.extra(true, &index, Act::SkipInteger, skipped, omitted)?;
        for op in index.taken.iter_mut().flat_map(|(_, steps)| steps) {
            if matches!(op.act, Act::Int(_) | Act::Long(_)) {
                op.act = Act::Index;
            }
        }
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
            maker:
                Maker {
                    enumerations,
                    literals,
                    ..
                },
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

pub(super) struct Sorter<'r> {
    pub(super) record: &'r Record,
    pub(super) maker: Maker<'r>,
    names: Vec<Box<str>>,
    /// The fields whose place is already known.
    taken: Vec<usize>,
}

impl<'r> Sorter<'r> {
    fn untaken(&self) -> impl Iterator<Item = &'r Field> {
        let fields = self.record.fields.iter().enumerate();
        fields
            .filter(|(position, _)| !self.taken.contains(position))
            .map(|(_, field)| field)
    }

    /// Finds the field with this name and marks its place as known.
    pub(super) fn take(&mut self, name: &str) -> Option<(usize, &'r Field)> {
        let position = self.record.fields.iter().position(|field| field.name == name)?;
        if self.taken.contains(&position) {
            return None;
        }
        self.taken.push(position);
        Some((position, self.record.fields.get(position)?))
    }

    /// A value that messages of this kind can carry besides the items. Its field, if any, is not an item.
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
        let taken = Some((field, self.maker.read(field, json)?));
        let absent = Some((field, self.maker.absent(field, json)?));
        Ok(Wire {
            taken,
            absent,
            skip,
            skipped,
            omitted,
        })
    }

    pub(super) fn skip(&mut self, name: &str, act: Act) -> Op {
        self.names.push(name.into());
        Op {
            lead: Lead::Field,
            field: (self.names.len() - 1) as u16,
            count: Count::Scalar,
            act,
        }
    }

    /// The remaining fields, in wire order.
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
        let is_published = self.record.dialect == Dialect::TsXml && !self.record.marks_items;
        let presence = match (field.sal_type.as_deref(), &field.avro.scalar) {
            (Some("byte" | "octet"), _) => Presence::Omitted,
            (None, Scalar::Bytes) => Presence::Unclear,
            (None, Scalar::Int) if is_published && field.avro.union.is_none() => Presence::Maybe,
            _ => Presence::Sent,
        };
        let (presence, absent) = match presence {
            Presence::Sent => (presence, None),
            // Without a default, it can only be sent.
            Presence::Maybe => match self.maker.absent(position, field) {
                Ok(steps) => (presence, Some(steps)),
                Err(_) => (Presence::Sent, None),
            },
            _ => (presence, Some(self.maker.absent(position, field)?)),
        };
        let read = self.maker.read(position, field)?;
        Ok(Item {
            field: position,
            is_text: read.iter().any(|op| op.act.is_text()),
            read,
            absent,
            presence,
        })
    }
}
