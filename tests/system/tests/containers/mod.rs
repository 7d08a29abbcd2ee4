//! The containers that compose.yaml and k8s-apps/ start from our image, in one form.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use clap::{Command, CommandFactory};
use serde_json::Value;

/// The file that defines a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Compose,
    Kubernetes,
}

/// One container from our image.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) origin: Origin,
    pub(crate) name: String,
    /// The binary and its arguments.
    pub(crate) args: Vec<String>,
    /// Its own environment variables.
    pub(crate) environment: BTreeMap<String, String>,
    /// The environment variables shared by all containers.
    pub(crate) shared_environment: BTreeMap<String, String>,
    /// The ports that refer to it: what refers to it, and the port.
    pub(crate) ports: Vec<(String, String)>,
    /// The HTTP paths that are probed.
    pub(crate) paths: Vec<String>,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.origin, self.name)
    }
}

/// The parser of each binary, by name.
pub(crate) fn binaries() -> BTreeMap<&'static str, Command> {
    BTreeMap::from([
        ("salmock", salmock::config::Cli::command()),
        ("saltransform", saltransform::config::Cli::command()),
        ("influxsink", influxsink::config::Cli::command()),
    ])
}

/// The environment variables that the flags of a binary and its subcommands read.
pub(crate) fn variables(command: &Command) -> BTreeSet<String> {
    let own = command
        .get_arguments()
        .filter_map(|arg| arg.get_env())
        .map(|name| name.to_string_lossy().into_owned());
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

/// The container's environment as flags of its subcommand, so that one parser checks both. Variables that an
/// argument already sets are left out: a flag takes precedence over its variable.
pub(crate) fn flags_of_environment(command: &Command, container: &Container) -> Vec<String> {
    let mut command = command;
    for word in &container.args[1..] {
        command = command.find_subcommand(word).unwrap_or(command);
    }
    let all = container.shared_environment.iter().chain(&container.environment);
    let set: BTreeMap<_, _> = all.collect();
    let mut flags = Vec::new();
    for arg in command.get_arguments() {
        let (Some(name), Some(long)) = (arg.get_env(), arg.get_long()) else {
            continue;
        };
        let given = container
            .args
            .iter()
            .any(|word| word.split('=').next() == Some(&format!("--{long}")));
        if let (Some(value), false) = (set.get(&name.to_string_lossy().into_owned()), given) {
            flags.push(format!("--{long}={value}"));
        }
    }
    flags
}

/// Our image, as compose.yaml names it.
const IMAGE: &str = concat!("kafka-efd:", env!("CARGO_PKG_VERSION"));

/// The services of compose.yaml that run our image.
pub(crate) fn compose() -> Vec<Container> {
    let compose: Value = serde_saphyr::from_str(&read(&system_tests::root().join("compose.yaml"))).unwrap();
    let services = compose["services"].as_object().unwrap();
    let ours = services
        .iter()
        .filter(|(_, service)| service["image"] == IMAGE);
    ours.map(|(name, service)| {
        let probe = strings(&service["healthcheck"]["test"]).join(" ");
        let port = probe
            .split("/dev/tcp/127.0.0.1/")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let path = probe.split("GET ").nth(1).and_then(|rest| rest.split(' ').next());
        Container {
            origin: Origin::Compose,
            name: name.clone(),
            args: strings(&service["command"]),
            environment: service["environment"].as_object().map(texts).unwrap_or_default(),
            shared_environment: BTreeMap::new(),
            ports: port
                .map(|port| ("healthcheck".to_owned(), port.to_owned()))
                .into_iter()
                .collect(),
            paths: path.map(str::to_owned).into_iter().collect(),
        }
    })
    .collect()
}

/// The containers of k8s-apps/.
pub(crate) fn kubernetes() -> Vec<Container> {
    workloads().into_iter().map(|(_, container)| container).collect()
}

/// The Deployments of k8s-apps/, each with its container.
pub(crate) fn deployments() -> Vec<(Value, Container)> {
    workloads()
        .into_iter()
        .filter(|(workload, _)| workload["kind"] == "Deployment")
        .collect()
}

fn workloads() -> Vec<(Value, Container)> {
    let documents = documents();
    let config = |name: &Value| {
        let named = documents
            .iter()
            .find(|found| found["kind"] == "ConfigMap" && found["metadata"]["name"] == *name);
        texts(
            named.unwrap_or_else(|| panic!("no ConfigMap {name}"))["data"]
                .as_object()
                .unwrap(),
        )
    };
    let workloads = documents
        .iter()
        .filter(|document| document["spec"]["template"].is_object());
    workloads
        .map(|workload| {
            let template = &workload["spec"]["template"];
            let [container] = template["spec"]["containers"].as_array().unwrap().as_slice() else {
                panic!("more than one container in {}", workload["metadata"]["name"]);
            };
            let sources = container["envFrom"].as_array().into_iter().flatten();
            let variables = container["env"].as_array().into_iter().flatten();
            (
                workload.clone(),
                Container {
                    origin: Origin::Kubernetes,
                    name: workload["metadata"]["name"].as_str().unwrap().to_owned(),
                    args: strings(&container["args"]),
                    environment: variables
                        .map(|set| (set["name"].as_str().unwrap().to_owned(), text(&set["value"])))
                        .collect(),
                    shared_environment: sources
                        .flat_map(|source| config(&source["configMapRef"]["name"]))
                        .collect(),
                    ports: ports(template, container),
                    paths: paths(template, container),
                },
            )
        })
        .collect()
}

const PROBES: [&str; 2] = ["readinessProbe", "livenessProbe"];

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

fn documents() -> Vec<Value> {
    let folder = std::fs::read_dir(system_tests::root().join("k8s-apps"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = folder.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files
        .flat_map(|path| serde_saphyr::from_multiple::<Value>(&read(&path)).unwrap())
        .collect()
}

fn texts(map: &serde_json::Map<String, Value>) -> BTreeMap<String, String> {
    map.iter()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(text).collect()
}

/// A scalar as YAML reads it; values from a Secret are unknown here.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
