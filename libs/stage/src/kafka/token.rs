//! OAUTHBEARER tokens from a file that another program keeps fresh: a sidecar, or Kubernetes, whose projected
//! service-account tokens have this form. librdkafka requests a token again before it expires; the file is read each
//! time.
//!
//! The file's path is passed in librdkafka's setting for such callbacks, `sasl.oauthbearer.config`, so that every
//! client of a process finds it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;
use serde::Deserialize;

use crate::config::{Secret, SecretError, TOKEN_FILE_PREFIX};

/// The file is read again at least this often, as a token can be replaced long before it expires.
const REREAD_INTERVAL: Duration = Duration::from_secs(60);

/// There is no token. No variant contains its text.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// No file is named.
    #[error("no token: name its file with --kafka-token-file")]
    NoFile,
    /// The file.
    #[error("{}", crate::chain(.0))]
    File(#[from] SecretError),
    /// The token has expired.
    #[error("the token in {path} expired {seconds} s ago: renew it")]
    Expired {
        /// Its file.
        path: PathBuf,
        /// How long ago.
        seconds: i64,
    },
}

/// Reads the token that `sasl.oauthbearer.config` names.
pub(super) fn read(config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
    let path = config
        .and_then(|config| config.trim().strip_prefix(TOKEN_FILE_PREFIX))
        .ok_or(TokenError::NoFile)?;
    let secret = Secret::from_file(Path::new(path)).map_err(TokenError::File)?;
    Ok(of(path.as_ref(), secret.reveal(), crate::unix_micros() / 1_000)?)
}

fn of(path: &Path, token: &str, now_ms: i64) -> Result<OAuthToken, TokenError> {
    let claims = claims(token);
    let again_ms = now_ms.saturating_add(i64::try_from(REREAD_INTERVAL.as_millis()).unwrap_or(i64::MAX));
    #[allow(clippy::cast_possible_truncation, reason = "a float to an integer saturates")]
    let expires_ms = claims.exp.map(|seconds| (seconds * 1_000.0) as i64);
    if let Some(expired) = expires_ms.filter(|expires| *expires <= now_ms) {
        return Err(TokenError::Expired {
            path: path.to_owned(),
            seconds: (now_ms - expired) / 1_000,
        });
    }
    Ok(OAuthToken {
        token: token.to_owned(),
        // librdkafka requires a name and only shows it in its own logs; the broker reads the token.
        principal_name: claims
            .sub
            .filter(|name| !name.contains('\0'))
            .unwrap_or_else(|| "token".to_owned()),
        lifetime_ms: expires_ms.map_or(again_ms, |expires| expires.min(again_ms)),
    })
}

/// The claims of a JSON web token. The broker verifies it; other tokens have no claims.
#[derive(Default, Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    exp: Option<f64>,
}

fn claims(token: &str) -> Claims {
    let payload = token
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    payload
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn read_at(token: &str, now_ms: i64) -> Result<OAuthToken, TokenError> {
        of(Path::new("/run/token"), token, now_ms)
    }

    #[test]
    fn a_token_is_asked_for_again_before_it_expires_and_each_minute() {
        let token = jwt(r#"{"sub":"saltransform","exp":1000}"#);
        let near = read_at(&token, 990_000).unwrap();
        assert_eq!(
            (near.lifetime_ms, near.principal_name.as_str()),
            (1_000_000, "saltransform")
        );
        assert_eq!(read_at(&token, 0).unwrap().lifetime_ms, 60_000);
        assert_eq!(read_at("opaque", 0).unwrap().lifetime_ms, 60_000);
    }

    #[test]
    fn an_expired_token_is_named_by_its_file_and_not_shown() {
        let token = jwt(r#"{"exp":1000}"#);
        let Err(error) = read_at(&token, 1_005_000) else {
            panic!("it has expired")
        };
        assert_eq!(
            error.to_string(),
            "the token in /run/token expired 5 s ago: renew it"
        );
    }

    #[test]
    fn a_missing_file_says_which() {
        let Err(error) = read(Some("token-file=/nowhere/token")) else {
            panic!("there is none")
        };
        assert!(
            error
                .to_string()
                .starts_with("cannot read the secret's file /nowhere/token"),
            "{error}"
        );
    }
}
