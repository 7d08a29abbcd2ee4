//! The steps of a plan, which encode runs in order on a message's values.

use crate::notes::NoteKind;

/// One step. Steps are in wire order; those that read nothing are at their place in Avro's order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Op {
    /// The separator before the value.
    pub(crate) lead: Lead,
    /// The field, as an index into the plan's names.
    pub(crate) field: u16,
    /// The number of items of an array, if the schema gives it.
    pub(crate) count: Count,
    pub(crate) act: Act,
}

impl Op {
    /// Whether a wire value starts with this step: false for further strings of an array and for steps that
    /// read nothing.
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
    /// `, ` between the strings of an array of strings.
    Item,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Count {
    /// Not an array.
    Scalar,
    /// An array of this many items.
    Items(u32),
    /// An array of at least one item.
    Some,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Act {
    /// Reads nothing: writes the time passed to the encoder.
    Clock(Stamp),
    /// Reads nothing: writes the send time, which an earlier step read.
    Sent(Stamp),
    /// Reads nothing: writes bytes from the plan's pool.
    Literal {
        start: u32,
        len: u32,
    },
    /// A time in seconds.
    Stamp(Stamp),
    /// The send time in seconds; kept for [`Act::Sent`].
    SentStamp(Stamp),
    Double,
    Float,
    Int(Sign),
    /// A component's index as an Avro int or long; kept for the record's key.
    Index,
    Long(Sign),
    Boolean,
    /// An index into the plan's enumerations.
    Enum(u16),
    /// A quoted value as an Avro string.
    Text,
    /// A quoted value as Avro bytes.
    Bytes,
    /// A quoted value as an array of Avro bytes, one item per byte.
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

/// How an integer printed with `%d` is mapped back to the value that SAL had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// As printed.
    Kept,
    /// An unsigned integer of this many bits: a negative number is a large value that C printed as signed.
    Restored(u32),
}

/// The form and scale in which a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) form: Form,
    pub(crate) shift: Shift,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Milliseconds, truncated, as an Avro long.
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

/// One possible layout of a topic's messages.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) ops: Box<[Op]>,
    /// The steps in Avro's order, as ranges; `None` if the wire order is Avro's.
    pub(crate) order: Option<Box<[(u32, u32)]>>,
    /// The number of steps that read a quoted value.
    pub(crate) texts: u32,
    /// The number of values on the wire.
    pub(crate) values: u32,
    /// What every message of this layout skips or omits.
    pub(crate) notes: Box<[NoteKind]>,
    /// Whether it is only for messages that fit no other: fields that are usually on the wire are left out. Errors are
    /// about the others.
    pub(crate) is_fallback: bool,
    /// Set if a message that fits it may be one of another layout: refused if it fits both.
    pub(crate) rival: Option<Box<Rival>>,
    /// Set if the layout fits only by guessing: the neighbouring bytes fields and the number of values for
    /// them.
    pub(crate) unclear: Option<Unclear>,
}

/// A layout that is tried only to find out whether a message fits it too.
#[derive(Debug)]
pub(crate) struct Rival {
    pub(crate) layout: Layout,
    /// A field that it leaves out.
    pub(crate) field: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unclear {
    pub(crate) field: u16,
    pub(crate) fields: u32,
    pub(crate) found: u32,
}
