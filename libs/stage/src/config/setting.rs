//! A setting of librdkafka, `key=value`, as flags and the file of named clusters have it; which ones are secret.

use std::fmt;

/// Settings whose values are secrets: those that librdkafka itself treats as sensitive.
const SECRETS: &[&str] = &[
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.config",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "ssl.truststore.password",
];

/// The argument of `--set`, a pair or not. It is not checked during parsing, because an error there would print it, and it
/// may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting(String);

impl Setting {
    pub(super) fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// The pair.
    pub(super) fn pair(&self) -> Option<(String, String)> {
        pair(&self.0)
    }

    /// The key, if its value is a secret.
    pub(super) fn secret(&self) -> Option<String> {
        self.pair()
            .map(|(key, _)| key)
            .filter(|key| SECRETS.contains(&key.as_str()))
    }
}

/// Whether a setting's value is a secret, or its name says so.
pub(super) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key) || ["password", "secret"].iter().any(|word| key.contains(word))
}

impl From<&str> for Setting {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<(&str, &str)> for Setting {
    fn from((key, value): (&str, &str)) -> Self {
        Self(format!("{key}={value}"))
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pair(), self.secret()) {
            (Some((key, value)), None) => write!(f, "{key}={value}"),
            (Some((key, _)), Some(_)) => write!(f, "{key}=(hidden)"),
            (None, _) => f.write_str("(hidden)"),
        }
    }
}

pub(super) fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    (!key.trim().is_empty()).then(|| (key.trim().to_owned(), value.trim().to_owned()))
}
