//! `kafkaefd load`: what it reports adds up, it ends when asked to, and leaves no topic behind.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;

use super::kafkaefd;
use crate::real::{Services, unique, until};

fn topics(services: &Services, prefix: &str) -> usize {
    let listed = kafkaefd(services, &["admin", "topics", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    listed.stdout.matches(prefix).count()
}

#[test]
fn a_load_is_carried_and_measured() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let prefix = unique("load");
    let flags = [
        "load",
        "--topics",
        "7",
        "--rate",
        "20",
        "--seconds",
        "3",
        "--producers",
        "2",
        "--size",
        "100",
        "--prefix",
        &prefix,
        "--json",
    ];
    let ran = kafkaefd(&services, &flags);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["sent"], 7 * 20 * 3, "{report}");
    assert_eq!(report["acknowledged"], report["sent"]);
    assert_eq!(report["received"], report["sent"]);
    assert_eq!(report["lost"], 0);
    let (wanted, reached) = (140.0, report["acknowledged_per_second"].as_f64().unwrap());
    assert!(
        0.0 < reached && reached <= wanted,
        "no more arrives than is sent: {report}"
    );
    let at = |quantile: &str| report["latency"][quantile].as_f64().unwrap();
    assert!(
        0.0 < at("p50") && at("p50") <= at("p99") && at("p99") <= at("max"),
        "{report}"
    );
    assert_eq!(topics(&services, &prefix), 0);
}

/// Ctrl-C ends it with its report and without its topics.
#[test]
fn a_load_can_be_ended_early() {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let prefix = unique("early");
    let flags = [
        "load",
        "--topics",
        "2",
        "--rate",
        "50",
        "--seconds",
        "600",
        "--prefix",
        &prefix,
    ];
    let child = Command::new(env!("CARGO_BIN_EXE_kafkaefd"))
        .args(flags)
        .env("BROKER", services.get("BROKER"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("its topics are there", 60, || match topics(&services, &prefix) {
        2 => Ok(()),
        others => Err(format!("{others} topics")),
    });
    std::thread::sleep(Duration::from_secs(1));
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("nothing was lost"), "{stdout}");
    assert_eq!(topics(&services, &prefix), 0);
}
