//! The monitoring port of a process: `/metrics` for Prometheus, `/ready` and `/live` for Kubernetes' probes.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use http_server::Limits;
use prometheus::{Encoder, TextEncoder};

use super::Service;
use crate::config::ServiceArgs;
use crate::sanitize::Printable;

/// The port cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}; is another process there? (--prometheus-port 0 takes a free one)")]
pub struct ServerError {
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// Binds the port and serves until the process ends. Returns the address.
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
    tokio::spawn(http_server::serve(
        listener,
        app,
        Limits::WATCHED,
        std::future::pending(),
    ));
    Ok(bound)
}

async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    let mut text = Vec::new();
    let mut families = service.metrics.gather();
    // Topics are labels, and their names come from the broker. The encoder escapes only what would end the label.
    let metrics = families.iter_mut().flat_map(|family| family.mut_metric());
    for label in metrics.flat_map(|metric| metric.mut_label()) {
        let value = Printable(label.value()).to_string();
        label.set_value(value);
    }
    match TextEncoder::new().encode(&families, &mut text) {
        Ok(()) => {
            let media_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            (StatusCode::OK, media_type, text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// 200 when every dependency is available and the process is not ending; otherwise 503 and one line for each that is
/// missing. Remarks follow in either case.
async fn ready(State(service): State<Service>) -> impl IntoResponse {
    let mut missing = service.readiness.missing();
    if service.shutdown.is_set() {
        missing.push(("process", "is stopping".to_owned()));
    }
    let remarks: String = service
        .readiness
        .remarks()
        .iter()
        .map(|(dependency, text, age)| {
            format!("{dependency}: {} ({} s ago)\n", Printable(text), age.as_secs())
        })
        .collect();
    if missing.is_empty() {
        return (StatusCode::OK, format!("ready\n{remarks}"));
    }
    let lines: String = missing
        .iter()
        .map(|(dependency, why)| format!("waiting for {dependency}: {}\n", Printable(why)))
        .collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines + &remarks)
}

/// 200 unless the process is ending because of an error.
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
        let kafka = service.readiness.dependency("kafka");
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
        let is_ready = |up: u8| format!("kafka_efd_ready{{dependency=\"kafka\"}} {up}\n");
        assert!(fetch("metrics").await.1.contains(&is_ready(0)));
        assert_eq!(
            fetch("ready").await,
            (503, "waiting for kafka: not yet seen\n".to_owned())
        );
        kafka.up();
        assert_eq!(fetch("ready").await, (200, "ready\n".to_owned()));
        assert!(fetch("metrics").await.1.contains(&is_ready(1)));
        kafka.remark(
            "t",
            "3 messages of t are gone".to_owned(),
            std::time::Duration::from_secs(60),
        );
        let (status, body) = fetch("ready").await;
        assert_eq!(status, 200);
        assert!(
            body.starts_with("ready\nkafka: 3 messages of t are gone ("),
            "{body}"
        );
        service.shutdown.fail();
        assert_eq!(fetch("live").await.0, 503);
    }

    #[tokio::test]
    async fn a_process_shows_what_it_is() {
        let service = Service::embedded(&ServiceArgs::default());
        let address = serve(&ServiceArgs::default(), &service).await.unwrap();
        let text = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
        let text = text.text().await.unwrap();
        let info = text
            .lines()
            .find(|line| line.starts_with("kafka_efd_build_info{"))
            .unwrap();
        let version = format!(r#"version="{}""#, env!("CARGO_PKG_VERSION"));
        assert!(info.contains(&version) && info.ends_with(" 1"), "{info}");
        let (_, revision) = info.split_once(r#"revision=""#).unwrap();
        assert!(!revision.starts_with('"'), "{info}");
        if cfg!(target_os = "linux") {
            assert!(
                text.contains("# TYPE process_cpu_seconds_total counter\n"),
                "{text}"
            );
            for name in [
                "cpu_seconds_total",
                "max_fds",
                "open_fds",
                "resident_memory_bytes",
                "start_time_seconds",
                "threads",
                "virtual_memory_bytes",
            ] {
                let line = format!("\nprocess_{name} ");
                assert!(text.contains(&line), "{name}: {text}");
            }
        }
    }

    const HOSTILE: &str = "a\"b\n\u{1b}[31m\u{9b}2J\u{202e}";
    const SHOWN: &str = r"\u{1b}[31m\u{9b}2J\u{202e}";

    #[tokio::test]
    async fn what_others_wrote_is_shown_escaped() {
        let args = ServiceArgs::default();
        let service = Service::embedded(&args);
        service.readiness.dependency("registry").down(HOSTILE);
        let labels = prometheus::IntGaugeVec::new(prometheus::Opts::new("lag", "lag"), &["topic"]).unwrap();
        service.metrics.register(Box::new(labels.clone())).unwrap();
        labels.with_label_values(&[HOSTILE]).set(7);
        let address = serve(&args, &service).await.unwrap();
        let ready = reqwest::get(format!("http://{address}/ready"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        assert_eq!(ready, format!("waiting for registry: a\"b\\n{SHOWN}\n"));
        let metrics = reqwest::get(format!("http://{address}/metrics"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        // In a label Prometheus reads `\\` as one backslash.
        let label = format!(r#"lag{{topic="a\"b\\n{}"}} 7"#, SHOWN.replace('\\', r"\\"));
        assert!(metrics.contains(&label), "{metrics}\n{label}");
    }

    #[tokio::test]
    async fn it_listens_where_it_is_asked_to_and_nowhere_else() {
        let service = Service::embedded(&ServiceArgs::default());
        let address = serve(&ServiceArgs::default(), &service).await.unwrap();
        assert!(address.ip().is_loopback());
        let there = ServiceArgs {
            prometheus_host: [127, 0, 0, 2].into(),
            ..ServiceArgs::default()
        };
        let address = serve(&there, &service).await.unwrap();
        assert_eq!(address.ip(), there.prometheus_host);
        let elsewhere = SocketAddr::from(([127, 0, 0, 1], address.port()));
        assert!(
            tokio::net::TcpStream::connect(elsewhere).await.is_err(),
            "not on {elsewhere}"
        );
        let everywhere = ServiceArgs {
            prometheus_host: [0, 0, 0, 0].into(),
            ..ServiceArgs::default()
        };
        let port = serve(&everywhere, &service).await.unwrap().port();
        assert!(tokio::net::TcpStream::connect(("127.0.0.3", port)).await.is_ok());
    }

    #[tokio::test]
    async fn a_scrape_is_answered_whatever_else_is_open() {
        use tokio::io::AsyncWriteExt;
        let service = Service::embedded(&ServiceArgs::default());
        let address = serve(&ServiceArgs::default(), &service).await.unwrap();
        let starts: [&[u8]; 4] = [
            b"",
            b"GET /metrics HTTP/1.1\r\nx: ",
            b"POST /metrics HTTP/1.1\r\ncontent-length: 99999999\r\n\r\nx",
            b"\0",
        ];
        let mut held = std::collections::VecDeque::new();
        for start in starts.iter().cycle().take(1_000) {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            // The server may have closed it already.
            let _ = stream.write_all(start).await;
            held.push_back(stream);
            if held.len() > 500 {
                held.pop_front();
            }
        }
        for path in ["metrics", "ready", "live"] {
            let answer = reqwest::Client::new().get(format!("http://{address}/{path}"));
            let answer = answer
                .timeout(std::time::Duration::from_secs(1))
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 200, "{path}");
        }
    }
}
