//! Writes schemas to files, one per topic: `<SAL topic>.json`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sal::avro::TopicSchema;

#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub(super) struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// Writes every schema in the form in which it is published; other files in `dir` are left unchanged.
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
