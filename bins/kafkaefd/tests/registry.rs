//! `kafkaefd registry` as a process, on an embedded registry that holds what clients do not register there.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::process::{Command, Output};

use devstack::RegistryServer;
use serde_json::{Value, json};

fn show(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kafkaefd"));
    command.args(["registry", "show"]).args(arguments);
    command
        .args(["--schema-registry", url])
        .env_remove("SCHEMAREGISTRY")
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schemas_to_which_one_refers_are_listed() {
    let registry = RegistryServer::start().await.unwrap();
    let unit = json!({"type": "record", "name": "x.Unit", "fields": []});
    let report =
        json!({"type": "record", "name": "x.Report", "fields": [{"name": "unit", "type": "x.Unit"}]});
    registry.hold("units", &unit.to_string(), None, &[]);
    registry.hold(
        "reports",
        &report.to_string(),
        None,
        &[("x.Unit", "units", 1), ("x.\u{1b}[2J", "screens", 27)],
    );
    tokio::task::block_in_place(|| {
        let shown = show(&registry.url(), &["reports"]);
        // What is on stdout is the schema alone, as a file for `registry upload` has it.
        assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).unwrap(), report);
        let notes = String::from_utf8(shown.stderr).unwrap();
        let rows: Vec<Vec<&str>> = notes
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert!(
            rows.contains(&vec!["REFERS", "TO", "SUBJECT", "VERSION"]),
            "{notes}"
        );
        assert!(rows.contains(&vec!["x.Unit", "units", "1"]), "{notes}");
        assert!(
            notes.contains("screens") && !notes.contains("\u{1b}[2J"),
            "{notes}"
        );

        let answer = |subject: &str| -> Value {
            serde_json::from_slice(&show(&registry.url(), &[subject, "--json"]).stdout).unwrap()
        };
        assert_eq!(
            answer("reports")["references"][0],
            json!({"name": "x.Unit", "subject": "units", "version": 1})
        );
        assert_eq!(answer("units")["references"], json!([]));
        let notes = String::from_utf8(show(&registry.url(), &["units"]).stderr).unwrap();
        assert!(!notes.contains("REFERS TO"), "{notes}");
    });
}
