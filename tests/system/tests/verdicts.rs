//! Exit codes of commands that did not do what was asked for, on embedded services: success only where there was some.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::process::Stdio;

use devstack::{Broker, RegistryServer};

/// The exit code, and everything on stderr.
fn run(line: &str, environment: &[(&str, &str)]) -> (i32, String) {
    let mut command = system_tests::command(line);
    command.envs(environment.iter().copied()).stdin(Stdio::null());
    let ran = command.output().unwrap();
    (
        ran.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&ran.stderr).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_succeeds_only_if_it_did_what_was_asked() {
    let broker = Broker::start().unwrap();
    let registry = RegistryServer::start().await.unwrap();
    for topic in ["records", "x.dead-letter"] {
        broker.create_topic(topic, 1).unwrap();
    }
    let url = registry.url();
    let schemas = system_tests::root().join("schemas").display().to_string();
    let environment = [
        ("BROKER", broker.bootstrap_servers()),
        ("SCHEMAREGISTRY", url.as_str()),
    ];
    tokio::task::block_in_place(|| {
        let produced = run("kafkaefd helloavro produce --topic records", &environment);
        assert_eq!(produced.0, 0, "{produced:?}");
        for (line, code, expected) in [
            (
                "kafkaefd tail records -o beginning -e",
                0,
                "1 message read, 1 written",
            ),
            (
                "kafkaefd tail records -o beginning -e --schema-registry http://127.0.0.1:1",
                69,
                "try: check that it can be reached from here; --schema-registry URL or SCHEMAREGISTRY",
            ),
            (
                "kafkaefd tail records -o beginning -e --filter greting=='x'",
                1,
                "has the field greting; did you mean greeting?",
            ),
            (
                "kafkaefd tail records -o beginning -e --filter greeting=='none'",
                0,
                "1 message read, 0 written",
            ),
            (
                "kafkaefd tail records -e --output /no/such/folder/x",
                64,
                "opening /no/such/folder/x failed",
            ),
            (
                "kafkaefd inject records --file nosuch",
                64,
                "reading nosuch failed",
            ),
            (
                "kafkaefd inject no-topic --file nosuch",
                64,
                "reading nosuch failed",
            ),
            ("kafkaefd registry upload s nosuch", 64, "nosuch failed"),
            (
                "kafkaefd dead-letters replay --stage foo",
                64,
                "possible values: parse",
            ),
            (
                "kafkaefd latency --svg /no/such/folder/x.svg",
                64,
                "writing /no/such/folder/x.svg failed",
            ),
            ("kafkaefd latency --svg /", 64, "writing / failed"),
            (
                "kafkaefd salschema convert --xml-dir {schemas} --upload --schema-registry http://127.0.0.1:1",
                69,
                "try: check that it can be reached from here; --schema-registry URL or SCHEMAREGISTRY",
            ),
            (
                "kafkaefd demo --schema-registry http://127.0.0.1:1",
                69,
                "the schema registry at http://127.0.0.1:1 does not answer",
            ),
            (
                "saltransform init --subsystem Test --schema-registry http://127.0.0.1:1",
                69,
                "the schema registry at http://127.0.0.1:1 does not answer",
            ),
            (
                "influxsink run t --into sqlite:/dev/null",
                64,
                "--into sqlite:/dev/null: the file cannot be used: it is not a regular file",
            ),
            (
                "influxsink run t --into sqlite:/no/such/folder/x",
                64,
                "--into sqlite:/no/such/folder/x: the file cannot be used",
            ),
            (
                "kafkaefd latency --filter no-such-topic",
                1,
                "no Avro topic matches --filter",
            ),
        ] {
            let line = line.replace("{schemas}", &schemas);
            let (found, stderr) = run(&line, &environment);
            assert_eq!(found, code, "{line}: {stderr}");
            assert!(stderr.contains(expected), "{line}: {stderr}");
        }
    });
}

/// What a wrong BROKER looks like: a stage's own port, and its web address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_server_is_not_taken_for_a_broker() {
    let registry = RegistryServer::start().await.unwrap();
    let url = registry.url();
    let address = url.strip_prefix("http://").unwrap();
    tokio::task::block_in_place(|| {
        for line in [
            "kafkaefd groups list",
            "kafkaefd tail records",
            "saltransform init --subsystem Test",
            "saltransform run --topic t",
            "influxsink run t --into http://127.0.0.1:1",
            "salmock produce --topic t",
            "salmock consume t",
        ] {
            let (code, stderr) = run(line, &[("BROKER", &url)]);
            assert_eq!(code, 64, "{line}: {stderr}");
            assert!(stderr.contains("begins with http://"), "{line}: {stderr}");
        }
        for line in [
            "kafkaefd groups list",
            "kafkaefd tail records",
            "salmock consume t",
        ] {
            let (code, stderr) = run(line, &[("BROKER", address)]);
            assert_ne!(code, 0, "{line}: {stderr}");
            assert!(
                stderr.contains("an HTTP server answers at this address, not a Kafka broker"),
                "{line}: {stderr}"
            );
        }
    });
}
