//! What holds for every pod and every resource, whichever overlay, load and components are applied.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use system_tests::root;

use crate::containers::kubernetes::{ALL, Manifests, selects};
use crate::containers::read;

const NAMESPACE: &str = "kafka-efd";
/// The binaries that write to the database or read it.
const ASKS_DATABASE: [&str; 2] = ["influxsink", "kafkaefd"];

#[test]
fn the_namespace_enforces_restricted_pods() {
    let namespace: Value = serde_saphyr::from_str(&read(&root().join("k8s-apps/namespace.yaml"))).unwrap();
    let metadata = &namespace["metadata"];
    assert_eq!(metadata["name"], NAMESPACE);
    assert_eq!(
        metadata["labels"]["pod-security.kubernetes.io/enforce"],
        "restricted"
    );
    for manifests in ALL.iter() {
        for document in manifests
            .documents
            .iter()
            .filter(|found| found["kind"] != "Namespace")
        {
            assert_eq!(
                document["metadata"]["namespace"], NAMESPACE,
                "{}: {document}",
                manifests.name
            );
        }
    }
}

/// What the level `restricted` asks for, and more: nothing is written, no token is mounted.
#[test]
fn pods_have_no_rights() {
    for workload in ALL.iter().flat_map(Manifests::workloads) {
        let (pod, name) = (workload.pod(), &workload.container.name);
        let container = &pod["containers"][0];
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
            "{name}"
        );
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(container["securityContext"], expected, "{name}");
        let account = workload
            .manifests
            .resource("ServiceAccount", &pod["serviceAccountName"]);
        assert_eq!(account["automountServiceAccountToken"], false, "{name}");
        for bound in [("requests", "cpu"), ("requests", "memory"), ("limits", "memory")] {
            let found = &container["resources"][bound.0][bound.1];
            assert!(found.is_string(), "{name}: no {} of {}", bound.0, bound.1);
        }
    }
}

#[test]
fn every_pod_can_be_found_by_its_labels() {
    let version = env!("CARGO_PKG_VERSION");
    for workload in ALL.iter().flat_map(Manifests::workloads) {
        let (labels, name) = (workload.pod_labels(), &workload.container.name);
        for label in [
            "name",
            "instance",
            "component",
            "part-of",
            "version",
            "managed-by",
        ] {
            let label = format!("app.kubernetes.io/{label}");
            assert!(labels[&label].is_string(), "{name}: no {label}");
            assert_eq!(
                labels[&label], workload.document["metadata"]["labels"][&label],
                "{name}"
            );
        }
        assert_eq!(labels["app.kubernetes.io/version"], version, "{name}");
        assert_eq!(
            workload.pod()["containers"][0]["image"],
            format!("kafka-efd:{version}"),
            "{name}"
        );
        let expected = format!(
            "{}-{}",
            labels["app.kubernetes.io/name"].as_str().unwrap(),
            labels["app.kubernetes.io/instance"].as_str().unwrap()
        );
        assert_eq!(workload.name(), expected);
    }
}

/// Selectors neither miss their pods nor select another overlay's, and a new version does not change them.
#[test]
fn selectors_select_their_own_pods() {
    for workload in ALL.iter().flat_map(Manifests::workloads) {
        if workload.document["kind"] != "Deployment" {
            continue;
        }
        let selector = &workload.document["spec"]["selector"];
        assert!(selects(selector, workload.pod_labels()), "{}", workload.container);
        let keys: BTreeSet<&str> = selector["matchLabels"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let stable = ["app.kubernetes.io/instance", "app.kubernetes.io/name"];
        assert_eq!(keys, BTreeSet::from(stable), "{}", workload.container);
    }
}

#[test]
fn the_monitor_finds_every_pod_of_its_overlay_only() {
    let mut found = 0;
    for manifests in ALL.iter().filter(|manifests| manifests.has("pod-monitor")) {
        let monitor = manifests.of_kind("PodMonitor").next().unwrap();
        assert_eq!(monitor["spec"]["jobLabel"], "app.kubernetes.io/name");
        let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
        for workload in ALL.iter().flat_map(Manifests::workloads) {
            let instance = "app.kubernetes.io/instance";
            let is_own = monitor["metadata"]["labels"][instance] == workload.pod_labels()[instance];
            assert_eq!(
                selects(&monitor["spec"]["selector"], workload.pod_labels()),
                is_own
            );
        }
        for workload in manifests.workloads() {
            let ports = &workload.pod()["containers"][0]["ports"];
            assert!(
                ports.is_null() || ports[0]["name"] == endpoint["port"],
                "{}",
                workload.container
            );
        }
        found += 1;
    }
    assert!(found > 20, "{found}");
}

/// The policies let every pod reach the ports of its addresses, and the database only those that ask it.
#[test]
fn the_network_policies_allow_what_the_addresses_need() {
    let mut checked = 0;
    for manifests in ALL.iter().filter(|manifests| manifests.has("network-policy")) {
        for workload in manifests.workloads() {
            let policies: Vec<&Value> = manifests
                .of_kind("NetworkPolicy")
                .filter(|policy| selects(&policy["spec"]["podSelector"], workload.pod_labels()))
                .collect();
            let asks_database = ASKS_DATABASE.contains(&workload.container.args[0].as_str());
            for (address, expected) in [
                ("BROKER", true),
                ("SCHEMAREGISTRY", true),
                ("INFLUXDB_URL", asks_database),
            ] {
                let port = port_of(manifests.setting(address));
                let allowed = policies.iter().any(|policy| allows(policy, port));
                assert_eq!(allowed, expected, "{}: {address}", workload.container);
            }
            assert!(
                policies
                    .iter()
                    .any(|policy| policy["spec"]["ingress"][0]["ports"][0]["port"] == "metrics")
            );
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked}");
}

fn port_of(address: &str) -> u64 {
    let port = address.rsplit(':').next().unwrap();
    port.parse().unwrap_or_else(|_| panic!("{address} has no port"))
}

fn allows(policy: &Value, port: u64) -> bool {
    let rules = policy["spec"]["egress"].as_array().into_iter().flatten();
    let mut ports = rules.flat_map(|rule| rule["ports"].as_array().into_iter().flatten());
    ports.any(|allowed| {
        let first = allowed["port"].as_u64().unwrap();
        (first..=allowed["endPort"].as_u64().unwrap_or(first)).contains(&port)
    })
}

/// A Secret that a pod mounts is its own, or a token of the database: influxsink's writes, and the console's reads.
#[test]
fn secrets_are_mounted_where_they_are_needed() {
    for workload in ALL.iter().flat_map(Manifests::workloads) {
        let volumes = workload.pod()["volumes"].as_array().into_iter().flatten();
        let secrets: BTreeSet<&str> = volumes
            .map(|volume| volume["secret"]["secretName"].as_str().unwrap())
            .collect();
        let name = workload.pod_labels()["app.kubernetes.io/name"].as_str().unwrap();
        let own = format!("kafka-efd-{name}");
        let mut expected = BTreeSet::new();
        match workload.container.args[0].as_str() {
            "influxsink" => drop(expected.insert("influxdb-token")),
            "kafkaefd" => drop(expected.insert("influxdb-read-token")),
            _ => {}
        }
        if workload.manifests.has("credentials") {
            expected.insert(own.as_str());
        }
        assert_eq!(secrets, expected, "{}", workload.container);
        for mount in workload.pod()["containers"][0]["volumeMounts"]
            .as_array()
            .into_iter()
            .flatten()
        {
            assert_eq!(mount["readOnly"], true, "{}", workload.container);
        }
    }
}

/// The names in the console's list of metrics are Services that select the stages' pods of all overlays.
#[test]
fn the_console_finds_the_stages() {
    let mut checked = 0;
    let consoles = ALL
        .iter()
        .filter(|manifests| manifests.name.starts_with("services-console"));
    for manifests in consoles {
        let mut stages = BTreeSet::new();
        for name in manifests.setting("CONSOLE_METRICS").split(',') {
            let (service, port) = name.strip_prefix("dns+").unwrap().rsplit_once(':').unwrap();
            let spec = &manifests.resource("Service", &json!(service))["spec"];
            assert_eq!(
                (&spec["clusterIP"], spec["ports"][0]["port"].to_string().as_str()),
                (&json!("None"), port)
            );
            let selector = json!({"matchLabels": spec["selector"]});
            for workload in ALL.iter().flat_map(Manifests::workloads) {
                if selects(&selector, workload.pod_labels()) {
                    assert_eq!(
                        workload.pod()["containers"][0]["ports"][0]["name"],
                        spec["ports"][0]["targetPort"]
                    );
                    stages.insert(workload.container.args[0].clone());
                }
            }
        }
        assert_eq!(
            stages,
            BTreeSet::from(["influxsink", "saltransform"].map(str::to_owned))
        );
        checked += 1;
    }
    assert!(checked > 4, "{checked}");
}
