//! InfluxDB's token: from a file, which may change while the sink runs, or from the environment.

use std::path::PathBuf;

use pipeline::config::{Secret, SecretError};
use reqwest::header::HeaderValue;

/// Where the token comes from.
#[derive(Clone, Debug)]
pub enum Token {
    /// None is sent.
    None,
    /// From the environment.
    Fixed(Secret),
    /// From a file, read at the start and again whenever InfluxDB refuses it.
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
    pub(super) fn header(&self) -> Result<Option<HeaderValue>, TokenError> {
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
