//! An in-memory schema registry that speaks Confluent's API, for the demo and for tests.
//!
//! Clients register Avro only, without references; tests can have it [hold](RegistryServer::hold) anything. One node, no
//! authentication; nothing is kept when it stops. Requests, responses and error codes were compared with a real
//! Confluent-compatible registry (AxonOps 0.2.1).

mod api;
mod compatibility;
mod problem;
mod reply;
mod store;
mod version;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use crate::http::HttpServer;
use problem::Problem;
use store::Store;
use version::Extras;

/// The limit on separately counted paths, so that requests cannot exhaust the memory.
const MAX_PATHS: usize = 10_000;
/// Requests for further paths are counted under this name.
const OTHER_PATHS: &str = "";

#[derive(Debug, Default)]
struct Contents {
    store: Store,
    /// How many of the next requests fail, and with which status.
    failing: Option<(u32, u16)>,
    /// Whether lookups of ids and subjects behave as if nothing were registered.
    lagging: bool,
    /// What is restored just before the next request for this path is answered.
    restoring: Option<(String, RegistryBackup)>,
    /// Path → requests so far, including failed ones.
    requests: BTreeMap<String, u64>,
}

/// Shared by the handlers and the [`RegistryServer`]. Never locked across an await.
#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Contents>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        // Each change is applied in one final step, so a panic leaves the contents consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The contents of a registry when it [lost its data](RegistryServer::lose_data).
#[derive(Debug)]
pub struct RegistryBackup(Store);

/// The running registry. It stops when it is dropped.
#[derive(Debug)]
pub struct RegistryServer {
    http: HttpServer,
    shared: Shared,
}

impl RegistryServer {
    /// Starts on a free loopback port, empty, with the compatibility level BACKWARD.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> io::Result<RegistryServer> {
        let shared = Shared::default();
        let counted = from_fn_with_state(shared.clone(), count_and_fail);
        let router = api::router().layer(counted).with_state(shared.clone());
        Ok(RegistryServer {
            http: HttpServer::start(router).await?,
            shared,
        })
    }

    /// `http://127.0.0.1:<port>`, for `--schema-registry`; the same after [`down`](Self::down) and [`up`](Self::up).
    pub fn url(&self) -> String {
        self.http.url()
    }

    /// Finishes open requests and stops.
    pub async fn stop(mut self) {
        self.http.down().await;
    }

    /// For tests: the next `count` requests are answered with this HTTP status.
    pub fn fail_next(&self, count: u32, status: u16) {
        self.shared.lock().failing = (count > 0).then_some((count, status));
    }

    /// For tests: while `lagging`, lookups of ids and subjects are answered with 40403 and 40401, as by a
    /// replica that has not caught up or a registry that is still loading its data.
    pub fn set_lagging(&self, lagging: bool) {
        self.shared.lock().lagging = lagging;
    }

    /// For tests: adds a version to the subject without a check: a schema of another type than Avro (`PROTOBUF`, `JSON`),
    /// or one that refers to others, by name, subject and version. Returns its id.
    pub fn hold(
        &self,
        subject: &str,
        text: &str,
        kind: Option<&str>,
        references: &[(&str, &str, u32)],
    ) -> u32 {
        let owned = |(name, subject, version): &(&str, &str, u32)| {
            ((*name).to_owned(), (*subject).to_owned(), *version)
        };
        let extras = Extras {
            kind: kind.map(str::to_owned),
            references: references.iter().map(owned).collect(),
        };
        self.shared.lock().store.hold(subject, text, extras)
    }

    /// For tests: discards everything that is registered; ids start again at 1. The data can be
    /// [restored](Self::restore).
    pub fn lose_data(&self) -> RegistryBackup {
        RegistryBackup(std::mem::take(&mut self.shared.lock().store))
    }

    /// For tests: restores exactly what was registered at the time of the backup.
    pub fn restore(&self, backup: RegistryBackup) {
        self.shared.lock().store = backup.0;
    }

    /// For tests: [restores](Self::restore) just before the next request for this path (without its query) is answered.
    pub fn restore_when_asked(&self, path: &str, backup: RegistryBackup) {
        self.shared.lock().restoring = Some((path.to_owned(), backup));
    }

    /// For tests: the number of requests so far, including failed ones.
    pub fn requests(&self) -> u64 {
        self.shared.lock().requests.values().sum()
    }

    /// For tests: the number of requests so far for this path (without its query), for example
    /// `/schemas/ids/1`.
    pub fn requests_of(&self, path: &str) -> u64 {
        self.shared.lock().requests.get(path).copied().unwrap_or_default()
    }

    /// For tests: goes down; what is registered is kept.
    pub async fn down(&mut self) {
        self.http.down().await;
    }

    /// For tests: comes up again on the same port.
    ///
    /// # Errors
    /// When another process has taken the port meanwhile.
    pub async fn up(&mut self) -> io::Result<()> {
        self.http.up().await
    }
}

async fn count_and_fail(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (failing, lacking) = {
        let mut contents = shared.lock();
        let mut path = request.uri().path();
        if contents.requests.len() >= MAX_PATHS && !contents.requests.contains_key(path) {
            path = OTHER_PATHS;
        }
        *contents.requests.entry(path.to_owned()).or_default() += 1;
        let restored = contents
            .restoring
            .take_if(|(path, _)| path == request.uri().path());
        if let Some((_, backup)) = restored {
            contents.store = backup.0;
        }
        let failing = contents.failing;
        contents.failing = failing.and_then(|(left, status)| (left > 1).then(|| (left - 1, status)));
        let lacking = contents.lagging.then(|| lacking(request.uri().path())).flatten();
        (failing, lacking)
    };
    let response = match failing {
        Some((_, status)) => return Problem::Injected(status).into_response(),
        None => match lacking {
            Some(problem) => return problem.into_response(),
            None => next.run(request).await,
        },
    };
    // axum rejects some paths and queries (not UTF-8, `deleted=maybe`) with plain text, which registry
    // clients cannot read.
    let is_text = |media_type: &HeaderValue| media_type.as_bytes().starts_with(b"text/");
    match response.headers().get(CONTENT_TYPE) {
        Some(media_type) if is_text(media_type) => Problem::BadRequest.into_response(),
        _ => response,
    }
}

/// The response of an empty registry to a lookup.
fn lacking(path: &str) -> Option<Problem> {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (Some("schemas"), Some("ids"), Some(id)) => Some(Problem::NoSchemaId(id.to_owned())),
        (Some("subjects"), Some(subject), _) => Some(Problem::NoSubject(subject.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
