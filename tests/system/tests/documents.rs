//! Each command line in README.md and docs/ that a user types: parsed by the real command line of its binary, run as it is
//! written in `real_services` (`documents.rs` there), or listed here with the reason why it cannot run in a test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

#[allow(dead_code, reason = "another test uses the rest")]
mod containers;
mod documented;

use std::collections::BTreeSet;
use std::process::Command;

use documented::{Block, blocks};

/// Blocks that no test runs as written, by their first line, and why.
const NOT_RUN: [(&str, &str); 25] = [
    (
        "kafkaefd console --broker",
        "serves until it is ended; `make test-browser` opens its pages",
    ),
    (
        "make demo     # needs Rust",
        "a release build; `stdout` and `the_readmes_query_of_a_demo_finds_rows` run the demo",
    ),
    (
        "kubectl apply -f k8s-apps/namespace.yaml",
        "`make test-kubernetes` applies them to a real Kubernetes",
    ),
    ("kubectl apply -f k8s-apps/saltransformer-config.yaml", "as above"),
    ("kubectl apply -f k8s-apps/saltransformer-init.yaml", "as above"),
    (
        "kubectl apply -f k8s-apps/saltransformer-deployment.yaml",
        "as above",
    ),
    (
        "kubectl apply -f k8s-apps/salmock-1node-100topic-1hz.yaml",
        "as above",
    ),
    ("kubectl exec deployment/saltransform-all", "as above"),
    (
        "kubectl delete -f k8s-apps/salmock-1node-100topic-1hz.yaml",
        "as above",
    ),
    ("kubectl apply -k k8s-apps/overlays/atdome", "as above"),
    (
        "curl --silent \"$INFLUXDB_URL/api/v2/query?org=efd\"",
        "needs the token's file of that cluster",
    ),
    (
        "influxsink run --group influxsink-summit",
        "two sites: `make test-mirror`",
    ),
    (
        "SUMMIT=http://registry.summit:8081",
        "two sites: `make test-mirror`",
    ),
    (
        "export BROKER=kafka-bootstrap:9092",
        "names of an observatory's hosts; `real/influx.rs` and `real/outputs.rs` run these flags",
    ),
    (
        "influxsink run --topic-regex '^lsst\\.sal\\.' --database efd",
        "as above",
    ),
    ("influxsink run --group influxsink-mtmount", "as above"),
    (
        "influxsink run --group influxsink-metrics",
        "`real/shapes.rs` and `real/telegraf.rs` run these flags",
    ),
    ("influxsink run metrics --format json", "as above"),
    ("make bench ", "measures for half an hour"),
    ("make test-faults ", "breaks a cluster for an hour"),
    ("curl -s HOST:9464/ready", "the reader fills in the host"),
    (
        "saltransform run --subsystem Test --broker kafka:9095",
        "names of another site's hosts",
    ),
    (
        "saltransform run --subsystem Test --schema-registry https://registry:8081",
        "as above",
    ),
    (
        "influxsink run --topic-regex '^lsst\\.sal\\.' --into https://influxdb:8086",
        "as above",
    ),
    (
        "make demo ARGS=\"--seconds 10 --database",
        "a release build; `the_readmes_query_of_a_demo_finds_rows` runs its lines without make",
    ),
];

#[test]
fn every_block_runs_or_is_listed_with_a_reason() {
    let blocks = blocks();
    assert!(blocks.len() >= 20, "{} blocks", blocks.len());
    let mut listed = BTreeSet::new();
    for block in &blocks {
        let reason = NOT_RUN.iter().find(|(start, _)| block.text.starts_with(start));
        assert!(
            block.is_run() || reason.is_some(),
            "{block}: run it in real/documents.rs, or list it here"
        );
        listed.extend(reason.map(|(start, _)| *start));
    }
    let gone: Vec<_> = NOT_RUN
        .iter()
        .filter(|(start, _)| !listed.contains(start))
        .collect();
    assert!(gone.is_empty(), "no longer in a document: {gone:?}");
}

#[test]
fn every_command_line_is_accepted_by_its_binary() {
    let binaries = containers::binaries();
    let mut parsed = 0;
    for block in blocks() {
        for words in block.commands() {
            let Some(command) = binaries.get(words[0].as_str()) else {
                continue;
            };
            if let Err(error) = command.clone().try_get_matches_from(&words) {
                panic!("{block}: {words:?}: {error}");
            }
            parsed += 1;
        }
    }
    assert!(
        parsed >= 12,
        "only {parsed} command lines of the four binaries were found"
    );
}

#[test]
fn every_make_target_and_every_file_exists() {
    let makefile = std::fs::read_to_string(system_tests::root().join("Makefile")).unwrap();
    for block in blocks() {
        for words in block.commands() {
            if words[0] == "make" {
                let target = words
                    .get(1)
                    .unwrap_or_else(|| panic!("{block}: make without a target"));
                assert!(
                    makefile.contains(&format!("\n{target}:")),
                    "{block}: make {target}"
                );
            }
            let files = words
                .iter()
                .filter(|word| word.starts_with("k8s-apps/") || word.starts_with("scripts/"));
            for file in files {
                assert!(system_tests::root().join(file).exists(), "{block}: {file}");
            }
        }
    }
}

#[test]
fn the_readmes_query_of_a_demo_finds_rows() {
    let block = blocks()
        .into_iter()
        .find(|block| block.text.contains("sqlite3"))
        .unwrap();
    let commands = block.commands();
    let [demo, query] = commands.as_slice() else {
        panic!("{block}: {commands:?}")
    };
    let flags = demo[2].strip_prefix("ARGS=").unwrap();
    let written = flags.split(' ').next_back().unwrap();
    assert_eq!(query[1], written, "{block}: the query reads another file");
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("demo.sqlite");
    let flags = flags
        .replace(written, database.to_str().unwrap())
        .replace("--seconds 10", "--seconds 3");
    let ran = Command::new(system_tests::binary("kafkaefd"))
        .arg("demo")
        .args(flags.split(' '))
        .output()
        .unwrap();
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{shown}");
    let connection = rusqlite::Connection::open(&database).unwrap();
    let rows = |sql: &str| {
        let mut statement = connection.prepare(sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        let mut count = 0;
        while rows.next().unwrap().is_some() {
            count += 1;
        }
        count
    };
    assert!(rows(&query[2]) > 0, "{}", query[2]);
    // What it ends with is the same for its own file.
    let line = shown
        .lines()
        .find(|line| line.trim().starts_with("sqlite3 "))
        .unwrap();
    assert!(line.contains(database.to_str().unwrap()), "{line}");
    assert!(rows(line.split('\'').nth(1).unwrap()) > 0, "{line}");
}

#[test]
fn every_flag_of_a_service_has_an_environment_variable() {
    for (binary, subcommand) in [
        ("saltransform", "run"),
        ("influxsink", "run"),
        ("salmock", "produce"),
    ] {
        let binaries = containers::binaries();
        let command = binaries[binary].find_subcommand(subcommand).unwrap();
        let without: Vec<_> = command
            .get_arguments()
            .filter(|argument| argument.get_env().is_none() && !argument.is_positional())
            .filter(|argument| argument.get_id() != "help")
            .map(|argument| argument.get_id().to_string())
            .collect();
        assert!(without.is_empty(), "{binary} {subcommand}: {without:?}");
    }
}

/// A block says where it is.
impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.text.lines().next().unwrap_or_default();
        write!(f, "{}:{}: {first}", self.document, self.line)
    }
}
