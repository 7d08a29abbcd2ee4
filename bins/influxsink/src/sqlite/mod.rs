//! SQLite as the embedded alternative to InfluxDB: one table per measurement, one column per field, from the same lines
//! and by the same rules.
//!
//! - The key is InfluxDB's: `PRIMARY KEY (time, tags…)`, `time` in microseconds since 1970 UTC. A point that
//!   comes again merges its fields into the row: new values win, others stay. A tag that comes later becomes part of the
//!   key ([`key`]).
//! - Columns are added as fields appear, and keep the type of a field's first value (`REAL`, `INTEGER`, `BOOLEAN`,
//!   `TEXT`); a point with another type is rejected, as InfluxDB does.
//! - One transaction per request: if a point is rejected, none of the others is stored. The answer names all rejected
//!   ones (`line 2: …`), and the others are written without them.
//! - Names are quoted, so that they can only be names. SQLite ignores their case: `Temp` beside `temp` is rejected,
//!   column or table.
//! - A file that is removed, replaced or truncated while it is open counts as an unavailable database ([`file`]). The
//!   sink continues with the file at the path, and does not create one itself: a lost mount may return.

mod file;
mod key;
mod table;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::line::parse;
use crate::write_result::WriteResult;
use file::{Lost, OpenError, OpenFile};
use table::{StoreError, Table};

/// Writes to one file; clones share it.
#[derive(Clone, Debug)]
pub struct SqliteWriter {
    store: Arc<Mutex<Store>>,
}

#[derive(Debug)]
struct Store {
    path: PathBuf,
    /// None while the file is unavailable.
    file: Option<OpenFile>,
    /// Whether the file has to be checked before it is used again.
    suspect: bool,
    tables: HashMap<String, Table>,
}

/// Whether a database can be at a path. A file that is not there yet is created.
pub fn check_path(path: &Path) -> Result<(), rusqlite::Error> {
    file::check_path(path)
}

impl SqliteWriter {
    /// Opens the file, or creates it.
    pub fn open(path: &Path) -> Result<Self, rusqlite::Error> {
        let file = match OpenFile::open(path) {
            Ok(file) => Some(file),
            Err(OpenError::Sqlite(error)) => return Err(error),
            // Another process is using it.
            Err(OpenError::Lost(_) | OpenError::Damaged { .. }) => None,
        };
        let store = Store {
            path: path.to_owned(),
            file,
            suspect: false,
            tables: HashMap::new(),
        };
        Ok(Self {
            store: Arc::new(Mutex::new(store)),
        })
    }

    /// Stores whole lines in one transaction.
    pub(crate) fn write(&self, lines: &[u8]) -> WriteResult {
        let mut store = stage::lock(&self.store);
        store.answer(lines)
    }
}

impl Store {
    fn answer(&mut self, lines: &[u8]) -> WriteResult {
        if let Err(error) = self.open_again() {
            return away(&error);
        }
        let known = !self.tables.is_empty();
        let mut stored = self.write(lines);
        // The known tables belong to the transaction, and may be older than changes by other processes.
        if matches!(&stored, Err(error) if known && matches!(error.answer(), WriteResult::Rejected { .. })) {
            self.tables.clear();
            stored = self.write(lines);
        }
        if let Err(error) = &stored {
            self.tables.clear();
            if error.is_damage() {
                // The file at the path may be repaired or replaced by the next time.
                self.file = None;
                self.suspect = true;
            }
        }
        // A commit to a removed file does not count.
        if let Err(lost) = self.check() {
            return away(&lost.into());
        }
        match stored {
            Ok(()) => WriteResult::Written,
            Err(error) => error.answer(),
        }
    }

    /// Opens the file at the path.
    fn open_again(&mut self) -> Result<(), OpenError> {
        if self.file.is_some() && self.check().is_ok() {
            return Ok(());
        }
        let file = OpenFile::open_again(&self.path, self.suspect)?;
        tracing::warn!(path = ?self.path, "database file is opened again");
        self.file = Some(file);
        self.suspect = false;
        Ok(())
    }

    /// Closes a lost file, and logs it.
    fn check(&mut self) -> Result<(), Lost> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let Err(lost) = file.check() else {
            return Ok(());
        };
        tracing::error!(
            path = ?self.path,
            reason = %lost,
            "database file is lost: the points written to it are wherever it is now; write them again with --from --to if they \
             are gone"
        );
        self.suspect |= matches!(lost, Lost::Shorter(_));
        self.tables.clear();
        self.file = None;
        Err(lost)
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), StoreError> {
        let lines = std::str::from_utf8(lines).map_err(|_| parse::ParseError {
            expected: "UTF-8",
            found: String::new(),
        })?;
        match self.file.as_mut().and_then(OpenFile::connection) {
            Some(connection) => write(connection, &mut self.tables, lines),
            None => {
                let closed = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
                Err(rusqlite::Error::SqliteFailure(closed, None).into())
            }
        }
    }
}

/// Stores all lines or none.
fn write(
    connection: &mut Connection,
    tables: &mut HashMap<String, Table>,
    mut rest: &str,
) -> Result<(), StoreError> {
    // A writer from the start: a reader could only fail to become one.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut refused = Vec::new();
    let mut number = 0;
    while !rest.is_empty() {
        let (point, after) = parse::line(rest)?;
        rest = after;
        number += 1;
        let mut store = || {
            if !tables.contains_key(point.measurement) {
                let table = Table::read(&transaction, point.measurement)?;
                tables.insert(point.measurement.to_owned(), table);
            }
            match tables.get_mut(point.measurement) {
                Some(table) => {
                    table.fit(&transaction, &point)?;
                    table::insert(&transaction, &point)
                }
                None => Ok(()),
            }
        };
        match store() {
            Ok(()) => {}
            Err(error) if error.is_of_the_point() => {
                // It may have noted columns that it did not create.
                tables.remove(point.measurement);
                refused.push((number, error));
            }
            Err(error) => return Err(error),
        }
    }
    match refused.len() {
        0 => Ok(transaction.commit()?),
        1 => refused.pop().map_or(Ok(()), |(_, error)| Err(error)),
        _ => Err(several(&refused)),
    }
}

/// The first message, then each with its line, in the form that a writer interprets (`write::suspects`).
fn several(refused: &[(usize, StoreError)]) -> StoreError {
    let mut words = refused
        .first()
        .map_or_else(String::new, |(_, error)| error.to_string());
    for (number, error) in refused {
        // Writing to a String cannot fail.
        let _ = write!(words, "; line {number}: {error}");
    }
    StoreError::Several(words)
}

/// The file is missing or unusable; nothing is wrong with the points.
fn away(error: &OpenError) -> WriteResult {
    if let OpenError::Sqlite(error) = error
        && matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        )
    {
        return WriteResult::Busy {
            reason: "locked",
            after: None,
            message: stage::chain(error),
        };
    }
    WriteResult::Away {
        reason: "file",
        message: stage::chain(error),
    }
}
