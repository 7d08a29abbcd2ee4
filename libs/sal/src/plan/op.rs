//! The steps of a plan: what encode does, one after the other, with a message's values.

use crate::encode::NoteKind;

/// One step. Steps come in the order of the wire; those that read nothing stand where they are due in Avro.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Op {
    /// What the wire has before the value.
    pub(crate) lead: Lead,
    /// The field's name, by its position in the plan's names.
    pub(crate) field: u16,
    /// How many items an array has, where the schema tells it.
    pub(crate) count: Count,
    pub(crate) act: Act,
}

impl Op {
    /// Whether a value of the wire starts with the step: all but the further strings of an array, and what reads nothing.
    pub(crate) fn starts_value(&self) -> bool {
        self.act.is_read() && self.lead != Lead::Item
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lead {
    /// The first value, and every step that reads nothing.
    Nothing,
    /// ` , `
    Field,
    /// `, `, between the strings of an array of strings.
    Item,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Count {
    /// No array.
    Scalar,
    /// An array of so many items.
    Items(u32),
    /// An array of at least one item.
    Some,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Act {
    /// Reads nothing: the time that the encoder was called with.
    Clock(Stamp),
    /// Reads nothing: the time that the message was sent, which an earlier step read.
    Sent(Stamp),
    /// Reads nothing: bytes from the plan's pool.
    Literal {
        start: u32,
        len: u32,
    },
    /// A time in seconds.
    Stamp(Stamp),
    /// The time that the message was sent, in seconds; kept for [`Act::Sent`].
    SentStamp(Stamp),
    Double,
    Float,
    Int(Sign),
    Long(Sign),
    Boolean,
    /// By the position among the plan's enumerations.
    Enum(u16),
    /// A quoted value as an Avro string.
    Text,
    /// A quoted value as Avro bytes.
    Bytes,
    /// A quoted value as an array of Avro bytes, one item a byte.
    Chars,
    SkipNumber,
    SkipInteger,
    SkipText,
}

impl Act {
    /// Whether the step reads a quoted value.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Act::Text | Act::Bytes | Act::Chars | Act::SkipText)
    }

    /// Whether the step reads anything.
    pub(crate) fn is_read(self) -> bool {
        !matches!(self, Act::Clock(_) | Act::Sent(_) | Act::Literal { .. })
    }

    /// Whether the step writes anything.
    pub(crate) fn is_written(self) -> bool {
        !matches!(self, Act::SkipNumber | Act::SkipInteger | Act::SkipText)
    }
}

/// How a `%d`-printed integer becomes the value that SAL had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// As printed.
    Kept,
    /// An unsigned integer of so many bits: a negative number is what C made of a large one.
    Restored(u32),
}

/// In which form and scale a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) form: Form,
    pub(crate) shift: Shift,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Milliseconds, cut off, as an Avro long.
    Millis,
    /// Seconds as an Avro double.
    Seconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shift {
    Kept,
    UtcToTai,
    TaiToUtc,
}

/// The values of an enumeration and its symbols, in Avro's order.
#[derive(Debug)]
pub(crate) struct Enumeration {
    pub(crate) symbols: Vec<(Box<str>, i64)>,
}

/// One way that messages of a topic may be laid out.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) ops: Box<[Op]>,
    /// Steps in Avro's order, as ranges; none where the wire's order is Avro's.
    pub(crate) order: Option<Box<[(u32, u32)]>>,
    /// How many of the steps read a quoted value.
    pub(crate) texts: u32,
    /// How many values there are on the wire.
    pub(crate) values: u32,
    /// What every message of this layout has skipped or left out.
    pub(crate) notes: Box<[NoteKind]>,
    /// Set where the layout fits only by guessing: neighbouring bytes fields, and for how many there are values.
    pub(crate) unclear: Option<Unclear>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unclear {
    /// The first of those fields.
    pub(crate) field: u16,
    pub(crate) fields: u32,
    pub(crate) found: u32,
}
