//! What an overlay says: its topics, groups, partitions and replicas, and that `kafkaefd k8s new` writes the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use clap::Parser;
use regex::Regex;
use sal::avro::Options;
use sal::name::Dialect;
use schema_dir::SchemaDir;
use system_tests::root;

use crate::containers::kubernetes::{ALL, Manifests, Workload, overlays, render, selects};
use crate::parsed;

const STAGES: [&str; 2] = ["saltransform", "influxsink"];

/// The overlay that carries all subsystems, for one Deployment of each stage.
const OF_ALL: &str = "all";

fn subsystems(overlay: &Manifests) -> Vec<String> {
    overlay
        .setting("SUBSYSTEM")
        .split(',')
        .map(str::to_owned)
        .collect()
}

/// The Deployments of both stages.
fn stages(manifests: &Manifests) -> Vec<Workload<'_>> {
    let mut found = manifests.workloads();
    found.retain(|workload| STAGES.iter().any(|stage| workload.is_deployment_of(stage)));
    found
}

#[test]
fn the_rendered_files_are_what_kustomize_renders() {
    let said = render(&["--check"]);
    assert!(said.contains("are what kustomize"), "{said}");
}

#[test]
fn every_overlay_is_what_the_command_writes() {
    let there = fs::read_dir(root().join("k8s-apps/overlays")).unwrap().count();
    assert_eq!(there, overlays().len());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let into = copy.path().join("overlays");
    fs::create_dir(&into).unwrap();
    fs::create_dir(copy.path().join("base")).unwrap();
    fs::write(copy.path().join("base/kustomization.yaml"), "").unwrap();
    let schemas = root().join("schemas");
    for (name, overlay) in overlays() {
        let mut line: Vec<String> = ["kafkaefd", "k8s", "new", "--name", name]
            .map(str::to_owned)
            .to_vec();
        line.extend(["--partitions", overlay.setting("PARTITIONS"), "--into"].map(str::to_owned));
        line.extend([
            into.display().to_string(),
            "--xml-dir".to_owned(),
            schemas.display().to_string(),
        ]);
        line.extend(subsystems(overlay));
        let cli = kafkaefd::cli::Cli::try_parse_from(&line).unwrap();
        let _ = runtime.block_on(cli.run());
        let file = format!("{name}/kustomization.yaml");
        let written =
            fs::read_to_string(into.join(&file)).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        let checked_in = fs::read_to_string(root().join("k8s-apps/overlays").join(&file)).unwrap();
        assert_eq!(written, checked_in, "{line:?}");
    }
}

/// The members of a group rebalance together: two Deployments in one group would stop each other's partitions.
#[test]
fn every_deployment_has_a_group_of_its_own() {
    let mut groups: BTreeMap<String, String> = BTreeMap::new();
    for overlay in overlays().values() {
        for stage in stages(overlay) {
            let group = parsed(&stage.container).remove("group").unwrap().remove(0);
            assert_eq!(group, stage.name(), "a group is named after its Deployment");
            let other = groups.insert(group, stage.container.name.clone());
            assert!(other.is_none(), "{other:?} has the same group");
        }
    }
    assert_eq!(groups.len(), 2 * overlays().len());
}

#[test]
fn both_stages_of_an_overlay_carry_the_same_topics() {
    let schemas = SchemaDir::read(&root().join("schemas"))
        .unwrap()
        .schemas(&Options::default())
        .schemas;
    let known: BTreeSet<&str> = schemas.iter().map(|schema| schema.topic.component()).collect();
    for (name, overlay) in overlays() {
        let carried = subsystems(overlay);
        let unknown: Vec<_> = carried
            .iter()
            .filter(|name| !known.contains(name.as_str()))
            .collect();
        assert!(
            unknown.is_empty(),
            "{name}: the image has no interfaces of {unknown:?}"
        );
        let regex = Regex::new(overlay.setting("TOPIC_REGEX")).unwrap();
        for schema in &schemas {
            let is_carried = carried.iter().any(|name| name == schema.topic.component());
            for dialect in [Dialect::Efd, Dialect::TsXml] {
                let topic = dialect.kafka_topic(&schema.topic, "sal");
                assert_eq!(regex.is_match(&topic), is_carried, "{name}: {topic}");
            }
        }
    }
    let of_all: BTreeSet<String> = subsystems(overlays()[OF_ALL]).into_iter().collect();
    assert_eq!(of_all, known.iter().map(|name| (*name).to_owned()).collect());
}

/// Otherwise each of two Deployments would carry its messages.
#[test]
fn a_subsystem_has_one_overlay_beside_that_of_all() {
    let mut seen = BTreeSet::new();
    for (_, overlay) in overlays().into_iter().filter(|(name, _)| *name != OF_ALL) {
        for subsystem in subsystems(overlay) {
            assert!(seen.insert(subsystem.clone()), "{subsystem} is in two overlays");
        }
    }
}

/// Of one busy topic, replicas beyond its partitions get nothing; with fewer, one pod carries several partitions.
#[test]
fn there_is_a_replica_for_each_partition() {
    let (mut fixed, mut scaled) = (0, 0);
    for manifests in ALL.iter() {
        for stage in stages(manifests) {
            let partitions = manifests.setting("PARTITIONS");
            if manifests.is_scaled() {
                let scaler = manifests.resource("ScaledObject", &stage.document["metadata"]["name"]);
                let (spec, trigger) = (&scaler["spec"], &scaler["spec"]["triggers"][0]["metadata"]);
                assert!(
                    stage.document["spec"].get("replicas").is_none(),
                    "{}",
                    stage.container
                );
                assert_eq!(
                    spec["maxReplicaCount"].to_string(),
                    partitions,
                    "{}",
                    stage.container
                );
                assert_eq!(spec["scaleTargetRef"]["name"], stage.name());
                let group = &parsed(&stage.container)["group"][0];
                assert_eq!(trigger["consumerGroup"], group.as_str(), "{}", stage.container);
                assert_eq!(trigger["bootstrapServers"], manifests.setting("BROKER"));
                // KEDA needs the credentials that the pods have.
                let reference = &spec["triggers"][0]["authenticationRef"]["name"];
                assert_eq!(
                    reference.is_string(),
                    manifests.has("credentials"),
                    "{}",
                    stage.container
                );
                if reference.is_string() {
                    let secrets = manifests.resource("TriggerAuthentication", reference);
                    let volumes = stage.pod()["volumes"].as_array().unwrap();
                    for secret in secrets["spec"]["secretTargetRef"].as_array().unwrap() {
                        let mut mounted = volumes.iter().map(|volume| &volume["secret"]["secretName"]);
                        assert!(
                            mounted.any(|name| *name == secret["name"]),
                            "{}: {secret}",
                            stage.container
                        );
                    }
                }
                scaled += 1;
            } else {
                assert_eq!(
                    stage.document["spec"]["replicas"].to_string(),
                    partitions,
                    "{}",
                    stage.container
                );
                fixed += 1;
            }
        }
        for job in manifests
            .workloads()
            .iter()
            .filter(|workload| workload.document["kind"] == "Job")
        {
            let parsed = parsed(&job.container);
            assert_eq!(parsed["partitions"][0], manifests.setting("PARTITIONS"));
            assert_eq!(parsed["replication"][0], manifests.setting("REPLICATION"));
            assert_eq!(parsed["subsystem"], subsystems(manifests));
        }
    }
    assert!(fixed > 40 && scaled > 40, "{fixed} {scaled}");
}

/// A roll first adds a pod and waits until it has joined, and a drain takes one pod at a time.
#[test]
fn neither_a_roll_nor_a_drain_stops_a_stage() {
    for manifests in ALL.iter() {
        for stage in stages(manifests) {
            let spec = &stage.document["spec"];
            assert_eq!(
                spec["strategy"]["rollingUpdate"]["maxUnavailable"], 0,
                "{}",
                stage.container
            );
            assert_eq!(
                spec["strategy"]["rollingUpdate"]["maxSurge"], 1,
                "{}",
                stage.container
            );
            assert!(spec["minReadySeconds"].as_u64() > Some(3), "{}", stage.container);
            // A static member whose name never returns keeps its partitions until the session times out.
            assert!(
                !parsed(&stage.container).contains_key("group_instance_id"),
                "{}",
                stage.container
            );
            let budget = manifests.resource("PodDisruptionBudget", &stage.document["metadata"]["name"]);
            assert_eq!(budget["spec"]["maxUnavailable"], 1);
            assert_eq!(budget["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow");
            assert_eq!(
                budget["spec"]["selector"], spec["selector"],
                "{}",
                stage.container
            );
            for spread in stage.pod()["topologySpreadConstraints"].as_array().unwrap() {
                assert!(
                    selects(&spread["labelSelector"], stage.pod_labels()),
                    "{}",
                    stage.container
                );
            }
        }
    }
}

/// The ConfigMap's name changes with its contents, and it cannot be changed in place: pods never run with old values.
#[test]
fn a_changed_setting_rolls_the_pods() {
    for (name, plain) in overlays() {
        let secured = ALL
            .iter()
            .find(|found| found.name == format!("overlays-{name}+credentials"));
        let configs = [plain, secured.unwrap()].map(|manifests| {
            let found: Vec<_> = manifests.of_kind("ConfigMap").collect();
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!(found[0]["immutable"], true, "{name}");
            found[0]["metadata"]["name"].as_str().unwrap()
        });
        assert_ne!(configs[0], configs[1], "{name}");
    }
}
