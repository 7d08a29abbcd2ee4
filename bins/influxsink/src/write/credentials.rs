//! What authenticates the sink at InfluxDB: a token, or a user and a password, from files, which may change while the
//! sink runs, or from the environment.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use stage::config::{Secret, SecretError};
use stage::lock;

/// How often a file is checked for changes, by its time and size.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// What authenticates.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Nothing is sent.
    None,
    /// `Token …`, which v2, 3 and 1.8 (as `user:password`) accept.
    Token(SecretSource),
    /// Basic authentication, which every InfluxDB 1 accepts.
    Login {
        /// The user's name.
        user: SecretSource,
        /// The password.
        password: SecretSource,
    },
}

/// Where a secret comes from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// From the environment.
    Fixed(Secret),
    /// From a file, read at the start and again whenever it changes or InfluxDB refuses it.
    File(PathBuf),
}

/// The credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A secret's file.
    #[error(transparent)]
    File(#[from] SecretError),
    /// It holds bytes that an HTTP header cannot carry.
    #[error("the InfluxDB token holds characters that an HTTP header cannot carry")]
    NotAHeader,
}

impl SecretSource {
    /// The secret as it is now.
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            SecretSource::Fixed(secret) => Ok(secret.clone()),
            SecretSource::File(path) => Secret::from_file(path),
        }
    }

    fn version(&self) -> Option<Version> {
        match self {
            SecretSource::File(path) => version(path),
            SecretSource::Fixed(_) => None,
        }
    }
}

impl Credentials {
    /// The `Authorization` header.
    fn header(&self) -> Result<Option<HeaderValue>, CredentialsError> {
        let text = match self {
            Credentials::None => return Ok(None),
            Credentials::Token(token) => format!("Token {}", token.read()?.reveal()),
            Credentials::Login { user, password } => {
                let (user, password) = (user.read()?, password.read()?);
                let login = STANDARD.encode(format!("{}:{}", user.reveal(), password.reveal()));
                format!("Basic {login}")
            }
        };
        let mut header = HeaderValue::from_str(&text).map_err(|_| CredentialsError::NotAHeader)?;
        // Shows as "Sensitive" in all that prints headers.
        header.set_sensitive(true);
        Ok(Some(header))
    }

    /// The versions of its files.
    fn versions(&self) -> [Option<Version>; 2] {
        match self {
            Credentials::None => [None, None],
            Credentials::Token(token) => [token.version(), None],
            Credentials::Login { user, password } => [user.version(), password.version()],
        }
    }
}

/// The current header, updated with the secrets' files. Its clones share it: once the log reports a new token, all
/// writers use it.
#[derive(Clone, Debug)]
pub(super) struct Authorization(Arc<Mutex<Current>>);

#[derive(Debug)]
struct Current {
    credentials: Credentials,
    header: Option<HeaderValue>,
    files: [Option<Version>; 2],
    looked: Instant,
    complained: bool,
}

/// Identifies a version of a file without reading it. A secret that Kubernetes mounts is a link, which then leads to
/// another file.
type Version = (SystemTime, u64, PathBuf);

impl Authorization {
    /// Reads the secrets for the first time.
    pub(super) fn new(credentials: Credentials) -> Result<Self, CredentialsError> {
        let files = credentials.versions();
        Ok(Self(Arc::new(Mutex::new(Current {
            header: credentials.header()?,
            credentials,
            files,
            looked: Instant::now(),
            complained: false,
        }))))
    }

    /// The header for the next request.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut current = lock(&self.0);
        if current.looked.elapsed() >= CHECK_INTERVAL {
            current.looked = Instant::now();
            if current.credentials.versions() != current.files {
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
    /// If a file cannot be read, the old secrets stay: the database's answer is what counts.
    fn read_again(&mut self) {
        // Checked first: what is written afterwards is another version, and is read as well.
        let files = self.credentials.versions();
        match self.credentials.header() {
            Ok(header) => {
                if header != self.header {
                    match self.credentials {
                        Credentials::Login { .. } => {
                            tracing::info!(
                                "file of InfluxDB's user or password has changed; the new login is in use"
                            );
                        }
                        Credentials::Token(_) | Credentials::None => {
                            tracing::info!("token's file has changed; the new token is in use");
                        }
                    }
                }
                self.header = header;
                self.files = files;
                self.complained = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(error = %stage::chain(&error), "InfluxDB's credentials cannot be read again; the old ones stay in use");
                }
            }
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
        let authorization = Authorization::new(Credentials::Token(SecretSource::File(path.clone()))).unwrap();
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

    #[test]
    fn a_user_and_a_password_are_read_again_when_one_of_them_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            SecretSource::File(path)
        };
        let credentials = Credentials::Login {
            user: file("user", "efd\n"),
            password: file("password", "pass:word\n"),
        };
        let authorization = Authorization::new(credentials).unwrap();
        let refused = authorization.header();
        assert_eq!(refused.as_ref().unwrap(), "Basic ZWZkOnBhc3M6d29yZA==");
        file("password", "other");
        let second = authorization.instead_of(refused.as_ref());
        assert_eq!(second.unwrap(), "Basic ZWZkOm90aGVy");
    }
}
