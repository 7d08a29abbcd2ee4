//! The independent readers of Kafka: kcat, and fastavro behind it.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use super::value::Value;
use super::{Services, root};

/// A record decoded by fastavro: its fields in order.
pub(crate) type PeerRecord = Vec<(String, Value)>;

/// All records of a topic, decoded by fastavro with the registry's schemas.
pub(crate) fn fastavro(services: &Services, topic: &str) -> Vec<PeerRecord> {
    let script = root().join("tests/system/tests/real/avro_peer.py");
    let addresses = ["KCAT", "BROKER", "SCHEMAREGISTRY"].map(|key| services.get(key));
    let text = stdout(
        Command::new(services.get("PYTHON"))
            .arg(script)
            .args(addresses)
            .arg(topic),
    );
    let records = text
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap());
    records
        .map(|json| {
            let fields = json["record"].as_object().unwrap();
            fields
                .iter()
                .map(|(name, value)| (name.clone(), Value::from_peer(value)))
                .collect()
        })
        .collect()
}

/// Runs kcat with `input` and returns its output.
pub(crate) fn kcat(services: &Services, arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new(services.get("KCAT"))
        .args(["-b", services.get("BROKER")])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The number of messages in a topic, with kcat reading all of them.
pub(crate) fn kcat_count(services: &Services, topic: &str) -> usize {
    let read = ["-C", "-t", topic, "-q", "-e", "-o", "beginning", "-f", "%p %o\n"];
    kcat(services, &read, b"").lines().count()
}

fn stdout(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} ended with {}: {stderr}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}
