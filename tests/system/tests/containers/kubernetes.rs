//! k8s-apps/ as kustomize renders it: each overlay, load and service with every choice of components, and the rendered
//! files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use system_tests::root;

use super::{Container, Origin, read, strings, text, texts};

/// What is applied together.
#[derive(Debug)]
pub(crate) struct Manifests {
    /// The overlay or load and its components, or the rendered files.
    pub(crate) name: String,
    pub(crate) documents: Vec<Value>,
}

/// A Deployment or Job, and its only container.
#[derive(Debug)]
pub(crate) struct Workload<'m> {
    pub(crate) manifests: &'m Manifests,
    pub(crate) document: &'m Value,
    pub(crate) container: Container,
}

/// Everything that can be applied.
pub(crate) static ALL: LazyLock<Vec<Manifests>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    render(&["--combinations", folder.path().to_str().unwrap()]);
    let mut all: Vec<Manifests> = yaml_files(folder.path())
        .iter()
        .map(|path| {
            manifests(
                path.file_stem().unwrap().to_str().unwrap(),
                std::slice::from_ref(path),
            )
        })
        // A base is a part: its overlay says what its pods are called and what they carry.
        .filter(|found| !found.name.starts_with("base"))
        .collect();
    let (apart, pipeline): (Vec<_>, Vec<_>) =
        yaml_files(&root().join("k8s-apps"))
            .into_iter()
            .partition(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name.starts_with("salmock-") || name == "console.yaml"
            });
    all.push(manifests("rendered pipeline", &pipeline));
    all.extend(
        apart
            .iter()
            .map(|path| manifests("rendered load or service", std::slice::from_ref(path))),
    );
    assert!(all.len() > 50, "only {} combinations", all.len());
    all
});

/// Runs `scripts/render-k8s-apps`, which fails if there is no kustomize and none can be built.
pub(crate) fn render(arguments: &[&str]) -> String {
    let script = root().join("scripts/render-k8s-apps");
    let ran = Command::new(&script).args(arguments).output();
    let ran = ran.unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(ran.status.success(), "render-k8s-apps {arguments:?}:\n{out}{err}");
    out.into_owned()
}

/// The overlays as they are in the repository: each one's manifests, by name.
pub(crate) fn overlays() -> BTreeMap<&'static str, &'static Manifests> {
    let plain = ALL.iter().filter_map(|found| {
        let name = found.name.strip_prefix("overlays-")?;
        (!name.contains('+')).then_some((name, found))
    });
    plain.collect()
}

/// The containers of all manifests.
pub(crate) fn containers() -> Vec<Container> {
    let workloads = ALL.iter().flat_map(Manifests::workloads);
    workloads.map(|workload| workload.container).collect()
}

impl Manifests {
    pub(crate) fn of_kind<'m>(&'m self, kind: &'m str) -> impl Iterator<Item = &'m Value> {
        self.documents
            .iter()
            .filter(move |document| document["kind"] == *kind)
    }

    /// The resource of this kind and name.
    pub(crate) fn resource(&self, kind: &str, name: &Value) -> &Value {
        self.documents
            .iter()
            .find(|found| found["kind"] == *kind && found["metadata"]["name"] == *name)
            .unwrap_or_else(|| panic!("{}: no {kind} {name}", self.name))
    }

    /// Whether a component was chosen.
    pub(crate) fn has(&self, component: &str) -> bool {
        self.name.split('+').skip(1).any(|found| found == component)
    }

    /// Whether KEDA sets the replicas.
    pub(crate) fn is_scaled(&self) -> bool {
        self.has("autoscaling") || self.has("autoscaling-tls")
    }

    /// The value of a key in its only ConfigMap.
    pub(crate) fn setting(&self, key: &str) -> &str {
        let config = self.of_kind("ConfigMap").next().unwrap();
        config["data"][key]
            .as_str()
            .unwrap_or_else(|| panic!("{}: no {key}", self.name))
    }

    pub(crate) fn workloads(&self) -> Vec<Workload<'_>> {
        let with_pods = self
            .documents
            .iter()
            .filter(|document| document["spec"]["template"].is_object());
        with_pods
            .map(|document| Workload {
                manifests: self,
                document,
                container: self.container(document),
            })
            .collect()
    }

    fn container(&self, workload: &Value) -> Container {
        let template = &workload["spec"]["template"];
        let name = workload["metadata"]["name"].as_str().unwrap();
        let [container] = template["spec"]["containers"].as_array().unwrap().as_slice() else {
            panic!("{}: more than one container in {name}", self.name);
        };
        let sources = container["envFrom"].as_array().into_iter().flatten();
        let shared = sources
            .map(|source| self.resource("ConfigMap", &source["configMapRef"]["name"]))
            .flat_map(|config| texts(config["data"].as_object().unwrap()));
        let shared: BTreeMap<String, String> = shared.collect();
        let variables = container["env"].as_array().into_iter().flatten();
        Container {
            origin: Origin::Kubernetes,
            name: format!("{name} of {}", self.name),
            args: strings(&container["args"])
                .iter()
                .map(|word| expand(word, &shared))
                .collect(),
            environment: variables
                .map(|set| (set["name"].as_str().unwrap().to_owned(), text(&set["value"])))
                .collect(),
            shared_environment: shared,
            ports: ports(template, container),
            paths: paths(template, container),
        }
    }
}

impl Workload<'_> {
    pub(crate) fn is_deployment_of(&self, binary: &str) -> bool {
        self.document["kind"] == "Deployment" && self.container.args[0] == binary
    }

    pub(crate) fn name(&self) -> &str {
        self.document["metadata"]["name"].as_str().unwrap()
    }

    /// The specification of its pods.
    pub(crate) fn pod(&self) -> &Value {
        &self.document["spec"]["template"]["spec"]
    }

    pub(crate) fn pod_labels(&self) -> &Value {
        &self.document["spec"]["template"]["metadata"]["labels"]
    }
}

/// Whether a label selector selects these labels.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object().unwrap();
    !wanted.is_empty() && wanted.iter().all(|(key, value)| labels[key] == *value)
}

/// `$(NAME)` as the kubelet replaces it.
fn expand(word: &str, variables: &BTreeMap<String, String>) -> String {
    let mut word = word.to_owned();
    for (name, value) in variables {
        word = word.replace(&format!("$({name})"), value);
    }
    assert!(!word.contains("$("), "{word:?} names a variable that is not set");
    word
}

const PROBES: [&str; 3] = ["startupProbe", "readinessProbe", "livenessProbe"];

/// Every port in a pod's template: the Prometheus annotation, the container's ports, and those that its
/// probes name.
fn ports(template: &Value, container: &Value) -> Vec<(String, String)> {
    let mut ports = Vec::new();
    let listed: BTreeMap<String, String> = container["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|port| (text(&port["name"]), text(&port["containerPort"])))
        .collect();
    if let Some(port) = template["metadata"]["annotations"].get("prometheus.io/port") {
        ports.push(("annotation".to_owned(), text(port)));
    }
    for probe in PROBES {
        if let Some(port) = container[probe]["httpGet"].get("port") {
            ports.push((
                probe.to_owned(),
                listed.get(&text(port)).cloned().unwrap_or_else(|| text(port)),
            ));
        }
    }
    ports.extend(listed);
    ports
}

fn paths(template: &Value, container: &Value) -> Vec<String> {
    let annotation = template["metadata"]["annotations"].get("prometheus.io/path");
    let probes = PROBES
        .iter()
        .filter_map(|probe| container[probe]["httpGet"].get("path"));
    annotation.into_iter().chain(probes).map(text).collect()
}

fn manifests(name: &str, files: &[PathBuf]) -> Manifests {
    let documents = files
        .iter()
        .flat_map(|path| serde_saphyr::from_multiple::<Value>(&read(path)).unwrap());
    Manifests {
        name: name.to_owned(),
        documents: documents.collect(),
    }
}

/// The YAML files directly in a folder, sorted.
fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}
