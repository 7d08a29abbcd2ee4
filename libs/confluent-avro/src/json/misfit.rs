//! JSON that does not fit a schema, and where.

use std::io;

use serde_json::Value;

/// JSON that is not a value of its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}expected {expected}, found {found}", place(field))]
pub struct Misfit {
    /// The path, e.g. `a.b[0]`; empty for the record itself.
    pub field: String,
    /// What the schema expects.
    pub expected: String,
    /// What the JSON has, shortened.
    pub found: String,
    /// For an unknown field: the fields that the record has.
    pub known: Vec<String>,
}

fn place(field: &str) -> String {
    if field.is_empty() {
        String::new()
    } else {
        format!("field {field}: ")
    }
}

/// The number of characters of the offending value that are shown.
const SHOWN: usize = 60;

/// The start of a JSON text. A value can be as large as a message, and unions describe it once per branch.
struct Start(Vec<u8>);

impl io::Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        /// A character takes at most four bytes.
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
        // It rejects whatever is beyond the limit.
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
