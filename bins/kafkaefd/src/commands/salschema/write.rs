//! Schemas to files, one a topic: `<SAL topic>.json`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sal::avro::TopicSchema;

/// A file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub(super) struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// Writes every schema in the form that its owners publish; other files in `dir` stay as they are.
pub(super) fn write(dir: &Path, schemas: &[TopicSchema]) -> Result<(), WriteError> {
    fs::create_dir_all(dir).map_err(|source| WriteError {
        path: dir.to_owned(),
        source,
    })?;
    for schema in schemas {
        let path = dir.join(format!("{}.json", schema.topic));
        fs::write(&path, schema.text()).map_err(|source| WriteError { path, source })?;
    }
    Ok(())
}
