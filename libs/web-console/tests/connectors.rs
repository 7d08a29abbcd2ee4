//! The page of the connectors over a stand-in for a worker of Kafka Connect: states, tasks and why one failed are there;
//! nothing from the worker is markup, and no secret is shown.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod served;

use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use devstack::{Broker, RegistryServer};
use operator::connectors::ConnectSettings;
use reqwest::Client;
use serde_json::{Value, json};
use stage::config::Secret;
use tokio::net::TcpListener;

use served::{Served, settings};

const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{1b}[2J\u{202e}gnp";
/// `efd:s3cr3t` as a worker behind basic authentication wants it.
const LOGIN: &str = "Basic ZWZkOnMzY3IzdA==";

struct Page {
    served: Served,
    _broker: Broker,
    _registry: RegistryServer,
}

/// What a worker answers to `GET /connectors?expand=status`.
fn connectors() -> Value {
    let part = |state: &str| json!({"state": state, "worker_id": "worker-1:8083"});
    let task = |id: u32, state: &str| json!({"id": id, "state": state, "worker_id": "worker-2:8083"});
    let mut failed = task(1, "FAILED");
    failed["trace"] = format!(
        "org.apache.kafka.connect.errors.ConnectException: no answer of http://efd:s3cr3t@influxdb:8086\n\tat {HOSTILE}"
    )
    .into();
    let status = |name: &str, kind: &str, connector: Value, tasks: Vec<Value>| json!({"status": {"name": name, "type": kind, "connector": connector, "tasks": tasks}});
    json!({
        "influxdb-sink": status("influxdb-sink", "sink", part("RUNNING"), vec![task(0, "RUNNING"), failed]),
        "mirror": status("mirror", "source", part("PAUSED"), vec![]),
        HOSTILE: status(HOSTILE, HOSTILE, part(HOSTILE), vec![]),
    })
}

/// The address of a worker that knows whoever logs in.
async fn worker() -> String {
    let answer = |headers: HeaderMap| async move {
        match headers.get(header::AUTHORIZATION) {
            Some(login) if login == LOGIN => (StatusCode::OK, Json(connectors())),
            _ => (StatusCode::UNAUTHORIZED, Json(json!({"message": "who is it?"}))),
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/connectors", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

impl Page {
    async fn start(connect: Option<ConnectSettings>) -> Self {
        let (broker, registry) = (Broker::start().unwrap(), RegistryServer::start().await.unwrap());
        let mut settings = settings(broker.bootstrap_servers(), &registry);
        settings.connect = connect;
        Self {
            served: Served::start(settings, Client::new()).await,
            _broker: broker,
            _registry: registry,
        }
    }

    async fn of(url: &str, password: &str) -> Self {
        let login = Some(("efd".to_owned(), Some(Secret::new(password))));
        let url = url.into();
        Self::start(Some(ConnectSettings {
            url,
            login,
            ca_file: None,
        }))
        .await
    }

    async fn connectors(&self) -> (StatusCode, String) {
        let answer = self.served.get("connectors").await;
        (answer.status(), answer.text().await.unwrap())
    }
}

/// The cells of each row of a section's table.
fn rows(section: &str) -> Vec<String> {
    let tag = regex::Regex::new("<[^>]*>").unwrap();
    let rows = section.split("<tr>").skip(2);
    rows.map(|row| {
        tag.replace_all(row, " ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_have_their_state_their_tasks_and_why_one_failed() {
    let page = Page::of(&worker().await, "s3cr3t").await;
    let (status, text) = page.connectors().await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let sections: Vec<&str> = text.split("<section").skip(1).collect();
    let of = |name: &str| {
        let found = sections
            .iter()
            .find(|section| section.contains(&format!("<h2>{name}")));
        *found.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    let sink = rows(of("influxdb-sink"));
    assert_eq!(
        sink[..3],
        [
            "connector running worker-1:8083",
            "task 0 running worker-2:8083",
            "task 1 failed worker-2:8083"
        ]
    );
    assert!(
        sink[3].starts_with("Why it failed org.apache.kafka.connect.errors.ConnectException: no answer of"),
        "{sink:?}"
    );
    assert_eq!(of("influxdb-sink").matches("dot good").count(), 2);
    assert_eq!(of("influxdb-sink").matches("dot bad").count(), 1);
    assert_eq!(rows(of("mirror")), ["connector paused worker-1:8083"]);
    assert!(of("mirror").contains("source") && of("mirror").contains("dot warning"));

    assert!(!text.contains("<script>"), "{text}");
    assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text}");
    assert_eq!(
        text.matches("&lt;script&gt;").count(),
        4,
        "a name, a kind, a state and a line of a trace: {text}"
    );
    assert!(
        text.contains("http://(hidden)@influxdb:8086") && !text.contains("s3cr3t"),
        "{text}"
    );
    let overview = page.served.text("").await;
    assert!(overview.contains("href=\"connectors\""), "{overview}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_answer_is_named_without_its_secrets() {
    let refusing = Page::of(&worker().await, "gu3ss").await;
    let (status, text) = refusing.connectors().await;
    assert_eq!(status, StatusCode::CONFLICT, "{text}");
    assert!(text.contains("who is it?") && !text.contains("gu3ss"), "{text}");

    let page = Page::of("http://efd:s3cr3t@127.0.0.1:1", "s3cr3t").await;
    let (status, text) = page.connectors().await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{text}");
    assert!(
        text.contains("kafka connect at http://(hidden)@127.0.0.1:1 cannot be reached"),
        "{text}"
    );
    assert!(text.contains("refused") && !text.contains("s3cr3t"), "{text}");
    assert!(
        text.contains("check that it can be reached from here") && !text.contains("name it with"),
        "its address was given: {text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_there_is_no_such_page() {
    let page = Page::start(None).await;
    assert_eq!(page.connectors().await.0, StatusCode::NOT_FOUND);
    let overview = page.served.text("").await;
    assert!(!overview.contains("connectors"), "{overview}");
}
