//! One measurement's table: created and extended as its points need it, and rows inserted into it.

use std::collections::HashMap;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OptionalExtension as _, ToSql, Transaction};

use super::key::{self, quoted};
use crate::line::parse::{self, FieldValue, Point};
use crate::write_result::WriteResult;

/// SQLite's default limit (`SQLITE_MAX_COLUMN`).
const MAX_COLUMNS: usize = 2_000;

/// A table as it is in the file, or will be once the transaction is committed.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// By lower-case name: the name as written, and the type it was declared with.
    columns: HashMap<String, (String, String)>,
    /// Tag columns, in the order of the key.
    tags: Vec<String>,
}

/// Why a point is not stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("measurement {0:?} differs from table {1:?} by case alone, which SQLite cannot tell apart")]
    CaseOfTable(String, String),
    #[error("column {0:?} differs from {1:?} by case alone, which SQLite cannot tell apart")]
    Case(String, String),
    #[error("field type conflict: field {field:?} is {comes}, column is {is}")]
    Type {
        field: String,
        comes: &'static str,
        is: String,
    },
    #[error("{0:?} is a field in the table and a tag of the point; use a new file for other tags")]
    TagIsField(String),
    #[error("more than {MAX_COLUMNS} columns, which is SQLite's limit")]
    Columns,
    #[error("{0}")]
    Several(String),
    #[error(transparent)]
    Line(#[from] parse::ParseError),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl StoreError {
    /// Whether only this point is the cause, and others of its request are not.
    pub(super) fn is_of_the_point(&self) -> bool {
        match self {
            StoreError::CaseOfTable(..)
            | StoreError::Case(..)
            | StoreError::Type { .. }
            | StoreError::TagIsField(_)
            | StoreError::Columns => true,
            StoreError::Several(_) | StoreError::Line(_) | StoreError::Sqlite(_) => false,
        }
    }

    /// Whether the file's content is not a complete database.
    pub(super) fn is_damage(&self) -> bool {
        let StoreError::Sqlite(error) = self else {
            return false;
        };
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        )
    }

    pub(super) fn answer(&self) -> WriteResult {
        let message = stage::chain(self);
        let code = match self {
            StoreError::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        };
        match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => WriteResult::Busy {
                reason: "locked",
                after: None,
                message,
            },
            Some(ErrorCode::DiskFull) => WriteResult::Away {
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
            ) => WriteResult::Away {
                reason: "file",
                message,
            },
            _ => WriteResult::Rejected { message },
        }
    }
}

impl Table {
    /// The table in the file; empty if it does not exist yet.
    pub(super) fn read(transaction: &Transaction<'_>, name: &str) -> Result<Table, StoreError> {
        let sql = "SELECT name FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND name <> ?1";
        let other: Option<String> = transaction
            .prepare_cached(sql)?
            .query_row([name], |row| row.get(0))
            .optional()?;
        if let Some(other) = other {
            return Err(StoreError::CaseOfTable(name.to_owned(), other));
        }
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

    /// Creates the table and adds columns, as the point needs them.
    ///
    /// A new table is created with all its columns in one statement: SQLite parses the whole file's schema again for
    /// each, which with one statement per column took a minute for the first second of 100 topics.
    pub(super) fn fit(&mut self, transaction: &Transaction<'_>, point: &Point<'_>) -> Result<(), StoreError> {
        let is_new = self.columns.is_empty();
        if is_new {
            self.columns
                .insert("time".to_owned(), ("time".to_owned(), String::new()));
        }
        let is_wider = self.add_tags(point)? && !is_new;
        let added = self.add_columns(point)?;
        if is_new {
            return Ok(key::create(transaction, point.measurement, &self.tags, &added)?);
        }
        if is_wider {
            key::widen(transaction, point.measurement, &self.tags)?;
        }
        let table = quoted(point.measurement);
        for column in added {
            transaction.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {column}"))?;
        }
        Ok(())
    }

    /// Notes the point's tags, and says whether some are new. One that is null or empty in a record is absent from the
    /// line, and '' in the key.
    fn add_tags(&mut self, point: &Point<'_>) -> Result<bool, StoreError> {
        let known = self.tags.len();
        for (tag, _) in &point.tags {
            if self.tags.iter().any(|known| known == tag) {
                continue;
            }
            let column = tag.to_ascii_lowercase();
            match self.columns.get(&column) {
                Some((name, _)) if name == tag => return Err(StoreError::TagIsField(name.clone())),
                Some((name, _)) => return Err(StoreError::Case(tag.to_string(), name.clone())),
                None if self.columns.len() >= MAX_COLUMNS => return Err(StoreError::Columns),
                None => self.columns.insert(column, (tag.to_string(), String::new())),
            };
            self.tags.push(tag.to_string());
        }
        Ok(self.tags.len() > known)
    }

    /// Notes the point's columns, and returns the declarations of new ones.
    fn add_columns(&mut self, point: &Point<'_>) -> Result<Vec<String>, StoreError> {
        let mut added = Vec::new();
        for (field, value) in &point.fields {
            let comes = declared(value);
            match self.columns.get(&field.to_ascii_lowercase()) {
                Some((name, _)) if name != field => {
                    return Err(StoreError::Case(field.to_string(), name.clone()));
                }
                Some((_, is)) if is != comes => {
                    return Err(StoreError::Type {
                        field: field.to_string(),
                        comes,
                        is: is.clone(),
                    });
                }
                Some(_) => {}
                None if self.columns.len() >= MAX_COLUMNS => return Err(StoreError::Columns),
                None => {
                    added.push(format!("{} {comes}", quoted(field)));
                    self.columns
                        .insert(field.to_ascii_lowercase(), (field.to_string(), comes.to_owned()));
                }
            }
        }
        Ok(added)
    }
}

pub(super) fn insert(transaction: &Transaction<'_>, point: &Point<'_>) -> Result<(), StoreError> {
    let names = point
        .tags
        .iter()
        .map(|(tag, _)| &**tag)
        .chain(point.fields.iter().map(|(field, _)| &**field));
    let names: Vec<String> = names.map(quoted).collect();
    let (tags, fields) = names.split_at(point.tags.len());
    let all: String = names.iter().map(|name| format!(", {name}")).collect();
    let marks = ", ?".repeat(names.len());
    let merge: Vec<String> = fields
        .iter()
        .map(|field| format!("{field}=excluded.{field}"))
        .collect();
    // A tag that this point lacks is in the key by its default, so that the primary key resolves the conflict.
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
