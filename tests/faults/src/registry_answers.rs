//! Failures of the registry: an HTTP proxy that answers in its place like a lagging replica, or like a
//! registry that has lost its data and assigned its ids to other schemas.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use stage::lock;

use crate::failure::Outcome;
use crate::in_front;

/// What happens to requests for schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RegistryMood {
    /// They reach the registry.
    Well,
    /// The registry does not know any id or subject yet.
    Lags,
    /// Each id returns the schema of the next id, modulo this number.
    Forgets(u64),
}

#[derive(Debug, Clone)]
pub(crate) struct RegistryAnswers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    mood: Mutex<RegistryMood>,
    answered: AtomicU64,
    upstream: String,
    http: reqwest::Client,
}

impl RegistryAnswers {
    /// Listens on a free port in front of the registry; returns the address.
    pub(crate) async fn start(upstream: &str) -> Outcome<(Self, SocketAddr)> {
        let answers = Self(Arc::new(Shared {
            mood: Mutex::new(RegistryMood::Well),
            answered: AtomicU64::new(0),
            upstream: upstream.to_owned(),
            http: in_front::http_client()?,
        }));
        let app = Router::new().fallback(answer).with_state(answers.clone());
        let address = in_front::serve(app, "the registry's clients").await?;
        Ok((answers, address))
    }

    /// Applies from the next request on.
    pub(crate) fn set(&self, mood: RegistryMood) {
        *lock(&self.0.mood) = mood;
    }

    /// The number of requests that were not answered by the registry.
    pub(crate) fn answered(&self) -> u64 {
        self.0.answered.load(Ordering::Relaxed)
    }
}

async fn answer(State(answers): State<RegistryAnswers>, request: Request) -> Response {
    let shared = answers.0;
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mood = *lock(&shared.mood);
    let path = match mood {
        RegistryMood::Well => path.to_owned(),
        RegistryMood::Lags => match unknown(path) {
            Some(unknown) => {
                shared.answered.fetch_add(1, Ordering::Relaxed);
                return unknown;
            }
            None => path.to_owned(),
        },
        RegistryMood::Forgets(ids) => {
            let other = of_another(path, ids);
            shared
                .answered
                .fetch_add(u64::from(other != path), Ordering::Relaxed);
            other
        }
    };
    let Ok(body) = to_bytes(body, 16 << 20).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let mut request = shared
        .http
        .request(parts.method, format!("{}{path}", shared.upstream))
        .body(body);
    for name in [header::ACCEPT, header::CONTENT_TYPE, header::AUTHORIZATION] {
        if let Some(value) = parts.headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let Ok(answer) = request.send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let mut response = Response::builder().status(answer.status());
    if let Some(value) = answer.headers().get(header::CONTENT_TYPE) {
        response = response.header(header::CONTENT_TYPE, value);
    }
    let body = answer.bytes().await.unwrap_or_default();
    response
        .body(Body::from(body))
        .unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
}

/// The answer of a registry that does not know what is requested.
fn unknown(path: &str) -> Option<Response> {
    let (code, message) = if path.starts_with("/schemas/ids/") {
        (40403, "Schema not found")
    } else if path.starts_with("/subjects/") {
        (40401, "Subject not found")
    } else {
        return None;
    };
    let body = serde_json::json!({"error_code": code, "message": message}).to_string();
    let content = [(header::CONTENT_TYPE, "application/vnd.schemaregistry.v1+json")];
    Some((StatusCode::NOT_FOUND, content, body).into_response())
}

/// The path with the next id, if it contains an id.
fn of_another(path: &str, ids: u64) -> String {
    const BY_ID: &str = "/schemas/ids/";
    let Some(rest) = path.strip_prefix(BY_ID) else {
        return path.to_owned();
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (id, rest) = rest.split_at(digits);
    match id.parse::<u64>() {
        Ok(id @ 1..) if id <= ids => format!("{BY_ID}{}{rest}", id % ids + 1),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_becomes_the_next_one() {
        assert_eq!(of_another("/schemas/ids/1", 3), "/schemas/ids/2");
        assert_eq!(
            of_another("/schemas/ids/3?subject=x", 3),
            "/schemas/ids/1?subject=x"
        );
        assert_eq!(of_another("/schemas/ids/4", 3), "/schemas/ids/4");
        assert_eq!(of_another("/subjects", 3), "/subjects");
        assert!(unknown("/subjects").is_none() && unknown("/schemas/ids/7").is_some());
    }
}
