//! Who may change something. By default nobody: the pages only read. With a token file, who knows the token; behind a
//! proxy that logs people in, whom the proxy names in a header.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, header};
use stage::config::Secret;
use stage::lock;

/// The cookie that holds a session.
const COOKIE: &str = "kafka_efd_session";
/// Sessions and users that are remembered.
const MAX_SESSIONS: usize = 1_000;
/// How long a session lasts after the log-in: a night shift.
const MAX_SESSION_AGE: Duration = Duration::from_secs(12 * 3_600);
/// The name in the log of whoever knows the token.
const TOKEN_USER: &str = "token";

/// Who may change something.
#[derive(Debug, Default)]
pub enum Access {
    /// Nobody.
    #[default]
    ReadOnly,
    /// Whoever knows this token.
    Token(Secret),
    /// Whom a proxy in front names in this header. The port must not be reachable past that proxy.
    UserHeader(HeaderName),
}

/// Somebody who may change something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// As the log shows it.
    pub(crate) name: String,
    /// What each form of theirs has to hold, so that no other site can send it.
    pub(crate) form_token: String,
}

/// The sessions of those who may.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    access: Access,
    /// By session or user.
    known: Mutex<HashMap<String, Session>>,
}

#[derive(Debug)]
struct Session {
    since: Instant,
    form_token: String,
}

impl Session {
    fn begin() -> Self {
        Self {
            since: Instant::now(),
            form_token: random(),
        }
    }

    fn is_over(&self) -> bool {
        self.since.elapsed() >= MAX_SESSION_AGE
    }
}

impl Gate {
    pub(crate) fn new(access: Access) -> Self {
        Self {
            access,
            known: Mutex::default(),
        }
    }

    /// Who sends a request, if they may change something.
    pub(crate) fn user(&self, headers: &HeaderMap) -> Option<User> {
        match &self.access {
            Access::ReadOnly => None,
            Access::Token(_) => {
                let session = session(headers)?;
                let known = lock(&self.known);
                let session = known.get(session).filter(|session| !session.is_over())?;
                Some(User {
                    name: TOKEN_USER.to_owned(),
                    form_token: session.form_token.clone(),
                })
            }
            Access::UserHeader(name) => {
                let user = headers.get(name)?.to_str().ok()?.trim();
                let user = Some(user).filter(|user| !user.is_empty())?;
                Some(User {
                    name: user.to_owned(),
                    form_token: self.remembered(user),
                })
            }
        }
    }

    /// Whether a page offers to log in with the token.
    pub(crate) fn takes_a_token(&self) -> bool {
        matches!(self.access, Access::Token(_))
    }

    /// The cookie of a new session for whoever knows the token.
    pub(crate) fn log_in(&self, token: &str) -> Option<String> {
        let Access::Token(secret) = &self.access else {
            return None;
        };
        is_same(secret.reveal(), token).then(|| {
            let session = random();
            self.remembered(&session);
            let seconds = MAX_SESSION_AGE.as_secs();
            format!("{COOKIE}={session}; HttpOnly; SameSite=Strict; Max-Age={seconds}")
        })
    }

    /// Ends a session.
    pub(crate) fn log_out(&self, headers: &HeaderMap) {
        if let Some(session) = session(headers) {
            lock(&self.known).remove(session);
        }
    }

    fn remembered(&self, name: &str) -> String {
        let mut known = lock(&self.known);
        known.retain(|_, session| !session.is_over());
        if known.len() >= MAX_SESSIONS && !known.contains_key(name) {
            known.clear();
        }
        let session = known.entry(name.to_owned()).or_insert_with(Session::begin);
        session.form_token.clone()
    }
}

impl User {
    /// Whether a form of this user's holds the token, and no other site sent it.
    pub(crate) fn sent(&self, headers: &HeaderMap, form_token: Option<&str>) -> bool {
        let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
        site.is_none_or(|site| site == "same-origin")
            && form_token.is_some_and(|token| is_same(&self.form_token, token))
    }
}

fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let texts = cookies.filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, session)| session)
}

/// Takes the same time wherever the two differ.
fn is_same(one: &str, other: &str) -> bool {
    let differ = |(one, other): (u8, u8)| one ^ other;
    one.len() == other.len()
        && one
            .bytes()
            .zip(other.bytes())
            .map(differ)
            .fold(0, |all, bits| all | bits)
            == 0
}

/// An id that nobody guesses.
pub(crate) fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        [(HeaderName::from_static(name), value.parse().unwrap())]
            .into_iter()
            .collect()
    }

    #[test]
    fn nobody_may_by_default() {
        let gate = Gate::default();
        assert_eq!(gate.user(&with("x-user", "root")), None);
        assert_eq!(gate.log_in(""), None);
    }

    #[test]
    fn a_token_opens_a_session() {
        let gate = Gate::new(Access::Token(Secret::new("s3cret".to_owned())));
        assert_eq!(gate.log_in("s3cres"), None);
        assert_eq!(gate.log_in(""), None);
        let cookie = gate.log_in("s3cret").unwrap();
        let headers = with("cookie", cookie.split(';').next().unwrap());
        let user = gate.user(&headers).unwrap();
        assert!(user.sent(&headers, Some(&user.form_token)));
        assert!(!user.sent(&headers, Some("")) && !user.sent(&headers, None));
        assert!(!user.sent(&with("sec-fetch-site", "cross-site"), Some(&user.form_token)));
        assert_eq!(gate.user(&with("cookie", "kafka_efd_session=guess")), None);
        gate.log_out(&headers);
        assert_eq!(gate.user(&headers), None);
    }

    #[test]
    fn a_session_ends_by_itself() {
        let gate = Gate::new(Access::Token(Secret::new("s3cret".to_owned())));
        let cookie = gate.log_in("s3cret").unwrap();
        let headers = with("cookie", cookie.split(';').next().unwrap());
        assert!(gate.user(&headers).is_some());
        for session in lock(&gate.known).values_mut() {
            session.since = Instant::now().checked_sub(MAX_SESSION_AGE).unwrap();
        }
        assert_eq!(gate.user(&headers), None);
        gate.log_in("s3cret").unwrap();
        assert_eq!(lock(&gate.known).len(), 1, "it is forgotten");
    }

    #[test]
    fn a_proxy_names_the_user() {
        let gate = Gate::new(Access::UserHeader(HeaderName::from_static("x-user")));
        assert_eq!(gate.user(&HeaderMap::new()), None);
        assert_eq!(gate.user(&with("x-user", " ")), None);
        let user = gate.user(&with("x-user", "vera")).unwrap();
        assert_eq!(user.name, "vera");
        assert_eq!(
            gate.user(&with("x-user", "vera")),
            Some(user.clone()),
            "its token stays"
        );
        assert_ne!(
            gate.user(&with("x-user", "rubin")).unwrap().form_token,
            user.form_token
        );
    }
}
