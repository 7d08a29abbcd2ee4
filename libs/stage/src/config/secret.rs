//! A secret that is never printed: `Debug` hides it and there is no `Display`.

use std::fmt;
use std::path::{Path, PathBuf};

/// A password or token. Its text is only accessible through [`Secret::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A secret's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("cannot read the secret's file {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It holds only white space.
    #[error("the secret's file {0} is empty")]
    Empty(PathBuf),
}

impl Secret {
    /// Wraps a text from the environment.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Reads a file as Kubernetes and Docker mount secrets; trailing white space is removed.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let text = std::fs::read_to_string(path).map_err(|source| SecretError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        match text.trim_end() {
            "" => Err(SecretError::Empty(path.to_owned())),
            text => Ok(Self(text.to_owned())),
        }
    }

    /// The secret text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_it() {
        assert_eq!(format!("{:?}", Secret::new("s3cr3t")), "Secret(hidden)");
    }

    #[test]
    fn a_missing_file_says_which() {
        let error = Secret::from_file(Path::new("/nowhere/token")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the secret's file /nowhere/token");
    }
}
