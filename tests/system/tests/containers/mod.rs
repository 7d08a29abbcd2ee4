//! The containers that compose.yaml and k8s-apps/ start from our image, in one form.

pub(crate) mod kubernetes;

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
        ("kafkaefd", kafkaefd::cli::Cli::command()),
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
    let ours = services.iter().filter(|(_, service)| service["image"] == IMAGE);
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

pub(crate) fn texts(map: &serde_json::Map<String, Value>) -> BTreeMap<String, String> {
    map.iter()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}

pub(crate) fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(text).collect()
}

/// A scalar as YAML reads it; values from a Secret are unknown here.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
