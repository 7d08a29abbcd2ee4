//! What does not fit a schema, and where.

use std::io;

use serde_json::Value;

/// JSON that is not a value of its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}expected {expected}, found {found}", place(field))]
pub struct Misfit {
    /// `a.b[0]`; empty for the record itself.
    pub field: String,
    /// What the schema wants.
    pub expected: String,
    /// What stands there, shortened.
    pub found: String,
    /// Of a field that the record does not have: those that it has.
    pub known: Vec<String>,
}

fn place(field: &str) -> String {
    if field.is_empty() {
        String::new()
    } else {
        format!("field {field}: ")
    }
}

/// Characters of what was found that are shown.
const SHOWN: usize = 60;

/// The start of a JSON text: a value may be as large as a message, and unions try it again and again.
struct Start(Vec<u8>);

impl io::Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        /// The longest encoding of a character is four bytes.
        const ENOUGH: usize = 4 * (SHOWN + 1);
        if self.0.len() > ENOUGH {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.0.extend_from_slice(bytes.get(..ENOUGH).unwrap_or(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A step into a value.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
}

pub(crate) fn path(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Name(name) if text.is_empty() => text.push_str(name),
            Step::Name(name) => text.extend([".", name]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

impl Misfit {
    pub(super) fn new(steps: &[Step], expected: impl Into<String>, found: &Value) -> Self {
        let mut start = Start(Vec::new());
        // It refuses what is beyond the start.
        let _ = serde_json::to_writer(&mut start, found);
        Self::of_text(steps, expected, &String::from_utf8_lossy(&start.0))
    }

    pub(super) fn of_text(steps: &[Step], expected: impl Into<String>, found: &str) -> Self {
        Self {
            field: path(steps),
            expected: expected.into(),
            found: match found.char_indices().nth(SHOWN) {
                Some((cut, _)) => format!("{}…", found.get(..cut).unwrap_or_default()),
                None => found.to_owned(),
            },
            known: Vec::new(),
        }
    }
}
