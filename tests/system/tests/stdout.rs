//! Output that cannot be written is an error of every subcommand; a reader that has closed the pipe is not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

#[allow(dead_code, reason = "another test uses the part for real services")]
mod answers;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use answers::{EMBEDDED, REAL, SLOW, is_quiet, is_reported};
use axum::Json;
use axum::http::Uri;
use clap::CommandFactory;
use devstack::{Broker, RegistryServer};
use serde_json::{Value, json};

const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}"#;
const RECORDS: &str = "records";

struct Stack {
    broker: Broker,
    registry: RegistryServer,
    connect: String,
    schema: tempfile::NamedTempFile,
    connector: tempfile::NamedTempFile,
    apps: tempfile::TempDir,
    names: AtomicU32,
}

impl Stack {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connect = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
        let schema = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(schema.path(), SCHEMA).unwrap();
        let connector = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            connector.path(),
            r#"{"name":"c","config":{"connector.class":"x"}}"#,
        )
        .unwrap();
        let apps = tempfile::tempdir().unwrap();
        for folder in ["base", "overlays"] {
            std::fs::create_dir(apps.path().join(folder)).unwrap();
        }
        std::fs::write(apps.path().join("base/kustomization.yaml"), "").unwrap();
        let stack = Self {
            broker: Broker::start().unwrap(),
            registry: RegistryServer::start().await.unwrap(),
            connect,
            schema,
            connector,
            apps,
            names: AtomicU32::new(0),
        };
        stack.broker.create_topic(RECORDS, 1).unwrap();
        stack.succeeds(&format!("helloavro produce --topic {RECORDS}"));
        stack
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(system_tests::binary("kafkaefd"));
        command
            .args(line.split(' '))
            .env("BROKER", self.broker.bootstrap_servers())
            .env("SCHEMAREGISTRY", self.registry.url())
            .env("KAFKA_CONNECT", &self.connect);
        command
    }

    fn succeeds(&self, line: &str) {
        let ran = self.command(line).stdin(Stdio::null()).output().unwrap();
        assert!(ran.status.success(), "{line}: {ran:?}");
    }

    /// The command line with something new in each placeholder.
    fn fill(&self, line: &str) -> String {
        let name = format!("n{}", self.names.fetch_add(1, Ordering::Relaxed));
        if line.contains("{topic}") {
            self.broker.create_topic(&name, 1).unwrap();
            self.succeeds(&format!("helloworld produce --topic {name}"));
        }
        let schema = self.schema.path().to_str().unwrap();
        if line.contains("{subject}") {
            self.succeeds(&format!("registry upload {name} {schema}"));
        }
        let filled = line.replace("{topic}", &name).replace("{subject}", &name);
        let filled = filled.replace("{records}", RECORDS).replace("{schema}", schema);
        let filled = filled.replace("{connector}", self.connector.path().to_str().unwrap());
        let overlays = self.apps.path().join("overlays");
        let filled = filled.replace("{overlays}", overlays.to_str().unwrap());
        let filled = filled.replace("{overlay}", &name);
        filled.replace("{xml}", concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas"))
    }
}

/// A minimal Kafka Connect: one connector, which reports the requested state.
async fn answer(uri: Uri) -> Json<Value> {
    let state = json!({
        "name": "c", "type": "sink", "tasks": [],
        "connector": {"state": "RUNNING", "worker_id": "w"},
    });
    Json(match uri.path() {
        "/connectors" => json!({"c": {"status": state}}),
        "/connectors/c/config" => json!({"name": "c"}),
        _ => state,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_cannot_be_written_is_an_error() {
    let stack = Stack::start().await;
    tokio::task::block_in_place(|| {
        for line in EMBEDDED {
            is_reported(stack.command(&stack.fill(line)), line);
            is_quiet(stack.command(&stack.fill(line)), line);
        }
        for line in SLOW {
            is_reported(stack.command(line), line);
        }
    });
}

#[test]
fn every_sub_command_is_tried() {
    fn leaves(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
        let below: Vec<_> = command.get_subcommands().collect();
        for sub in &below {
            leaves(sub, &format!("{path}{} ", sub.get_name()), found);
        }
        if below.is_empty() {
            found.insert(path.to_owned());
        }
    }
    // `admin` may be left out.
    fn short(line: &str) -> &str {
        line.strip_prefix("admin ").unwrap_or(line)
    }
    let mut there = BTreeSet::new();
    leaves(&kafkaefd::cli::Cli::command(), "", &mut there);
    let tried: Vec<String> = EMBEDDED
        .iter()
        .chain(&REAL)
        .chain(&SLOW)
        .map(|line| format!("{} ", short(line)))
        .collect();
    let missing: BTreeSet<_> = there
        .iter()
        .map(|path| short(path))
        // It serves pages and prints nothing.
        .filter(|path| *path != "console ")
        .filter(|path| !tried.iter().any(|line| line.starts_with(*path)))
        .collect();
    assert!(missing.is_empty(), "add them to answers/mod.rs: {missing:?}");
}
