//! What is secret in an address is shown nowhere, whatever is wrong with the address or with the rest of the line.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::process::{Command, Stdio};

const SECRET: &str = "s3cr3tpw";

/// All that a command prints. Whatever it would wait for is a closed port of this machine, or is refused before.
fn shown(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kafkaefd"))
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(!text.is_empty(), "{arguments:?} says nothing");
    String::from_utf8(text).unwrap()
}

#[test]
fn no_command_shows_a_secret() {
    let list = ["registry", "list", "--schema-registry"];
    let connectors = ["admin", "connectors", "list", "--kafka-connect"];
    for (command, address) in [
        (&list[..], "htp://user:s3cr3tpw@host:8081"),
        (&list, "user:s3cr3tpw@host:8081"),
        (&list, "http//user:s3cr3tpw@host:8081"),
        (&list, "http://user:s3cr3tpw@host:port"),
        (&list, "http://user:s3cr3tpw@[::1"),
        (&list, "http://user:s3cr3tpw@host"),
        (&list, "http://127.0.0.1:1?token=s3cr3tpw"),
        (&connectors, "http://user:s3cr3tpw@127.0.0.1:1"),
        (&connectors, "http//user:s3cr3tpw@127.0.0.1:1"),
        (&connectors, "http://127.0.0.1:1/?key=s3cr3tpw"),
        (&["admin", "brokers"], "http://user:s3cr3tpw@host"),
        (&["admin", "brokers", "--borker"], "http://user:s3cr3tpw@host"),
        (&["top", "--metrics"], "http://user:s3cr3tpw@127.0.0.1:1"),
        (
            &["salschema", "convert", "--xml-repo", "a/b", "--github-api"],
            "http://user:s3cr3tpw@[::1",
        ),
        (
            &[
                "admin",
                "connectors",
                "create",
                "influxdb-sink",
                "t",
                "--dry-run",
                "--influxdb",
            ],
            "http://user:s3cr3tpw@influxdb:8086",
        ),
    ] {
        let shown = shown(&[command, &[address]].concat(), &[]);
        assert!(!shown.contains(SECRET), "{command:?} {address}: {shown}");
    }
}

#[test]
fn help_shows_no_variable_with_a_secret() {
    let address = "http://user:s3cr3tpw@host";
    let variables = ["SCHEMAREGISTRY", "BROKER", "KAFKA_CONNECT", "INFLUXDB"].map(|name| (name, address));
    for command in [
        &["registry", "list", "--help"][..],
        &["admin", "connectors", "create", "influxdb-sink", "--help"],
    ] {
        let shown = shown(command, &variables);
        assert!(shown.contains("Usage") && !shown.contains(SECRET), "{shown}");
    }
}
