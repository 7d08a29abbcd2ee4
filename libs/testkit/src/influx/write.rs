//! The two write endpoints: apply the faults, then store the body's lines.

use std::io::Read as _;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, DEFAULT_BODY_LIMIT, Faults, Shared, line};

/// The limit on a request before it is inspected: larger than [`DEFAULT_BODY_LIMIT`], which applies to real
/// requests.
const RAW_LIMIT: usize = DEFAULT_BODY_LIMIT + 1_000_000;

/// The query parameters of both endpoints.
#[derive(Debug, Deserialize)]
pub(super) struct Target {
    org: Option<String>,
    #[serde(rename = "orgID")]
    org_id: Option<String>,
    bucket: Option<String>,
    db: Option<String>,
    precision: Option<String>,
}

/// The differences between the two versions of the API.
#[derive(Clone, Copy, PartialEq)]
enum Version {
    V1,
    V2,
}

/// `POST /api/v2/write?org=…&bucket=…&precision=ns|us|ms|s`
pub(super) async fn v2(state: State<Shared>, target: Query<Target>, request: Request) -> Response {
    let target = target.0;
    let bucket = if target.org.is_none() && target.org_id.is_none() {
        Err(Refusal::invalid("Please provide either orgID or org"))
    } else {
        target.bucket.ok_or(Refusal::invalid("bucket not found"))
    };
    let unit = match target.precision.as_deref() {
        None | Some("ns") => Ok(1),
        Some("us") => Ok(1_000),
        Some("ms") => Ok(1_000_000),
        Some("s") => Ok(1_000_000_000),
        Some(_) => Err(Refusal::invalid(
            "invalid precision; valid precision units are ns, us, ms, and s",
        )),
    };
    answer(Version::V2, state.0, bucket, unit, request).await
}

/// `POST /write?db=…&precision=n|u|ms|s|m|h`
pub(super) async fn v1(state: State<Shared>, target: Query<Target>, request: Request) -> Response {
    let database = target.0.db.ok_or(Refusal::invalid("database is required"));
    let unit = match target.0.precision.as_deref() {
        None | Some("" | "n" | "ns") => Ok(1),
        Some("u" | "us" | "µ") => Ok(1_000),
        Some("ms") => Ok(1_000_000),
        Some("s") => Ok(1_000_000_000),
        Some("m") => Ok(60_000_000_000),
        Some("h") => Ok(3_600_000_000_000),
        Some(other) => Err(Refusal::invalid(format!(
            "invalid precision \"{other}\" (use n, u, ms, s, m or h)"
        ))),
    };
    answer(Version::V1, state.0, database, unit, request).await
}

/// Why a request was not stored completely.
struct Refusal {
    status: StatusCode,
    /// InfluxDB 2's code for the status.
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            code,
            message: message.into(),
        }
    }

    fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    fn into_response(self, version: Version) -> Response {
        match version {
            Version::V2 => (
                self.status,
                Json(json!({"code": self.code, "message": self.message})),
            )
                .into_response(),
            Version::V1 => (self.status, Json(json!({"error": self.message}))).into_response(),
        }
    }
}

async fn answer(
    version: Version,
    shared: Shared,
    bucket: Result<String, Refusal>,
    unit_ns: Result<i64, Refusal>,
    request: Request,
) -> Response {
    let (injected, mut delay) = {
        let mut state = shared.lock();
        state.store.counts.requests += 1;
        let injected = state
            .faults
            .next
            .pop_front()
            .or_else(|| state.faults.always.clone());
        (injected, state.faults.delay)
    };
    let (head, body) = request.into_parts();
    // Read the body even for an injected response: closing early would look like a broken connection to the
    // client.
    let body = read(body, &head.headers, &shared).await;
    if let (Ok(body), Some((text, longer))) = (&body, &shared.lock().faults.delay_lines_with)
        && contains(body, text)
    {
        delay += *longer;
    }
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let stored = match injected {
        Some(answer) => return answer.into_response(),
        None => bucket.and_then(|bucket| {
            allow(&shared.lock().faults, &head.headers, version, &bucket)?;
            store(&shared, version, &body?, unit_ns?)
        }),
    };
    match stored {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(version),
    }
}

/// Checks token and bucket, in InfluxDB's order.
fn allow(faults: &Faults, headers: &HeaderMap, version: Version, bucket: &str) -> Result<(), Refusal> {
    if let Some(token) = &faults.token {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        if given != Some(format!("Token {token}").as_str()) {
            return Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "unauthorized access",
            ));
        }
    }
    if faults
        .buckets
        .as_ref()
        .is_some_and(|buckets| !buckets.iter().any(|known| known == bucket))
    {
        let message = match version {
            Version::V2 => format!("bucket \"{bucket}\" not found"),
            Version::V1 => format!("database not found: \"{bucket}\""),
        };
        return Err(Refusal::new(StatusCode::NOT_FOUND, "not found", message));
    }
    Ok(())
}

/// The decompressed body, or 413 if it exceeds the limit.
async fn read(body: Body, headers: &HeaderMap, shared: &Shared) -> Result<Vec<u8>, Refusal> {
    let limit = shared.lock().faults.body_limit;
    let too_large = || {
        let message = "unable to read data: points batch is too large";
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "request too large", message)
    };
    let raw = to_bytes(body, RAW_LIMIT).await.map_err(|_| too_large())?;
    let plain = if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| value == "gzip")
    {
        let mut plain = Vec::new();
        let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        MultiGzDecoder::new(raw.as_ref())
            .take(bound)
            .read_to_end(&mut plain)
            .map_err(|error| Refusal::invalid(format!("unable to decompress the body: {error}")))?;
        plain
    } else {
        raw.to_vec()
    };
    if plain.len() > limit {
        Err(too_large())
    } else {
        Ok(plain)
    }
}

/// Parses and stores the lines. A malformed line refuses the whole request on v2 and only itself on v1; a
/// type conflict refuses only its own line on both, and the response reports it.
fn store(shared: &Shared, version: Version, body: &[u8], unit_ns: i64) -> Result<(), Refusal> {
    let mut state = shared.lock();
    let rule = state.faults.reject_lines_with.clone();
    let mut good = Vec::new();
    let mut malformed = Vec::new();
    for (text, point) in line::lines(body, unit_ns) {
        let shown = String::from_utf8_lossy(text);
        match point {
            _ if rule.as_ref().is_some_and(|rule| contains(text, rule)) => {
                malformed.push(format!("unable to parse '{shown}': refused by the test's rule"));
            }
            Ok(point) => good.push(point),
            Err(error) => malformed.push(format!("unable to parse '{shown}': {error}")),
        }
    }
    state.store.counts.rejected += malformed.len() as u64;
    if version == Version::V2 && !malformed.is_empty() {
        return Err(Refusal::invalid(malformed.join("\n")));
    }
    let oldest = state.faults.retained_from_ns.unwrap_or(i64::MIN);
    let all = good.len();
    good.retain(|point| point.key.time_ns >= oldest);
    let expired = all - good.len();
    state.store.counts.rejected += expired as u64;
    let mut conflicts = Vec::new();
    for point in good {
        match state.store.conflict(&point) {
            Some(conflict) => conflicts.push(conflict),
            None => state.store.write(point),
        }
    }
    state.store.counts.rejected += conflicts.len() as u64;
    let dropped = conflicts.len();
    match (version, conflicts.first(), malformed.is_empty()) {
        // A type conflict takes precedence over expired points, and these over a malformed line.
        (_, None, _) if expired > 0 => Err(beyond_retention(version, expired)),
        (_, None, true) => Ok(()),
        (Version::V2, Some(conflict), _) => Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unprocessable entity",
            format!("failure writing points to database: partial write: {conflict} dropped={dropped}"),
        )),
        (_, Some(conflict), _) => Err(Refusal::invalid(format!(
            "partial write: {conflict} dropped={dropped}"
        ))),
        (_, None, false) => Err(Refusal::invalid(format!(
            "partial write: {} dropped=0",
            malformed.join("\n")
        ))),
    }
}

/// The messages of 2.7.12 and 1.8.10, except for the times.
fn beyond_retention(version: Version, dropped: usize) -> Refusal {
    match version {
        Version::V2 => {
            let bound = "dropped because it violates a Retention Policy Lower Bound at 2026-11-29T09:13:42.421586681Z";
            Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "unprocessable entity",
                format!(
                    "failure writing points to database: partial write: dropped {dropped} points outside retention policy of \
                     duration 1h0m0s - oldest point m at 2026-11-29T07:43:42Z {bound}, newest point m at \
                     2026-11-29T08:13:42Z {bound} dropped={dropped} for database: d218a093e8f26e49 for retention policy: \
                     autogen"
                ),
            )
        }
        Version::V1 => Refusal::invalid(format!(
            "partial write: points beyond retention policy dropped={dropped}"
        )),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len().max(1)).any(|window| window == part)
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.body).into_response();
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
