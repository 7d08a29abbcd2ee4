//! SQLite as the embedded alternative to InfluxDB: one table a measurement, one column a field, by the same
//! lines and the same rules.
//!
//! - The key is InfluxDB's: `PRIMARY KEY (time, tags…)`, `time` in microseconds since 1970 UTC. A point that
//!   comes again merges its fields into the row: new values win, others stay.
//! - Columns are added as fields appear, and keep the type that a field had first (`REAL`, `INTEGER`,
//!   `BOOLEAN`, `TEXT`); a point that brings another type is rejected, as InfluxDB does.
//! - One transaction a request: a rejected point leaves nothing of the others, and the writer bisects.
//! - Names are quoted, so that none of them can be anything but a name. SQLite ignores their case: `Temp`
//!   beside `temp` is rejected.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, Transaction, TransactionBehavior};

use crate::line::parse::{self, FieldValue, Point};
use crate::write::Answer;

/// SQLite's limit as it is compiled by default (`SQLITE_MAX_COLUMN`).
const MAX_COLUMNS: usize = 2_000;

/// Writes to one file; clones share it.
#[derive(Clone, Debug)]
pub struct SqliteWriter {
    store: Arc<Mutex<Store>>,
}

#[derive(Debug)]
struct Store {
    connection: Connection,
    tables: HashMap<String, Table>,
}

/// A table as it is in the file, or will be once the transaction is committed.
#[derive(Debug, Default)]
struct Table {
    /// By lower-case name: the name as written, and the type it was declared with.
    columns: HashMap<String, (String, String)>,
    /// Tag columns, in the order of the key.
    tags: Vec<String>,
}

/// Why a point is not stored.
#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error("column {0:?} differs from {1:?} by case alone, which SQLite cannot tell apart")]
    Case(String, String),
    #[error("field type conflict: field {field:?} is {comes}, column is {is}")]
    Type {
        field: String,
        comes: &'static str,
        is: String,
    },
    #[error("the table's key has the tags {is:?}, the point has {comes:?}; use a new file for other tags")]
    Tags { is: Vec<String>, comes: Vec<String> },
    #[error("more than {MAX_COLUMNS} columns, which is SQLite's limit")]
    Columns,
    #[error(transparent)]
    Line(#[from] parse::ParseError),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl SqliteWriter {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(path)?;
        // Readers do not wait for the writer, and a committed batch survives a power cut: its offset is
        // committed next.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(4_096);
        let store = Store {
            connection,
            tables: HashMap::new(),
        };
        Ok(Self {
            store: Arc::new(Mutex::new(store)),
        })
    }

    /// Stores whole lines in one transaction.
    pub(crate) fn write(&self, lines: &[u8]) -> Answer {
        let mut store = pipeline::lock(&self.store);
        match store.write(lines) {
            Ok(()) => Answer::Written,
            Err(error) => {
                // What was noted of tables may have been rolled back.
                store.tables.clear();
                error.answer()
            }
        }
    }
}

impl StoreError {
    fn answer(&self) -> Answer {
        let message = pipeline::chain(self);
        let code = match self {
            StoreError::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        };
        match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Answer::Busy {
                reason: "locked",
                after: None,
                message,
            },
            Some(ErrorCode::DiskFull) => Answer::Away {
                reason: "disk_full",
                message,
            },
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::FileLockingProtocolFailed,
            ) => Answer::Away {
                reason: "file",
                message,
            },
            _ => Answer::Rejected { message },
        }
    }
}

impl Store {
    fn write(&mut self, lines: &[u8]) -> Result<(), StoreError> {
        let mut rest = std::str::from_utf8(lines).map_err(|_| parse::ParseError {
            expected: "UTF-8",
            found: String::new(),
        })?;
        // At once a writer: a reader that became one could only fail.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        while !rest.is_empty() {
            let (point, after) = parse::line(rest)?;
            rest = after;
            if !self.tables.contains_key(point.measurement) {
                let table = Table::read(&transaction, point.measurement)?;
                self.tables.insert(point.measurement.to_owned(), table);
            }
            if let Some(table) = self.tables.get_mut(point.measurement) {
                table.fit(&transaction, &point)?;
                insert(&transaction, &point)?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Table {
    /// What the file says of it; nothing if it is not there yet.
    fn read(transaction: &Transaction<'_>, name: &str) -> Result<Table, StoreError> {
        let mut table = Table::default();
        let mut keys = Vec::new();
        let sql = "SELECT name, type, pk FROM pragma_table_info(?1)";
        let mut statement = transaction.prepare_cached(sql)?;
        let mut rows = statement.query([name])?;
        while let Some(row) = rows.next()? {
            let (column, of, key): (String, String, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if key > 1 {
                keys.push((key, column.clone()));
            }
            table.columns.insert(column.to_ascii_lowercase(), (column, of));
        }
        keys.sort();
        table.tags = keys.into_iter().map(|(_, column)| column).collect();
        Ok(table)
    }

    /// Makes the table, and adds columns, as the point needs them.
    ///
    /// A new table is made with all its columns in one statement: SQLite parses the whole file's schema again at each,
    /// which at one statement a column took a minute for the first second of 100 topics.
    fn fit(&mut self, transaction: &Transaction<'_>, point: &Point<'_>) -> Result<(), StoreError> {
        let is_new = self.columns.is_empty();
        let tags: Vec<String> = point.tags.iter().map(|(tag, _)| (*tag).to_owned()).collect();
        if is_new {
            self.tags = tags;
            for key in std::iter::once("time").chain(self.tags.iter().map(String::as_str)) {
                self.columns
                    .insert(key.to_ascii_lowercase(), (key.to_owned(), String::new()));
            }
        } else if tags.iter().any(|tag| !self.tags.contains(tag)) {
            // A tag that is null in this record is absent from the line and '' in the key; one that is new changes
            // the key.
            return Err(StoreError::Tags {
                is: self.tags.clone(),
                comes: tags,
            });
        }
        let added = self.add_columns(point)?;
        let table = quoted(point.measurement);
        if is_new {
            let tags = self
                .tags
                .iter()
                .map(|tag| format!(", {} TEXT NOT NULL DEFAULT ''", quoted(tag)));
            let columns: String = tags
                .chain(added.iter().map(|column| format!(", {column}")))
                .collect();
            let key: String = self.tags.iter().map(|tag| format!(", {}", quoted(tag))).collect();
            transaction.execute_batch(&format!(
                "CREATE TABLE {table} (\"time\" INTEGER NOT NULL{columns}, PRIMARY KEY (\"time\"{key}))"
            ))?;
        } else {
            for column in added {
                transaction.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {column}"))?;
            }
        }
        Ok(())
    }

    /// Notes the columns that the point brings; answers the declarations of those that are new.
    fn add_columns(&mut self, point: &Point<'_>) -> Result<Vec<String>, StoreError> {
        let mut added = Vec::new();
        for (field, value) in &point.fields {
            let comes = declared(value);
            match self.columns.get(&field.to_ascii_lowercase()) {
                Some((name, _)) if name != field => {
                    return Err(StoreError::Case((*field).to_owned(), name.clone()));
                }
                Some((_, is)) if is != comes => {
                    return Err(StoreError::Type {
                        field: (*field).to_owned(),
                        comes,
                        is: is.clone(),
                    });
                }
                Some(_) => {}
                None if self.columns.len() >= MAX_COLUMNS => return Err(StoreError::Columns),
                None => {
                    added.push(format!("{} {comes}", quoted(field)));
                    self.columns.insert(
                        field.to_ascii_lowercase(),
                        ((*field).to_owned(), comes.to_owned()),
                    );
                }
            }
        }
        Ok(added)
    }
}

fn insert(transaction: &Transaction<'_>, point: &Point<'_>) -> Result<(), StoreError> {
    let names = point
        .tags
        .iter()
        .map(|(tag, _)| *tag)
        .chain(point.fields.iter().map(|(field, _)| *field));
    let names: Vec<String> = names.map(quoted).collect();
    let (tags, fields) = names.split_at(point.tags.len());
    let all: String = names.iter().map(|name| format!(", {name}")).collect();
    let marks = ", ?".repeat(names.len());
    let merge: Vec<String> = fields
        .iter()
        .map(|field| format!("{field}=excluded.{field}"))
        .collect();
    // A tag that this point lacks takes part in the key by its default, so that the conflict is left to the
    // primary key.
    let sql = format!(
        "INSERT INTO {} (\"time\"{all}) VALUES (?{marks}) ON CONFLICT DO UPDATE SET {}",
        quoted(point.measurement),
        merge.join(", "),
    );
    let mut values: Vec<ToSqlOutput<'_>> = Vec::with_capacity(names.len() + 1);
    values.push(point.time_micros.into());
    values.extend(point.tags.iter().map(|(_, value)| text(value)));
    values.extend(point.fields.iter().map(|(_, value)| match value {
        FieldValue::Float(value) => (*value).into(),
        FieldValue::Integer(value) => (*value).into(),
        FieldValue::Boolean(value) => (*value).into(),
        FieldValue::Text(value) => text(value),
    }));
    debug_assert_eq!(values.len(), 1 + tags.len() + fields.len());
    let parameters: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
    transaction.prepare_cached(&sql)?.execute(&*parameters)?;
    Ok(())
}

fn text(value: &str) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes()))
}

/// The declared type of a field's column.
fn declared(value: &FieldValue<'_>) -> &'static str {
    match value {
        FieldValue::Float(_) => "REAL",
        FieldValue::Integer(_) => "INTEGER",
        FieldValue::Boolean(_) => "BOOLEAN",
        FieldValue::Text(_) => "TEXT",
    }
}

/// An SQL identifier that can be nothing but a name.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
