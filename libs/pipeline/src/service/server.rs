//! The port that a process is watched by: `/metrics` for Prometheus, `/ready` and `/live` for Kubernetes' probes.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Encoder, TextEncoder};

use super::Service;
use crate::config::ServiceArgs;

/// The port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}; is another process there? (--prometheus-port 0 takes a free one)")]
pub struct ServerError {
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// Binds and serves until the process ends; answers where.
pub(super) async fn serve(args: &ServiceArgs, service: &Service) -> Result<SocketAddr, ServerError> {
    let address = SocketAddr::new(args.prometheus_host, args.prometheus_port);
    let failed = |source| ServerError { address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let app = Router::new()
        .route("/metrics", get(metrics))
        .route("/ready", get(ready))
        .route("/live", get(live))
        .with_state(service.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(bound)
}

async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    let mut text = Vec::new();
    match TextEncoder::new().encode(&service.metrics.gather(), &mut text) {
        Ok(()) => {
            let media_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            (StatusCode::OK, media_type, text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// 200 when every part is there and the process is not ending; else 503 and one line a missing part.
async fn ready(State(service): State<Service>) -> impl IntoResponse {
    let mut missing = service.readiness.missing();
    if service.shutdown.is_set() {
        missing.push(("process", "is stopping".to_owned()));
    }
    if missing.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let lines = missing
        .iter()
        .map(|(part, why)| format!("waiting for {part}: {why}\n"))
        .collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines)
}

/// 200 as long as the process is not ending because of an error.
async fn live(State(service): State<Service>) -> impl IntoResponse {
    if service.shutdown.has_failed() {
        (StatusCode::SERVICE_UNAVAILABLE, "failed\n")
    } else {
        (StatusCode::OK, "live\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn serves_metrics_and_says_what_is_missing() {
        let args = ServiceArgs::default();
        let service = Service::embedded(&args);
        let kafka = service.readiness.part("kafka");
        let counter = prometheus::IntCounter::new("lines_total", "lines").unwrap();
        service.metrics.register(Box::new(counter.clone())).unwrap();
        counter.inc_by(3);
        let address = serve(&args, &service).await.unwrap();
        let fetch = |path: &str| {
            let url = format!("http://{address}/{path}");
            async move {
                let answer = reqwest::get(url).await.unwrap();
                (answer.status().as_u16(), answer.text().await.unwrap())
            }
        };
        assert!(fetch("metrics").await.1.contains("lines_total 3"));
        assert_eq!(
            fetch("ready").await,
            (503, "waiting for kafka: not yet seen\n".to_owned())
        );
        kafka.up();
        assert_eq!(fetch("ready").await, (200, "ready\n".to_owned()));
        service.shutdown.fail();
        assert_eq!(fetch("live").await.0, 503);
    }
}
