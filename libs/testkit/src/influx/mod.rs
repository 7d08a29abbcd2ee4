//! A stand-in for InfluxDB's write endpoints, for tests: `/api/v2/write`, v1 `/write`, `/health` and `/ping`.
//!
//! It keeps points in memory under InfluxDB's own identity (measurement, tags, time), so that a test can
//! check whether everything arrived exactly once, and it fails on demand in the ways that writers must
//! survive: injected responses, delays, lines that are always refused, 413, 401, 404, field type conflicts, a
//! bucket's retention, and downtime. Status, body and partial-write rules are those observed on InfluxDB
//! 2.7.12 (v2 path) and 1.8.10 (v1 path).

mod line;
mod points;
mod write;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use devstack::HttpServer;

pub use line::{LineError, ParsedLine, lines as read_lines};
pub use points::{Counts, FieldValue, Point, PointKey, PointMap};

/// In bytes after decompression: the default `max-body-size` of InfluxDB 1. InfluxDB 2 has no limit unless
/// one is configured.
const DEFAULT_BODY_LIMIT: usize = 25_000_000;

/// A response that replaces the real one.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status, for example 503.
    pub status: u16,
    /// Headers, for example `("Retry-After", "2")`.
    pub headers: Vec<(String, String)>,
    /// The body, sent verbatim.
    pub body: String,
}

impl Answer {
    /// A response with this status, no headers and no body.
    pub fn status(status: u16) -> Answer {
        Answer {
            status,
            ..Answer::default()
        }
    }

    /// The same response with one more header.
    pub fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same response with this body.
    pub fn body(mut self, body: &str) -> Answer {
        body.clone_into(&mut self.body);
        self
    }
}

/// How the stand-in misbehaves; see the methods of [`InfluxServer`].
#[derive(Debug)]
struct Faults {
    next: VecDeque<Answer>,
    always: Option<Answer>,
    delay: Duration,
    delay_lines_with: Option<(Vec<u8>, Duration)>,
    reject_lines_with: Option<Vec<u8>>,
    body_limit: usize,
    token: Option<String>,
    buckets: Option<Vec<String>>,
    retained_from_ns: Option<i64>,
}

#[derive(Debug)]
struct State {
    store: points::Store,
    faults: Faults,
}

/// Shared by the handlers and the test's [`InfluxServer`]. Never locked across an await.
#[derive(Debug, Clone)]
struct Shared(Arc<Mutex<State>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in another test thread leaves only complete points behind, so it is safe to continue.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running stand-in. It stops when it is dropped.
#[derive(Debug)]
pub struct InfluxServer {
    http: HttpServer,
    shared: Shared,
}

impl InfluxServer {
    /// Starts on a free loopback port, without points or faults.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> io::Result<InfluxServer> {
        let faults = Faults {
            next: VecDeque::new(),
            always: None,
            delay: Duration::ZERO,
            delay_lines_with: None,
            reject_lines_with: None,
            body_limit: DEFAULT_BODY_LIMIT,
            token: None,
            buckets: None,
            retained_from_ns: None,
        };
        let shared = Shared(Arc::new(Mutex::new(State {
            store: points::Store::default(),
            faults,
        })));
        let router = Router::new()
            .route("/api/v2/write", post(write::v2))
            .route("/write", post(write::v1))
            .route("/health", get(health))
            .route("/ping", get(ping))
            .with_state(shared.clone());
        Ok(InfluxServer {
            http: HttpServer::start(router).await?,
            shared,
        })
    }

    /// `http://127.0.0.1:<port>`; the same after [`down`](Self::down) and [`up`](Self::up).
    pub fn url(&self) -> String {
        self.http.url()
    }

    /// All points stored so far.
    pub fn points(&self) -> PointMap {
        self.shared.lock().store.points.clone()
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.shared.lock().store.counts
    }

    /// Queues a response: each of the next write requests gets one instead of being stored.
    pub fn answer_next(&self, answer: Answer) {
        self.shared.lock().faults.next.push_back(answer);
    }

    /// Gives this response to every write request without a queued one, until it is set to `None`.
    pub fn answer_always(&self, answer: Option<Answer>) {
        self.shared.lock().faults.always = answer;
    }

    /// Waits this long before each response.
    pub fn delay(&self, delay: Duration) {
        self.shared.lock().faults.delay = delay;
    }

    /// Delays storing a request that contains `text`, so that others overtake it.
    pub fn delay_lines_with(&self, text: &str, delay: Duration) {
        self.shared.lock().faults.delay_lines_with = Some((text.as_bytes().to_vec(), delay));
    }

    /// Refuses, with 400, every line that contains `text`, as if it were malformed. As on real servers, the
    /// v2 path then refuses the whole request, while the v1 path stores the other lines.
    pub fn reject_lines_with(&self, text: &str) {
        self.shared.lock().faults.reject_lines_with = Some(text.as_bytes().to_vec());
    }

    /// Responds with 413 to a body that is longer than this after decompression.
    pub fn body_limit(&self, bytes: usize) {
        self.shared.lock().faults.body_limit = bytes;
    }

    /// Responds with 401 to a request without `Authorization: Token <token>`.
    pub fn require_token(&self, token: &str) {
        self.shared.lock().faults.token = Some(token.to_owned());
    }

    /// Responds with 404 to a request for another bucket (v2) or database (v1). `&[]` is an InfluxDB whose
    /// bucket does not exist yet.
    pub fn require_bucket(&self, buckets: &[&str]) {
        self.shared.lock().faults.buckets = Some(buckets.iter().map(ToString::to_string).collect());
    }

    /// Drops points whose time (microseconds since 1970) is earlier than this and stores the others, like a
    /// bucket's retention.
    pub fn retain_from(&self, micros: i64) {
        self.shared.lock().faults.retained_from_ns = Some(micros.saturating_mul(1_000));
    }

    /// Goes down: connections are closed after the request in flight and refused from then on. The points are
    /// kept.
    pub async fn down(&mut self) {
        self.http.down().await;
    }

    /// Comes up again on the same port.
    ///
    /// # Errors
    /// When another process has taken the port meanwhile.
    pub async fn up(&mut self) -> io::Result<()> {
        self.http.up().await
    }
}

async fn health() -> impl IntoResponse {
    axum::Json(serde_json::json!({
        "name": "influxdb", "message": "ready for queries and writes", "status": "pass", "checks": [],
        "version": "v2.7.12",
    }))
}

async fn ping() -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    headers.insert(
        "X-Influxdb-Version",
        axum::http::HeaderValue::from_static("v2.7.12"),
    );
    (StatusCode::NO_CONTENT, headers)
}

#[cfg(test)]
mod tests;
