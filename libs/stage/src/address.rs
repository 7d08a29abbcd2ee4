//! Addresses of other services, which may hold a password or token: as userinfo (`http://user:password@host`), as query
//! (`http://host?token=…`), or anywhere in an address that is not valid. None is ever shown.
//!
//! Two layers see to it. An [`Address`] shows itself without what may be secret. And what arguments and variables hold in
//! those places is remembered when the command line is parsed ([`remember`]), so that [`masked`] hides it in every text
//! of any library, and in the command line's own errors: on stderr, in `/ready` and in dead letters.
//!
//! ```
//! use stage::address::Address;
//!
//! let address = Address::from("http://user:s3cr3t@host:8081/path?token=abc");
//! assert_eq!(address.to_string(), "http://(hidden)@host:8081/path?(hidden)");
//! ```

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};

use crate::sanitize::Printable;

const HIDDEN: &str = "(hidden)";

/// A shorter text is not a secret, and its letters are in every line.
const MIN_SECRET_BYTES: usize = 4;

/// What is hidden wherever it appears, the longest first.
static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// An address as it was given. It is not checked: an invalid one must be refused where the refusal does not quote it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(String);

impl Address {
    /// The address itself, for a client.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for Address {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(redacted(&self.0)).fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// An address without what may be secret in it: all between the scheme and the last `@`, and all after `?` or `#`.
pub fn redacted(address: &str) -> Cow<'_, str> {
    let parts = Parts::of(address);
    if parts.userinfo.is_empty() && parts.query.is_empty() {
        return Cow::Borrowed(address);
    }
    let userinfo = if parts.userinfo.is_empty() {
        String::new()
    } else {
        format!("{HIDDEN}@")
    };
    let query = match parts.query.chars().next() {
        Some(mark) => format!("{mark}{HIDDEN}"),
        None => String::new(),
    };
    Cow::Owned(format!("{}{userinfo}{}{query}", parts.scheme, parts.host))
}

/// The parts of an address, however wrong it is; each is empty if there is none.
struct Parts<'a> {
    /// With its slashes.
    scheme: &'a str,
    /// Without its `@`.
    userinfo: &'a str,
    host: &'a str,
    /// With its `?` or `#`.
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(address: &'a str) -> Self {
        let (scheme, rest) = address.split_at(scheme_bytes(address));
        // An `@` within a password makes an address invalid, and so does one that is percent-encoded by mistake.
        let at = rest.rfind('@').map(|at| (at, at + 1));
        let encoded = || rest.rfind("%40").map(|at| (at, at + 3));
        let (userinfo, rest) = match at.or_else(encoded) {
            Some((end, after)) => (
                rest.get(..end).unwrap_or_default(),
                rest.get(after..).unwrap_or_default(),
            ),
            None => ("", rest),
        };
        let (host, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        Self {
            scheme,
            userinfo,
            host,
            query,
        }
    }
}

/// The length of `http://`, or of what is meant to be it.
fn scheme_bytes(address: &str) -> usize {
    let name = address
        .find(|c: char| !c.is_ascii_alphanumeric() && !"+.-".contains(c))
        .unwrap_or(address.len());
    let rest = address.get(name..).unwrap_or_default();
    match rest.strip_prefix(':') {
        Some(after) if after.starts_with('/') => name + 1 + after.len() - after.trim_start_matches('/').len(),
        _ => 0,
    }
}

/// Remembers what is secret in those of `texts` that are addresses, so that [`masked`] hides it from now on. A text such as
/// `--flag=http://…` counts as its part after `=` as well.
pub fn remember<'t>(texts: impl IntoIterator<Item = &'t str>) {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        let value = text.split_once('=').map(|(_, value)| value);
        let is_named = text.starts_with('-') || value.is_some_and(|value| scheme_bytes(value) > 0);
        let whole = match text.strip_prefix('-') {
            // `-bhost:9092`
            Some(short) if value.is_none() => short.get(1..),
            _ => (!is_named).then_some(text),
        };
        for address in [whole, value].into_iter().flatten() {
            secrets_of(address, &mut found);
        }
    }
    if found.is_empty() {
        return;
    }
    let mut known = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    known.extend(found);
    known.sort_by(|one, other| other.len().cmp(&one.len()).then(one.cmp(other)));
    known.dedup();
}

/// What is secret in one address, as it was written and as libraries write it.
fn secrets_of(address: &str, found: &mut Vec<String>) {
    let parts = Parts::of(address);
    let is_url = !parts.scheme.is_empty();
    let mut add = |text: &str| {
        if text.len() >= MIN_SECRET_BYTES {
            found.push(text.to_owned());
        }
    };
    if is_url || parts.userinfo.contains(':') {
        add(&format!("{}@", parts.userinfo));
        add(parts.userinfo);
        add(parts
            .userinfo
            .split_once(':')
            .map_or("", |(_, password)| password));
    }
    if is_url {
        let query = parts.query.get(1..).unwrap_or_default();
        add(query);
        let values = query
            .split(['&', ';', '?', '#'])
            .filter_map(|pair| pair.split_once('='));
        values.for_each(|(_, value)| add(value));
    }
    if let Ok(url) = reqwest::Url::parse(address).map_err(drop)
        && is_url
    {
        add(url.password().unwrap_or_default());
        add(url.query().unwrap_or_default());
        add(url.fragment().unwrap_or_default());
        if !url.username().is_empty() {
            add(&format!("{}@", url.username()));
        }
    }
}

/// A text without what was remembered.
pub fn masked(text: &str) -> Cow<'_, str> {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let mut shown = Cow::Borrowed(text);
    for secret in &*secrets {
        if shown.contains(secret.as_str()) {
            let instead = if secret.ends_with('@') {
                "(hidden)@"
            } else {
                HIDDEN
            };
            shown = Cow::Owned(shown.replace(secret.as_str(), instead));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_secret_whatever_is_wrong_with_it() {
        for (address, shown) in [
            ("http://localhost:8081", "http://localhost:8081"),
            ("http://user:s3cr3t@host:8081/p", "http://(hidden)@host:8081/p"),
            ("htp://user:s3cr3t@host", "htp://(hidden)@host"),
            ("http:/user:s3cr3t@host", "http:/(hidden)@host"),
            ("http//user:s3cr3t@host", "(hidden)@host"),
            ("user:s3cr3t@host:8081", "(hidden)@host:8081"),
            ("http://user:s3@cr3t@host", "http://(hidden)@host"),
            ("http://user:s3/cr?3#t@host:x", "http://(hidden)@host:x"),
            ("http://user:s3cr3t@[::1", "http://(hidden)@[::1"),
            ("http://user:s3 cr3t@host", "http://(hidden)@host"),
            ("http://user:s3cr3t%40host:8081", "http://(hidden)@host:8081"),
            ("http://s3cr3t@host", "http://(hidden)@host"),
            ("http://host:8081?token=s3cr3t", "http://host:8081?(hidden)"),
            ("http://host:8081/#s3cr3t", "http://host:8081/#(hidden)"),
            ("broker:9092,other:9092", "broker:9092,other:9092"),
            ("sqlite:/tmp/a.sqlite", "sqlite:/tmp/a.sqlite"),
            ("", ""),
        ] {
            let address = Address::from(address);
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), format!("Address({shown})"));
        }
        assert_eq!(
            Address::from("http://a@b\x1b[2J").to_string(),
            r"http://(hidden)@b\u{1b}[2J"
        );
    }

    #[test]
    fn what_was_remembered_is_hidden_in_every_text() {
        remember([
            "--schema-registry=http://anna:geheim77@host:8081",
            "berta:pass wort9@broker:9092",
            "KEY=http://dora:w0rt4711@host",
            "-bemil:wort0815@broker:9092",
            "http://host/write?db=efd&p=qu3rys3cret",
            "--filter",
            "name == 'x@y'",
            "http://t0kenalone@host",
        ]);
        for (text, shown) in [
            (
                "cannot reach http://anna:geheim77@host:8081/",
                "cannot reach http://(hidden)@host:8081/",
            ),
            ("password geheim77 refused", "password (hidden) refused"),
            (
                "berta:pass wort9@broker:9092/bootstrap: Failed to resolve",
                "(hidden)@broker:9092/bootstrap: Failed to resolve",
            ),
            (
                "url (http://host/write?db=efd&p=qu3rys3cret)",
                "url (http://host/write?(hidden))",
            ),
            ("p=qu3rys3cret", "p=(hidden)"),
            ("http://t0kenalone@host", "http://(hidden)@host"),
            ("http://dora:w0rt4711@host", "http://(hidden)@host"),
            ("emil:wort0815@broker:9092", "(hidden)@broker:9092"),
            ("filter x@y of anna and berta", "filter x@y of anna and berta"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
