//! `kafkaefd load`: its report adds up, it ends on request, and it leaves no topics behind.

use serde_json::Value as Json;

use super::{Running, kafkaefd};
use crate::real::{Services, kafka, unique, until};

fn topics(services: &Services, prefix: &str) -> Vec<String> {
    let listed = kafkaefd(services, &["admin", "topics", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let words = listed.stdout.split_whitespace();
    words
        .filter(|word| word.starts_with(prefix))
        .map(str::to_owned)
        .collect()
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
        "arrivals exceed what was sent: {report}"
    );
    let at = |quantile: &str| report["latency"][quantile].as_f64().unwrap();
    assert!(
        0.0 < at("p50") && at("p50") <= at("p99") && at("p99") <= at("max"),
        "{report}"
    );
    assert_eq!(topics(&services, &prefix), [""; 0]);
}

/// Ctrl-C ends it with a report and without leftover topics.
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
    let running = Running::spawn(&services, &flags);
    until("it is working", 60, || {
        let topics = topics(&services, &prefix);
        match kafka::message_count(&services, &topics) {
            0 => Err(format!("nothing is in {topics:?}")),
            _ => Ok(()),
        }
    });
    let ran = running.interrupt();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("nothing was lost"), "{ran:?}");
    assert_eq!(topics(&services, &prefix), [""; 0]);
}
