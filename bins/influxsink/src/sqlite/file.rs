//! The file under a SQLite connection. A process that holds a file open keeps writing to it even if the file was
//! removed or replaced: commits succeed and nobody can read them. Therefore the device and inode at the path are
//! checked before and after each transaction.
//!
//! The same applies to the file's write-ahead log, which alone holds commits until a checkpoint. Only metadata is read:
//! closing a second descriptor of the file would drop SQLite's locks on it (fcntl, POSIX).

use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

/// What is at a path: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }

    fn at(path: &Path) -> Option<Self> {
        path.metadata().ok().map(|found| Self::of(&found))
    }
}

/// A connection, and the file that was at its path when it was opened.
#[derive(Debug)]
pub(super) struct OpenFile {
    /// `None` only while it is closed.
    connection: Option<Connection>,
    path: PathBuf,
    log_path: PathBuf,
    file: Identity,
    /// Known once the first transaction has created it.
    log: Option<Identity>,
    bytes: u64,
}

/// The file is not what the connection writes to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    #[error(
        "{0:?} was removed while it was written to: put it back, or create an empty file there to continue with a new database"
    )]
    Removed(PathBuf),
    #[error("{0:?} was replaced by another file while it was written to")]
    Replaced(PathBuf),
    #[error("the write-ahead log of {0:?} was removed or replaced while it was written to")]
    Log(PathBuf),
    #[error("{0:?} became shorter while it was written to")]
    Shorter(PathBuf),
}

/// It cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("{path:?} is damaged: {words}")]
    Damaged { path: PathBuf, words: String },
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Whether a database can be at a path: a file that can be written to, or none yet in a folder where one can be created.
pub(super) fn check_path(path: &Path) -> Result<(), rusqlite::Error> {
    refuse_what_is_not_a_file(path)?;
    let connection = Connection::open(path)?;
    // A read-only file can be opened, but not locked for writing.
    match connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK") {
        // Another process writes to it.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
        done => done,
    }
}

/// SQLite opens devices as well, and what it writes to /dev/null is lost without an error.
fn refuse_what_is_not_a_file(path: &Path) -> Result<(), rusqlite::Error> {
    let refused = |what: &str| {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        Err(rusqlite::Error::SqliteFailure(code, Some(what.to_owned())))
    };
    match path.metadata() {
        Ok(found) if found.is_dir() => refused("it is a directory"),
        Ok(found) if !found.is_file() => refused("it is not a regular file"),
        _ => Ok(()),
    }
}

impl OpenFile {
    /// Opens the file, or creates it.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        refuse_what_is_not_a_file(path)?;
        let removed = || Lost::Removed(path.to_owned());
        let before = Identity::at(path);
        let connection = Connection::open(path)?;
        // Readers do not wait for the writer, and a committed batch survives a power cut: its offset is
        // committed next.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(4_096);
        let found = path.metadata().map_err(|_| removed())?;
        let file = Identity::of(&found);
        if before.is_some_and(|before| before != file) {
            return Err(Lost::Replaced(path.to_owned()).into());
        }
        let mut log_path = OsString::from(path);
        log_path.push("-wal");
        Ok(Self {
            connection: Some(connection),
            path: path.to_owned(),
            log_path: log_path.into(),
            file,
            log: None,
            bytes: found.len(),
        })
    }

    /// Opens a file that must exist; one that is `suspect` is checked.
    pub(super) fn open_again(path: &Path, suspect: bool) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(Lost::Removed(path.to_owned()).into());
        }
        let mut file = Self::open(path)?;
        if suspect && let Some(connection) = file.connection() {
            let words: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if words != "ok" {
                return Err(OpenError::Damaged {
                    path: path.to_owned(),
                    words,
                });
            }
        }
        Ok(file)
    }

    pub(super) fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut()
    }

    /// Whether the connection writes to the file at the path.
    pub(super) fn check(&mut self) -> Result<(), Lost> {
        let found = self
            .path
            .metadata()
            .map_err(|_| Lost::Removed(self.path.clone()))?;
        if Identity::of(&found) != self.file {
            return Err(Lost::Replaced(self.path.clone()));
        }
        if found.len() < self.bytes {
            return Err(Lost::Shorter(self.path.clone()));
        }
        self.bytes = found.len();
        match (self.log, Identity::at(&self.log_path)) {
            (None, found) => self.log = found,
            (known, found) if known == found => {}
            _ => return Err(Lost::Log(self.path.clone())),
        }
        Ok(())
    }
}

impl Drop for OpenFile {
    /// Writes the rest of the log into its file, wherever that is now, and empties the log: SQLite leaves both alone if
    /// the file has moved, and would take the log for a part of the next file at this path.
    ///
    /// Then the last connection to a file removes its log, by *name*. If that is the log of another database by now,
    /// the connection is left open instead.
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        if !matches!(emptied, Ok(0)) {
            tracing::warn!(path = ?self.path, ?emptied, "write-ahead log of a database file could not be emptied");
        }
        let at_path = Identity::at(&self.log_path);
        if at_path.is_some() && self.log.is_some() && at_path != self.log {
            std::mem::forget(connection);
        }
    }
}
