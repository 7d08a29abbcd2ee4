//! Where the interface files come from: a directory, or a repository on GitHub.

use std::path::Path;

use sal::interface::SourceFile;
use schema_dir::{SchemaDir, SchemaDirError};

use super::github::{Github, GithubArgs};
use operator::failure::Failure;

/// Interface files that are not parsed yet.
pub(super) struct Source {
    pub(super) files: Vec<SourceFile>,
    /// For messages: `--interfaces`, `lsst-ts/ts_xml at 0123456789ab`.
    pub(super) name: String,
}

#[derive(Debug, thiserror::Error)]
enum DirError {
    #[error("cannot use {name}")]
    Unusable {
        name: String,
        #[source]
        source: SchemaDirError,
    },
    #[error("{name} {dir} already contains Avro schemas; expected SAL interface files")]
    Schemas { name: String, dir: String },
}

impl Source {
    /// The files of a directory; errors refer to it by `name`, the flag or argument that it came from.
    pub(super) fn of_dir(dir: &Path, name: &str) -> Result<Self, Failure> {
        let name = name.to_owned();
        let files = match SchemaDir::read(dir) {
            Ok(SchemaDir::Interfaces(files)) => Ok(files),
            Ok(SchemaDir::Schemas(_)) => Err(DirError::Schemas {
                name: name.clone(),
                dir: dir.display().to_string(),
            }),
            Err(source) => Err(DirError::Unusable {
                name: name.clone(),
                source,
            }),
        };
        let files = files.map_err(|error| Failure::Usage(stage::chain(&error)))?;
        Ok(Self { files, name })
    }

    /// The files of a repository at each of these branches, tags or commits; `None` is its default branch.
    pub(super) async fn of_repository(
        github: &GithubArgs,
        references: &[Option<&str>],
    ) -> Result<Vec<Self>, Failure> {
        let github = Github::new(github)?;
        let mut sources = Vec::new();
        for reference in references {
            let checkout = github.checkout(*reference).await?;
            sources.push(Self {
                files: checkout.files,
                name: checkout.name,
            });
        }
        Ok(sources)
    }
}
