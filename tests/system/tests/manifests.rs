//! compose.yaml and k8s-apps/, as kustomize renders it, against the binaries: every command line in them is accepted by the
//! real parser, every environment variable is one that a flag reads, and ports, paths and times agree. (`make
//! manifests` checks that the files are valid for Compose and Kubernetes.)
#![allow(clippy::expect_used, reason = "a failed step is a failed test")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod containers;
mod rendered;

use std::collections::{BTreeMap, BTreeSet};

use containers::kubernetes::ALL;
use containers::{Container, Origin, binaries, compose};

/// Secrets that a binary reads from its environment only.
const SECRETS: &[&str] = &["INFLUXDB_TOKEN", "SCHEMAREGISTRY_PASSWORD"];

fn all() -> Vec<Container> {
    let containers: Vec<_> = compose()
        .into_iter()
        .chain(containers::kubernetes::containers())
        .collect();
    assert!(
        containers.len() >= 8,
        "only {} containers from our image in compose.yaml and k8s-apps/",
        containers.len()
    );
    containers
}

/// The effective values of a container's flags: from its arguments, then its environment, then the defaults.
fn parsed(container: &Container) -> BTreeMap<String, Vec<String>> {
    let binaries = binaries();
    let command = binaries.get(container.args[0].as_str());
    let mut command = command
        .unwrap_or_else(|| panic!("{container}: {} is not a binary", container.args[0]))
        .clone();
    command.build();
    let flags = containers::flags_of_environment(&command, container);
    let line: Vec<String> = container.args.iter().cloned().chain(flags).collect();
    let mut matches = command
        .try_get_matches_from(&line)
        .unwrap_or_else(|error| panic!("{container}: {line:?}: {error}"));
    while let Some((_, deeper)) = matches.remove_subcommand() {
        matches = deeper;
    }
    let ids: Vec<String> = matches.ids().map(|id| id.to_string()).collect();
    let values = ids.iter().filter_map(|id| {
        let raw = matches.try_get_raw(id).ok().flatten()?;
        Some((
            id.clone(),
            raw.map(|value| value.to_string_lossy().into_owned()).collect(),
        ))
    });
    values.collect()
}

#[test]
fn every_command_line_is_accepted_by_its_binary() {
    for container in all() {
        assert!(!parsed(&container).is_empty(), "{container} sets nothing");
    }
}

#[test]
fn every_variable_is_read_by_a_flag() {
    let binaries = binaries();
    let of_all: BTreeSet<String> = binaries.values().flat_map(containers::variables).collect();
    for container in all() {
        let of_binary = containers::variables(&binaries[container.args[0].as_str()]);
        for name in container.environment.keys() {
            assert!(
                of_binary.contains(name) || SECRETS.contains(&name.as_str()),
                "{container}: nothing reads {name}"
            );
        }
        for name in container.shared_environment.keys() {
            assert!(
                of_all.contains(name) || name == "INSTANCE",
                "{container}: nothing reads {name}"
            );
        }
    }
}

#[test]
fn probes_and_prometheus_find_the_port() {
    for container in all() {
        let Some(port) = parsed(&container).remove("prometheus_port") else {
            continue;
        };
        let host = parsed(&container).remove("prometheus_host").unwrap_or_default();
        assert_eq!(
            host,
            ["0.0.0.0"],
            "{container}: its metrics cannot be reached from outside the container"
        );
        let page = parsed(&container).remove("port").unwrap_or_default();
        for (what, found) in &container.ports {
            let expected = if what == "http" {
                page.first()
            } else {
                port.first()
            };
            assert_eq!(Some(found), expected, "{container}: {what}");
        }
        let paths: BTreeSet<_> = container.paths.iter().map(String::as_str).collect();
        let known = BTreeSet::from(["/metrics", "/ready", "/live"]);
        assert!(paths.is_subset(&known), "{container}: {paths:?}");
        if container.origin == Origin::Kubernetes {
            assert_eq!(paths, known, "{container}");
        }
    }
}

#[test]
fn a_pods_grace_period_covers_its_drain() {
    let mut compared = 0;
    for workload in ALL.iter().flat_map(|manifests| manifests.workloads()) {
        let container = &workload.container;
        let Some(drain) = parsed(container).remove("drain_timeout") else {
            continue;
        };
        let drain: f64 = drain[0].parse().unwrap();
        let grace = workload.pod()["terminationGracePeriodSeconds"].as_f64().unwrap();
        assert!(
            grace > drain + 5.0,
            "{container}: {grace} s of grace period for a drain of {drain} s"
        );
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}
