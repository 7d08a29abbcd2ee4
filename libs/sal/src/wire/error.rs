//! What is wrong with a text message: what was expected, at which byte, at which field.
//! Used by every stage of the transform; a retry never helps, such a message is a dead letter.

use std::fmt;

use nom::error::{ErrorKind, ParseError};

use super::message::MAX_MESSAGE_BYTES;

/// How much of the input an error shows, in bytes.
const SHOWN_BYTES: usize = 20;

/// What was expected and not found, or found and not to be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// More bytes than SAL ever sends.
    #[error("expected at most {MAX_MESSAGE_BYTES} bytes in a message")]
    MessageTooLong,
    /// No `topic:(` at the start.
    #[error("expected a header `[<component>_<kind> ]<topic>:(`")]
    Header,
    /// The word before the topic names another component or kind.
    #[error("expected the topic that the header's first word tells of")]
    HeaderMismatch,
    /// No `%f` number.
    #[error("expected a number")]
    Number,
    /// No `%d` integer.
    #[error("expected an integer")]
    Integer,
    /// No value of an enumeration.
    #[error("expected an integer or a symbol")]
    Symbol,
    /// No string.
    #[error("expected a string in quotes")]
    OpeningQuote,
    /// A string that never ends.
    #[error("expected a closing quote")]
    ClosingQuote,
    /// No separator after a field.
    #[error("expected ` , ` and the next field")]
    FieldSeparator,
    /// No separator after an array's item.
    #[error("expected `, ` and the array's next item")]
    ItemSeparator,
    /// No `)` after the last value.
    #[error("expected `)` after the last field")]
    RecordEnd,
    /// Something after the last `)`.
    #[error("expected the end of the message after `)`")]
    MessageEnd,
    /// A record with another number of values than any that the schema allows.
    #[error("expected {} values", Counts(*least, *most))]
    ValueCount {
        /// The smallest number of values that the schema allows.
        least: u32,
        /// The greatest.
        most: u32,
        /// How many there are.
        found: u32,
    },
    /// An array with another number of items than the schema says.
    #[error("expected {expected} items in the array")]
    ItemCount {
        /// The schema's number.
        expected: u32,
        /// How many there are.
        found: u32,
    },
    /// A string that an Avro string cannot carry.
    #[error("expected UTF-8 in an Avro string")]
    Utf8,
    /// An integer that its Avro type cannot carry; `None` when 64 bits cannot either.
    #[error("expected an integer that fits Avro {avro}")]
    IntegerRange {
        /// `int` or `long`.
        avro: &'static str,
        /// The value, after the sign of an unsigned integer was restored.
        value: Option<i64>,
    },
    /// A finite number that its Avro type cannot carry.
    #[error("expected a number that fits Avro {avro}")]
    NumberRange {
        /// `float` or `double`.
        avro: &'static str,
    },
    /// A boolean other than 0 and 1.
    #[error("expected 0 or 1")]
    Boolean,
    /// An enumeration's value that has no symbol.
    #[error("expected a value of the enumeration's {symbols} symbols")]
    Enumeration {
        /// How many symbols there are.
        symbols: u32,
    },
    /// A time that milliseconds since 1970 cannot tell.
    #[error("expected a time")]
    Time,
    /// Quoted values that can belong to one or another of neighbouring `bytes` fields.
    #[error(
        "expected values for all or for none of {fields} neighbouring bytes fields (char is sent, byte and octet are \
         not, and this schema does not say which is which: register it with --wire-extras)"
    )]
    UnclearBytes {
        /// How many such fields there are.
        fields: u32,
        /// How many values there are.
        found: u32,
    },
}

impl Problem {
    /// Where the problem shows: `parse` when the bytes are no SAL text of the topic, `encode` when they are, but
    /// Avro cannot carry a value.
    pub fn step(&self) -> &'static str {
        use Problem::*;
        match self {
            Utf8
            | IntegerRange { .. }
            | NumberRange { .. }
            | Boolean
            | Enumeration { .. }
            | Time
            | UnclearBytes { .. } => "encode",
            _ => "parse",
        }
    }

    /// The problem as a metric's label.
    pub fn reason(&self) -> &'static str {
        use Problem::*;
        match self {
            MessageTooLong => "message_too_long",
            Header | HeaderMismatch => "bad_header",
            Number => "bad_number",
            Integer => "bad_integer",
            Symbol => "bad_symbol",
            OpeningQuote | ClosingQuote => "bad_string",
            FieldSeparator | ItemSeparator => "bad_separator",
            RecordEnd | MessageEnd => "bad_end",
            ValueCount { .. } => "value_count",
            ItemCount { .. } => "item_count",
            Utf8 => "invalid_utf8",
            IntegerRange { .. } | NumberRange { .. } => "out_of_range",
            Boolean => "bad_boolean",
            Enumeration { .. } => "unknown_enumeration_value",
            Time => "bad_time",
            UnclearBytes { .. } => "unclear_bytes",
        }
    }

    /// What was found, where the number says more than the bytes.
    fn found(&self) -> Option<String> {
        match self {
            Problem::ValueCount { found, .. } | Problem::ItemCount { found, .. } => Some(found.to_string()),
            Problem::UnclearBytes { found, .. } => Some(found.to_string()),
            Problem::IntegerRange {
                value: Some(value), ..
            } => Some(value.to_string()),
            _ => None,
        }
    }
}

struct Counts(u32, u32);

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Counts(least, most) if least == most => write!(f, "{least}"),
            Counts(least, most) => write!(f, "{least} to {most}"),
        }
    }
}

/// A message that is refused, with the place and at most 20 bytes of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    problem: Problem,
    byte: usize,
    field: Option<Box<str>>,
    near: Box<[u8]>,
}

impl WireError {
    /// An error at `byte` of `input` (the whole message), at a field if one is reached.
    pub(crate) fn new(problem: Problem, input: &[u8], byte: usize, field: Option<&str>) -> Self {
        let near = input.get(byte..).unwrap_or_default();
        let near = near.get(..SHOWN_BYTES).unwrap_or(near);
        Self {
            problem,
            byte,
            field: field.map(Into::into),
            near: near.into(),
        }
    }

    /// What is wrong.
    pub fn problem(&self) -> Problem {
        self.problem
    }

    /// `parse` or `encode`, see [`Problem::step`].
    pub fn step(&self) -> &'static str {
        self.problem.step()
    }

    /// A few words in snake_case, as a metric's label.
    pub fn reason(&self) -> &'static str {
        self.problem.reason()
    }

    /// The offset in the message, from 0.
    pub fn byte(&self) -> usize {
        self.byte
    }

    /// The field that was being read; none in the header.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.problem, self.byte)?;
        if let Some(field) = &self.field {
            write!(f, " (field {field})")?;
        }
        f.write_str(", found ")?;
        if let Some(found) = self.problem.found() {
            write!(f, "{found} at ")?;
        }
        if self.near.is_empty() {
            return f.write_str("the end of the message");
        }
        f.write_str("\"")?;
        for &byte in &self.near {
            match byte {
                b'\'' => f.write_str("'")?,
                _ => write!(f, "{}", byte.escape_ascii())?,
            }
        }
        f.write_str("\"")
    }
}

impl std::error::Error for WireError {}

/// A problem and the input from its place on: what the parsers of the grammar fail with. Small and free of
/// allocations, as trying a string's ends makes many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault<'a> {
    pub(crate) problem: Problem,
    pub(crate) rest: &'a [u8],
}

impl<'a> ParseError<&'a [u8]> for Fault<'a> {
    /// Only the header uses nom's own leaf parsers.
    fn from_error_kind(rest: &'a [u8], _: ErrorKind) -> Self {
        Self {
            problem: Problem::Header,
            rest,
        }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}
