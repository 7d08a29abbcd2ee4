//! Failures of InfluxDB: an HTTP proxy that answers write requests in its place, as real servers do.

use std::collections::HashMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;

use stage::lock;

use crate::failure::Outcome;
use crate::in_front;
use crate::lines;

/// What happens to write requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// They reach the database.
    Well,
    /// They get this answer and do not reach the database.
    Refuses {
        /// The status.
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
        /// The message in the answer's JSON.
        message: &'static str,
    },
    /// Requests with more lines than this get 413.
    MostLines(usize),
    /// They get a proxy's page with status 200 and do not reach the database.
    Page,
    /// They reach the database, but its answer is cut off.
    LosesAnswers,
}

/// How the database reacts to a bad point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// 422, and nothing in the request is stored.
    Whole,
    /// 400, and the good points are stored.
    Partial,
}

#[derive(Debug, Clone)]
pub(crate) struct Answers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    mood: Mutex<Mood>,
    /// Points that the database always refuses, by measurement and sequence number.
    bad: Mutex<HashMap<(String, i64), Judgement>>,
    answered: AtomicU64,
    upstream: String,
    http: reqwest::Client,
}

impl Answers {
    /// Listens on a free port in front of the database; returns the address.
    pub(crate) async fn start(upstream: &str) -> Outcome<(Self, SocketAddr)> {
        let answers = Self(Arc::new(Shared {
            mood: Mutex::new(Mood::Well),
            bad: Mutex::default(),
            answered: AtomicU64::new(0),
            upstream: upstream.to_owned(),
            http: in_front::http_client()?,
        }));
        let app = Router::new().fallback(answer).with_state(answers.clone());
        let address = in_front::serve(app, "the database's clients").await?;
        Ok((answers, address))
    }

    /// Applies from the next request on.
    pub(crate) fn set(&self, mood: Mood) {
        *lock(&self.0.mood) = mood;
    }

    /// Makes a point bad permanently, because a real database would refuse it again at every retry.
    pub(crate) fn refuse(&self, measurement: &str, sequence: i64, judgement: Judgement) {
        lock(&self.0.bad).insert((measurement.to_owned(), sequence), judgement);
    }

    /// The number of requests that were not answered by the database.
    pub(crate) fn answered(&self) -> u64 {
        self.0.answered.load(Ordering::Relaxed)
    }

    /// The error of a batch and the part of it that is good.
    fn judge(&self, body: &[u8]) -> Option<(Judgement, usize, Vec<u8>)> {
        let bad = lock(&self.0.bad);
        let (mut good, mut dropped, mut found) = (Vec::new(), 0, None);
        for line in lines::split(body) {
            match lines::name(line).and_then(|name| bad.get(&name)) {
                Some(judgement) => {
                    dropped += 1;
                    found = Some(*judgement);
                }
                None => good.extend_from_slice(line),
            }
        }
        found.map(|judgement| (judgement, dropped, good))
    }

    fn refused(&self, status: u16, retry_after: Option<u32>, message: &str) -> Response {
        self.0.answered.fetch_add(1, Ordering::Relaxed);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::json!({"code": "injected", "message": message}).to_string();
        let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }

    async fn forward(&self, request: reqwest::RequestBuilder) -> Response {
        match request.send().await {
            Ok(answer) => {
                let mut response = Response::builder().status(answer.status());
                for name in [header::CONTENT_TYPE, header::RETRY_AFTER] {
                    if let Some(value) = answer.headers().get(&name) {
                        response = response.header(name, value);
                    }
                }
                match answer.bytes().await {
                    Ok(body) => response.body(Body::from(body)).unwrap_or_else(|_| broken()),
                    Err(_) => broken(),
                }
            }
            Err(_) => broken(),
        }
    }
}

/// A truncated answer, as when the database dies while answering.
fn broken() -> Response {
    let nothing =
        futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("broken on purpose")) });
    Response::new(Body::from_stream(nothing))
}

async fn answer(State(answers): State<Answers>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return broken();
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let is_gzip = parts
        .headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| value == "gzip");
    let mood = *lock(&answers.0.mood);
    let text = if is_gzip { inflate(&body) } else { body.to_vec() };
    let is_write = path.starts_with("/api/v2/write") && !text.is_empty();
    let post = |body: Bytes, is_gzip: bool| {
        let url = format!("{}{path}", answers.0.upstream);
        let mut request = answers.0.http.request(parts.method.clone(), url).body(body);
        for name in [header::AUTHORIZATION, header::CONTENT_TYPE] {
            if let Some(value) = parts.headers.get(&name) {
                request = request.header(name, value);
            }
        }
        if is_gzip {
            request.header(header::CONTENT_ENCODING, "gzip")
        } else {
            request
        }
    };
    match mood {
        Mood::Refuses {
            status,
            retry_after,
            message,
        } if is_write => {
            return answers.refused(status, retry_after, message);
        }
        Mood::MostLines(most) if is_write && lines::split(&text).count() > most => {
            return answers.refused(413, None, "unable to parse points: points batch is too large");
        }
        Mood::Page if is_write => {
            answers.0.answered.fetch_add(1, Ordering::Relaxed);
            let page = "<!DOCTYPE html><html><body>This site is being maintained.</body></html>";
            return ([(header::CONTENT_TYPE, "text/html")], page).into_response();
        }
        Mood::LosesAnswers if is_write => {
            // Points that the database itself would refuse are refused here, too.
            match answers.judge(&text) {
                Some((Judgement::Whole, ..)) => {}
                Some((Judgement::Partial, _, good)) => drop(answers.forward(post(good.into(), false)).await),
                None => drop(answers.forward(post(body, is_gzip)).await),
            }
            answers.0.answered.fetch_add(1, Ordering::Relaxed);
            return broken();
        }
        _ => {}
    }
    if let Some((judgement, dropped, good)) = is_write.then(|| answers.judge(&text)).flatten() {
        let message = format!("partial write: points beyond retention policy dropped={dropped}");
        return match judgement {
            Judgement::Whole => answers.refused(422, None, &message),
            Judgement::Partial => {
                let stored = answers.forward(post(good.into(), false)).await;
                if stored.status().is_success() {
                    answers.refused(400, None, &message)
                } else {
                    stored
                }
            }
        };
    }
    answers.forward(post(body, is_gzip)).await
}

fn inflate(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    // A truncated body is judged by what it contains; the database then does the same.
    let _ = MultiGzDecoder::new(body).read_to_end(&mut text);
    text
}
