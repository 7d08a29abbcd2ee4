//! InfluxDB's token: from a file, which may change while the sink runs, or from the environment.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use pipeline::config::{Secret, SecretError};
use reqwest::header::HeaderValue;

/// How often a file is looked at, by its time and size, whether it has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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

/// The header that is sent now, kept in step with the token's file.
#[derive(Debug)]
pub(super) struct Authorization {
    token: Token,
    header: Option<HeaderValue>,
    file: Option<Version>,
    looked: Instant,
    complained: bool,
}

/// What tells one content of a file from another without reading it. A secret that Kubernetes mounts is a link that
/// then leads to another file.
type Version = (SystemTime, u64, PathBuf);

impl Authorization {
    /// Reads the token for the first time.
    pub(super) fn new(token: Token) -> Result<Self, TokenError> {
        let file = token.version();
        Ok(Self {
            header: token.header()?,
            token,
            file,
            looked: Instant::now(),
            complained: false,
        })
    }

    /// The header for the next request.
    pub(super) fn header(&mut self) -> Option<&HeaderValue> {
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            let file = self.token.version();
            if file.is_some() && file != self.file && self.read_again() {
                self.file = file;
                tracing::info!("token's file has changed; the new token is in use");
            }
        }
        self.header.as_ref()
    }

    /// InfluxDB refuses the token: the file may hold a new one by now. If it cannot be read, the old one stays: the
    /// database's answer is what counts.
    pub(super) fn read_again(&mut self) -> bool {
        match self.token.header() {
            Ok(header) => {
                self.header = header;
                self.complained = false;
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(error = %pipeline::chain(&error), "token cannot be read again; the old one stays in use");
                }
                false
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

    #[test]
    fn a_changed_file_is_read_again_and_an_unreadable_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first\n").unwrap();
        let mut authorization = Authorization::new(Token::File(path.clone())).unwrap();
        let mut sent = |later: Duration| {
            authorization.looked -= later;
            authorization.header().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(sent(Duration::ZERO), "Token first");
        std::fs::write(&path, "second token\n").unwrap();
        assert_eq!(
            sent(Duration::ZERO),
            "Token first",
            "the file is not looked at for each request"
        );
        assert_eq!(sent(LOOK_EVERY), "Token second token");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(sent(LOOK_EVERY), "Token second token");
        std::fs::write(&path, " \n").unwrap();
        assert_eq!(sent(LOOK_EVERY), "Token second token");
    }
}
