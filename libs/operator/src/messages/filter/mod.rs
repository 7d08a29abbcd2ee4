//! Filters: which messages are meant, as `temperature > 30 and not (key == 'M1M3' or state =~ '^Fault')`.
//!
//! ```text
//! filter  = both *( ( "or" / "||" ) both )
//! both    = one *( ( "and" / "&&" ) one )
//! one     = *( "not" / "!" ) ( "(" filter ")" / field OP literal / field "." TEST "(" string ")" )
//! field   = ( name / ["record."] ( "key" / "topic" / "partition" / "offset" / "timestamp" / "headers" / "value" ) ) *step
//! step    = "." name / "[" number "]" / "[" string "]"
//! OP      = "==" / "!=" / "<" / "<=" / ">" / ">=" / "=~"
//! TEST    = "matches" / "startsWith" / "endsWith" / "contains"
//! literal = number / string / "true" / "false" / "null"
//! string  = "'" anything but "'" "'" / '"' anything but '"' '"'      ; nothing is escaped
//! ```
//!
//! `||`, `&&`, `!`, `record.` and the tests are spelt as in CEL, the language of Kafbat's filters; `record.timestampMs` is
//! `timestamp`.
//!
//! A name alone is a field of the decoded value; `value.topic` is one that has the name of something of the message's.
//! Numbers compare by their values, whatever their types: whole ones of 64 bits with every digit.
//! A field that is not there is null. `<` and its kind hold between two numbers or two texts only, `=~` for texts only.
//! Against `timestamp` a string is a moment, such as `'2026-11-21T10:00:00Z'` or `'-5m'`.

mod absent;
mod evaluate;
mod parse;

pub use absent::AbsentFields;

use regex::Regex;

/// A filter.
#[derive(Debug, Clone)]
pub struct Filter(Expression);

#[derive(Debug, Clone)]
enum Expression {
    Any(Vec<Expression>),
    All(Vec<Expression>),
    Not(Box<Expression>),
    Holds(Comparison),
}

#[derive(Debug, Clone)]
struct Comparison {
    root: Root,
    steps: Vec<Step>,
    test: Test,
}

/// Where a field begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Key,
    Topic,
    Partition,
    Offset,
    Timestamp,
    Headers,
    Value,
}

/// One step further in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

#[derive(Debug, Clone)]
enum Test {
    Is(Operator, Literal),
    Matches(Regex),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Null,
    Boolean(bool),
    /// Whole, signed or unsigned, with every digit.
    Integer(i128),
    Number(f64),
    Text(String),
}

/// A filter cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at character {at}, found {found}")]
pub struct FilterError {
    text: String,
    /// From 1.
    at: usize,
    expected: String,
    found: String,
}

impl FilterError {
    /// What is wrong, below the filter and the place in it.
    pub fn pointing(&self) -> String {
        // The place is pointed at by column: everything that is not a plain character is one blank.
        let shown: String = self
            .text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let indent = " ".repeat(self.at.saturating_sub(1));
        format!("\n  {shown}\n  {indent}^ expected {}", self.expected)
    }
}

/// Reads a filter from a flag: its error points at the place.
pub fn filter(text: &str) -> Result<Filter, String> {
    text.parse().map_err(|error: FilterError| error.pointing())
}
