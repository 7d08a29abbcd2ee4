//! InfluxDB's token: from a file, which may change while the sink runs, or from the environment.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::HeaderValue;
use stage::config::{Secret, SecretError};
use stage::lock;

/// How often a file is checked for changes, by its time and size.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Where the token comes from.
#[derive(Clone, Debug)]
pub enum Token {
    /// None is sent.
    None,
    /// From the environment.
    Fixed(Secret),
    /// From a file, read at the start and again whenever it changes or InfluxDB refuses it.
    File(PathBuf),
}

/// The token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Its file.
    #[error(transparent)]
    File(#[from] SecretError),
    /// It holds bytes that an HTTP header cannot carry.
    #[error("the InfluxDB token holds characters that an HTTP header cannot carry")]
    NotAHeader,
}

impl Token {
    /// The `Authorization` header: `Token …`, which v2 and 1.8 (as `Token user:password`) and 3 take.
    fn header(&self) -> Result<Option<HeaderValue>, TokenError> {
        let secret = match self {
            Token::None => return Ok(None),
            Token::Fixed(secret) => secret.clone(),
            Token::File(path) => Secret::from_file(path)?,
        };
        let text = format!("Token {}", secret.reveal());
        let mut header = HeaderValue::from_str(&text).map_err(|_| TokenError::NotAHeader)?;
        // Shows as "Sensitive" in all that prints headers.
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

/// The current header, updated with the token's file. Its clones share it: once the log reports a new token, all
/// writers use it.
#[derive(Clone, Debug)]
pub(super) struct Authorization(Arc<Mutex<Current>>);

#[derive(Debug)]
struct Current {
    token: Token,
    header: Option<HeaderValue>,
    file: Option<Version>,
    looked: Instant,
    complained: bool,
}

/// Identifies a version of a file without reading it. A secret that Kubernetes mounts is a link, which then leads to
/// another file.
type Version = (SystemTime, u64, PathBuf);

impl Authorization {
    /// Reads the token for the first time.
    pub(super) fn new(token: Token) -> Result<Self, TokenError> {
        let file = token.version();
        Ok(Self(Arc::new(Mutex::new(Current {
            header: token.header()?,
            token,
            file,
            looked: Instant::now(),
            complained: false,
        }))))
    }

    /// The header for the next request.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut current = lock(&self.0);
        if current.looked.elapsed() >= CHECK_INTERVAL {
            current.looked = Instant::now();
            if current.token.version() != current.file {
                current.read_again();
            }
        }
        current.header.clone()
    }

    /// InfluxDB has refused this header. Returns the one to send instead, if the file has changed.
    pub(super) fn instead_of(&self, refused: Option<&HeaderValue>) -> Option<HeaderValue> {
        let mut current = lock(&self.0);
        if current.header.as_ref() == refused {
            current.read_again();
        }
        current.header.clone().filter(|header| Some(header) != refused)
    }
}

impl Current {
    /// If the file cannot be read, the old token stays: the database's answer is what counts.
    fn read_again(&mut self) {
        // Checked first: what is written afterwards is another version, and is read as well.
        let file = self.token.version();
        match self.token.header() {
            Ok(header) => {
                if header != self.header {
                    tracing::info!("token's file has changed; the new token is in use");
                }
                self.header = header;
                self.file = file;
                self.complained = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(error = %stage::chain(&error), "token cannot be read again; the old one stays in use");
                }
            }
        }
    }
}

impl Token {
    fn version(&self) -> Option<Version> {
        match self {
            Token::File(path) => version(path),
            Token::None | Token::Fixed(_) => None,
        }
    }
}

fn version(path: &Path) -> Option<Version> {
    let path = path.canonicalize().ok()?;
    let found = path.metadata().ok()?;
    Some((found.modified().ok()?, found.len(), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token in a file, and what reads it.
    fn first() -> (tempfile::TempDir, PathBuf, Authorization) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first\n").unwrap();
        let authorization = Authorization::new(Token::File(path.clone())).unwrap();
        (folder, path, authorization)
    }

    #[test]
    fn a_changed_file_is_read_again_and_an_unreadable_one_changes_nothing() {
        let (_folder, path, authorization) = first();
        let sent = |later: Duration| {
            lock(&authorization.0).looked -= later;
            let header = authorization.header().unwrap();
            header.to_str().unwrap().to_owned()
        };
        assert_eq!(sent(Duration::ZERO), "Token first");
        std::fs::write(&path, "second token\n").unwrap();
        assert_eq!(
            sent(Duration::ZERO),
            "Token first",
            "the file is not looked at for each request"
        );
        assert_eq!(sent(CHECK_INTERVAL), "Token second token");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(sent(CHECK_INTERVAL), "Token second token");
        std::fs::write(&path, " \n").unwrap();
        assert_eq!(sent(CHECK_INTERVAL), "Token second token");
    }

    #[test]
    fn all_writers_change_to_a_new_token_at_once() {
        let (_folder, path, one) = first();
        let other = one.clone();
        let refused = other.header();
        assert_eq!(one.instead_of(refused.as_ref()), None, "there is no other");
        std::fs::write(&path, "second token\n").unwrap();
        let second = one.instead_of(refused.as_ref());
        assert_eq!(second.as_ref().unwrap(), "Token second token");
        assert_eq!(other.header(), second, "without a look of its own");
        assert_eq!(other.instead_of(refused.as_ref()), second);
        assert_eq!(other.instead_of(second.as_ref()), None);
    }
}
