//! Errors in text messages: what was expected, at which byte, in which field. A retry never helps; such a
//! message is a dead letter.

use std::fmt;

use nom::error::{ErrorKind, ParseError};

/// The largest number of bytes in a message: the size of SAL's own buffer.
pub const MAX_MESSAGE_BYTES: usize = 100_000;

/// How many bytes of the input an error shows.
const SHOWN_BYTES: usize = 20;

/// What was expected and not found, or found but cannot be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// More bytes than SAL ever sends.
    #[error("expected at most {MAX_MESSAGE_BYTES} bytes in a message")]
    MessageTooLong,
    /// No `topic:(` at the start.
    #[error("expected a header `[<component>_<kind> ]<topic>:(`")]
    Header,
    /// The word before the topic names another component or kind.
    #[error("expected the topic that matches the header's first word")]
    HeaderMismatch,
    /// Not a `%f` number.
    #[error("expected a number")]
    Number,
    /// Not a `%d` integer.
    #[error("expected an integer")]
    Integer,
    /// Not a value of an enumeration.
    #[error("expected an integer or a symbol")]
    Symbol,
    /// Not a string.
    #[error("expected a string in quotes")]
    OpeningQuote,
    /// An unterminated string.
    #[error("expected a closing quote")]
    ClosingQuote,
    /// The separator after a field is missing.
    #[error("expected ` , ` and the next field")]
    FieldSeparator,
    /// The separator after an array's item is missing.
    #[error("expected `, ` and the array's next item")]
    ItemSeparator,
    /// The `)` after the last value is missing.
    #[error("expected `)` after the last field")]
    RecordEnd,
    /// Data after the last `)`.
    #[error("expected the end of the message after `)`")]
    MessageEnd,
    /// A number of values that the schema does not allow.
    #[error("expected {} values", Counts(*min, *max))]
    ValueCount {
        /// The smallest number of values that the schema allows.
        min: u32,
        /// The largest number of values that the schema allows.
        max: u32,
        /// The number of values found.
        found: u32,
    },
    /// A number of array items that differs from the schema's.
    #[error("expected {expected} items in the array")]
    ItemCount {
        /// The number in the schema.
        expected: u32,
        /// The number found.
        found: u32,
    },
    /// A string that an Avro string cannot carry.
    #[error("expected UTF-8 in an Avro string")]
    Utf8,
    /// An integer that its Avro type cannot carry.
    #[error("expected an integer that fits Avro {avro}")]
    IntegerRange {
        /// `int` or `long`.
        avro: &'static str,
        /// The value, with the sign of unsigned integers restored; `None` if 64 bits cannot hold it.
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
    /// A value of an enumeration without a symbol.
    #[error("expected a value of the enumeration's {symbols} symbols")]
    Enumeration {
        /// The number of symbols.
        symbols: u32,
    },
    /// A time that milliseconds since 1970 cannot express.
    #[error("expected a time")]
    Time,
    /// Quoted values that could belong to several neighbouring `bytes` fields.
    #[error(
        "expected a value for each of {fields} consecutive bytes fields, or for none of them (SAL sends char but not byte, \
         and this schema does not say which type each field has: register it with --wire-extras)"
    )]
    UnclearBytes {
        /// The number of such fields.
        fields: u32,
        /// The number of values.
        found: u32,
    },
    /// An event that may lack its priority or an int.
    #[error("expected a value for each item, and a priority (one value is missing, and nothing tells which)")]
    UnclearPriority,
}

impl Problem {
    /// Where the problem shows: `parse` if the bytes are not SAL text of the topic, `encode` if they are, but
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
            | UnclearBytes { .. }
            | UnclearPriority => "encode",
            _ => "parse",
        }
    }

    /// The problem as a metric label.
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
            UnclearBytes { .. } | UnclearPriority => "unclear_bytes",
        }
    }

    /// What was found, if a number says more than the bytes.
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
            Counts(min, max) if min == max => write!(f, "{min}"),
            Counts(min, max) => write!(f, "{min} to {max}"),
        }
    }
}

/// A refused message: the problem, its place and at most 20 bytes of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    problem: Problem,
    byte: usize,
    field: Option<Box<str>>,
    near: Box<[u8]>,
    hint: Option<&'static str>,
}

impl WireError {
    /// An error at `byte` of `input` (the whole message), in `field` if one has been reached.
    pub(crate) fn new(problem: Problem, input: &[u8], byte: usize, field: Option<&str>) -> Self {
        let near = input.get(byte..).unwrap_or_default();
        let near = near.get(..SHOWN_BYTES).unwrap_or(near);
        Self {
            problem,
            byte,
            field: field.map(Into::into),
            near: near.into(),
            hint: None,
        }
    }

    /// The same error with what may help.
    pub(crate) fn with_hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }

    /// The problem.
    pub fn problem(&self) -> Problem {
        self.problem
    }

    /// The step, `parse` or `encode`; see [`Problem::step`].
    pub fn step(&self) -> &'static str {
        self.problem.step()
    }

    /// The reason in snake_case, as a metric label.
    pub fn reason(&self) -> &'static str {
        self.problem.reason()
    }

    /// The offset in the message, counted from 0.
    pub fn byte(&self) -> usize {
        self.byte
    }

    /// The field that was being read; `None` in the header.
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
            f.write_str("the end of the message")?;
        } else {
            f.write_str("\"")?;
            for &byte in &self.near {
                match byte {
                    b'\'' => f.write_str("'")?,
                    _ => write!(f, "{}", byte.escape_ascii())?,
                }
            }
            f.write_str("\"")?;
        }
        match self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for WireError {}

/// A problem and the input from there on: the error type of the grammar's parsers. Small and without
/// allocations, because trying the possible ends of a string produces many of them.
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
