//! A write endpoint of the harness: in front of InfluxDB, to observe when each point has been stored; or in
//! its place, storing nothing, so that only the sender's work remains.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;
use stage::lock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::arrivals::Arrivals;
use crate::failure::{Doing, Outcome};

/// What happens to a request.
#[derive(Debug)]
enum Mode {
    /// It is forwarded to this InfluxDB; when the response arrives, the age of each point is recorded.
    Forward(String),
    /// It is discarded with status 204.
    Discard,
    /// Its lines are written to this file.
    Keep(Mutex<std::fs::File>),
    /// It is discarded; the arrival of each point is noted.
    Watch(Mutex<Arrivals>),
}

#[derive(Debug)]
struct Shared {
    mode: Mode,
    http: reqwest::Client,
    ages: Mutex<Vec<i64>>,
}

/// A running endpoint; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Endpoint {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Endpoint {
    /// Listens in front of an InfluxDB.
    pub(crate) async fn forwarding(upstream: &str, http: &reqwest::Client) -> Outcome<Self> {
        Self::start(Mode::Forward(upstream.to_owned()), http).await
    }

    /// Listens in place of one.
    pub(crate) async fn discarding(http: &reqwest::Client) -> Outcome<Self> {
        Self::start(Mode::Discard, http).await
    }

    /// The same, but keeps the lines.
    pub(crate) async fn keeping(file: &Path, http: &reqwest::Client) -> Outcome<Self> {
        let file = std::fs::File::create(file).doing(format!("write {}", file.display()))?;
        Self::start(Mode::Keep(Mutex::new(file)), http).await
    }

    /// The same, but notes when each measurement's points arrive.
    pub(crate) async fn watching(http: &reqwest::Client) -> Outcome<Self> {
        Self::start(Mode::Watch(Mutex::default()), http).await
    }

    async fn start(mode: Mode, http: &reqwest::Client) -> Outcome<Self> {
        let shared = Arc::new(Shared {
            mode,
            http: http.clone(),
            ages: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.doing("listen for writers")?;
        let address = listener.local_addr().doing("listen for writers")?;
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // Serves until it is aborted.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self {
            shared,
            address,
            server,
        })
    }

    /// The address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The ages of all points since the last call, in microseconds, measured when the database responded.
    pub(crate) fn take_ages(&self) -> Vec<i64> {
        std::mem::take(&mut *lock(&self.shared.ages))
    }

    /// The longest wait of each measurement since the last call, shortest first; empty unless it was started by
    /// [`Endpoint::watching`].
    pub(crate) fn take_waits(&self) -> Vec<Duration> {
        match &self.shared.mode {
            Mode::Watch(arrivals) => lock(arrivals).take_waits(Instant::now()),
            _ => Vec::new(),
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match &shared.mode {
        Mode::Discard => StatusCode::NO_CONTENT.into_response(),
        Mode::Watch(arrivals) => {
            lock(arrivals).note(&lines(&parts.headers, &body), Instant::now());
            StatusCode::NO_CONTENT.into_response()
        }
        Mode::Keep(file) => {
            let kept = lock(file).write_all(&lines(&parts.headers, &body));
            match kept {
                Ok(()) => StatusCode::NO_CONTENT.into_response(),
                Err(_) => StatusCode::INSUFFICIENT_STORAGE.into_response(),
            }
        }
        Mode::Forward(upstream) => {
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            let request = shared.http.request(parts.method, format!("{upstream}{path}"));
            let answered = request
                .headers(forwarded(&parts.headers))
                .body(body.clone())
                .send()
                .await;
            let now = stage::unix_micros();
            let Ok(answer) = answered else {
                return StatusCode::BAD_GATEWAY.into_response();
            };
            if answer.status() == StatusCode::NO_CONTENT {
                let lines = lines(&parts.headers, &body);
                lock(&shared.ages).extend(times(&lines).map(|time| now - time));
            }
            let status = answer.status();
            let text = answer.bytes().await.unwrap_or_default();
            (status, Body::from(text)).into_response()
        }
    }
}

fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let names = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
    ];
    let pairs = names
        .into_iter()
        .filter_map(|name| headers.get(&name).map(|value| (name.clone(), value.clone())));
    pairs.collect()
}

fn lines(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    if headers
        .get(header::CONTENT_ENCODING)
        .is_none_or(|value| value != "gzip")
    {
        return body.to_vec();
    }
    let mut text = Vec::new();
    // The database refuses a truncated body; here, the lines in it count.
    let _ = MultiGzDecoder::new(body).read_to_end(&mut text);
    text
}

/// The times at the ends of lines: 16 digits, microseconds of this century. A line that ends within a string
/// has none.
fn times(lines: &[u8]) -> impl Iterator<Item = i64> {
    lines.split(|byte| *byte == b'\n').filter_map(|line| {
        let time = line.rsplit(|byte| *byte == b' ').next()?;
        if time.len() != 16 {
            return None;
        }
        std::str::from_utf8(time).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_at_the_ends_of_lines() {
        let text = b"a s=\"x: 7\ny 7i\" 1700000000000001\nb v=1 1700000000000002\n";
        let found: Vec<i64> = times(text).collect();
        assert_eq!(found, [1_700_000_000_000_001, 1_700_000_000_000_002]);
    }
}
