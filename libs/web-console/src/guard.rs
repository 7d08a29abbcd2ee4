//! What holds for every request: its limits, and the headers of its response that keep a browser from loading, running or
//! framing anything else.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// How long a page may take; event streams are answered at once and then go on.
const PAGE_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest form.
pub(crate) const MAX_FORM_BYTES: usize = 64 << 10;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(header::HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// Answers a request within the limits.
pub(crate) async fn guard(request: Request<Body>, next: Next) -> Response {
    let answer = tokio::time::timeout(PAGE_TIMEOUT, next.run(request)).await;
    let mut response = answer.unwrap_or_else(|_| {
        let text = "This took too long. The cluster or the database may be busy.\n";
        (StatusCode::GATEWAY_TIMEOUT, text).into_response()
    });
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
