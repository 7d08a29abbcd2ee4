//! What users type, scrape and parse keeps its name from release to release: flags, environment variables, metrics and
//! their labels, headers of dead letters, exit codes and keys of JSON. The names of the release before are in
//! `interface-0.1.0.txt`; new ones may come beside them.
//!
//! Before a release: `RECORD_INTERFACE=1 cargo test --workspace --test interface` records the names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use influxsink::metrics::SinkMetrics;
use regex::Regex;
use salmock::metrics::SalmockMetrics;
use saltransform::metrics::TransformMetrics;
use stage::config::ServiceArgs;
use stage::metrics::KafkaMetrics;
use stage::service::Service;
use system_tests::root;

const RECORDED: &str = "tests/system/tests/interface-0.1.0.txt";
/// The fields of a struct that derives Serialize.
const WRITTEN_BY_SERDE: &str = r"(?s)#\[derive\([^)]*\bSerialize\b[^)]*\)\](?:\s*(?:#\[[^\]]*\]|//[^\n]*))*\s*(?:pub(?:\([a-z]+\))? )?struct \w+(?:<[^>]*>)? \{(.*?)\n\}";

#[test]
fn every_name_of_the_release_before_is_still_there() {
    let now = names();
    let path = root().join(RECORDED);
    if std::env::var_os("RECORD_INTERFACE").is_some() {
        let lines: Vec<&str> = now.iter().map(String::as_str).collect();
        fs::write(path, lines.join("\n") + "\n").unwrap();
        return;
    }
    let recorded = fs::read_to_string(path).unwrap();
    let gone: Vec<&str> = recorded.lines().filter(|name| !now.contains(*name)).collect();
    assert!(
        gone.is_empty(),
        "users have these in their scripts, dashboards and alerts: {gone:#?}"
    );
    for kind in [
        "flag salmock ",
        "flag saltransform ",
        "flag influxsink ",
        "flag kafkaefd ",
        "env ",
        "metric ",
        "header ",
        "exit ",
        "json ",
    ] {
        assert!(
            recorded.lines().any(|name| name.starts_with(kind)),
            "nothing is recorded: {kind}"
        );
    }
}

fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for command in [
        salmock::config::Cli::command(),
        saltransform::config::Cli::command(),
        influxsink::config::Cli::command(),
        kafkaefd::cli::Cli::command(),
    ] {
        flags(&command, &format!("flag {}", command.get_name()), &mut names);
    }
    metrics(&mut names);
    let header = Regex::new(r#""((?:[a-z]+-)?[a-z]+\.?)""#).unwrap();
    let exit = Regex::new(r"const EXIT_[A-Z]+: u8 = (\d+);").unwrap();
    let written = Regex::new(WRITTEN_BY_SERDE).unwrap();
    let field = Regex::new(r"(?m)^ +(?:pub(?:\([a-z]+\))? )?(\w+):").unwrap();
    let renamed = Regex::new(r#"serde\(rename = "(\w+)"\)"#).unwrap();
    for (path, text) in sources() {
        if path.ends_with("dead_letter/letter.rs") {
            captured(&text, &header, "header", &mut names);
        }
        captured(&text, &exit, "exit", &mut names);
        captured(&text, &renamed, "json", &mut names);
        for body in written.captures_iter(&text) {
            captured(&body[1], &field, "json", &mut names);
        }
    }
    names
}

fn captured(text: &str, pattern: &Regex, kind: &str, names: &mut BTreeSet<String>) {
    for found in pattern.captures_iter(text) {
        names.insert(format!("{kind} {}", &found[1]));
    }
}

fn flags(command: &clap::Command, path: &str, names: &mut BTreeSet<String>) {
    for arg in command.get_arguments() {
        let long = arg.get_long_and_visible_aliases().unwrap_or_default();
        let hidden = arg.get_all_aliases().unwrap_or_default();
        for name in long.into_iter().chain(hidden) {
            names.insert(format!("{path} --{name}"));
        }
        for short in arg.get_short_and_visible_aliases().unwrap_or_default() {
            names.insert(format!("{path} -{short}"));
        }
        if arg.is_positional() {
            names.insert(format!("{path} {}", arg.get_id()));
        }
        if let Some(name) = arg.get_env() {
            names.insert(format!("env {}", name.to_string_lossy()));
        }
    }
    for sub in command.get_subcommands() {
        flags(sub, &format!("{path} {}", sub.get_name()), names);
    }
}

fn metrics(names: &mut BTreeSet<String>) {
    // Each binary has a registry of its own.
    for stage in 0..3 {
        let service = Service::embedded(&ServiceArgs::default());
        service.readiness.dependency("kafka");
        let registry = service.metrics;
        // Series that exist only once there is a topic.
        let kafka = KafkaMetrics::register(&registry).unwrap();
        kafka.lag.set("t", 0, 0);
        kafka.lost_to_retention.of("t");
        kafka.recreated.of("t");
        kafka.stuck.with_label_values(&["consumer", "remade"]);
        let subsystems = match stage {
            0 => SalmockMetrics::register(&registry).unwrap().subsystems,
            1 => TransformMetrics::register(&registry).unwrap().subsystems,
            _ => SinkMetrics::register(&registry).unwrap().subsystems,
        };
        subsystems.of_topic("Test_telemetry").finished(0);
        for family in registry.gather() {
            names.insert(format!("metric {}", family.name()));
            for label in family.get_metric().iter().flat_map(|metric| metric.get_label()) {
                names.insert(format!("metric {} {}", family.name(), label.name()));
            }
        }
    }
}

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
                found.push((path.to_string_lossy().into_owned(), shipped.to_owned()));
            }
        }
    }
    let mut found = Vec::new();
    for parent in ["bins", "libs"] {
        for entry in fs::read_dir(root().join(parent)).unwrap() {
            walk(&entry.unwrap().path().join("src"), &mut found);
        }
    }
    found
}
