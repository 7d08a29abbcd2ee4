//! Named clusters: `--cluster summit` takes addresses and settings from a file. They stand in the place of the flags'
//! defaults, so that flags and variables win over them.
//!
//! ```text
//! arguments ─▶ first parse: which cluster, which command ─▶ file ─▶ defaults of the command's flags ─▶ second parse
//! ```

mod file;

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::setting::Setting;
pub use file::{ClusterEntry, ClusterFile};

/// The id of the argument `--cluster`.
const CLUSTER: &str = "cluster";
/// The id of the argument `--config-file`.
const CONFIG_FILE: &str = "config_file";
/// The flags that name a service, by their ids.
const ADDRESSES: [&str; 3] = ["broker", "schema_registry", "kafka_connect"];

/// The flags of the named cluster, which every command of a binary has.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Cluster whose addresses and settings the configuration file has; flags and variables win over the file
    #[arg(long, env = "KAFKA_EFD_CLUSTER", value_name = "NAME", global = true)]
    pub cluster: Option<NamedCluster>,

    /// File of named clusters, without secrets [default: ~/.config/kafka-efd/config.toml]
    #[arg(long, env = "KAFKA_EFD_CONFIG", value_name = "FILE", global = true)]
    pub config_file: Option<PathBuf>,
}

/// What the flag `--cluster` gives a command that talks to Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamedCluster {
    /// Its name.
    pub name: String,
    pub(super) broker: Option<String>,
    pub(super) settings: Vec<Setting>,
}

/// Whether a command without `--cluster` uses the file's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultCluster {
    /// An operator's command does.
    Used,
    /// A stage does not: it writes only where its own flags say.
    Ignored,
}

/// The file, or the cluster's name, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line of it is wrong.
    #[error("{path}:{line}: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// It has no cluster of this name.
    #[error("there is no cluster {name} in {path}{meant}; `kafkaefd clusters` lists all")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The file.
        path: PathBuf,
        /// The names nearest to it.
        meant: String,
    },
    /// The file does not exist.
    #[error("--cluster {name}: there is no file {path}; see `kafkaefd clusters --help` for its form")]
    NoFile {
        /// The name that was asked for.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// `--config-file` names no file.
    #[error("--config-file {0} does not exist")]
    Absent(PathBuf),
    /// Its place is not known.
    #[error(
        "--cluster {0}: neither --config-file nor XDG_CONFIG_HOME nor HOME says where the file of clusters is"
    )]
    NoPlace(String),
    /// The command does not talk to a cluster.
    #[error("--cluster {0}: this command uses no cluster")]
    Unused(String),
}

impl ClusterError {
    /// Without the file's path.
    fn short(&self) -> String {
        match self {
            Self::Unknown { name, meant, .. } => format!("there is no cluster {name}{meant}"),
            other => other.to_string(),
        }
    }
}

impl FromStr for NamedCluster {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(Self {
            name: name.to_owned(),
            ..Self::default()
        })
    }
}

/// The named cluster as the flags of Kafka see it: it adds no argument of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChosenCluster(pub(super) Option<NamedCluster>);

impl Args for ChosenCluster {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl FromArgMatches for ChosenCluster {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(named(matches).cloned()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The command line with the cluster's values as defaults, if a cluster is used; `matches` are those without them.
pub(super) fn with_cluster(
    command: Command,
    matches: &ArgMatches,
    default: DefaultCluster,
) -> Result<Option<Command>, ClusterError> {
    let (path, given) = innermost(matches);
    let Some(innermost) = path
        .iter()
        .try_fold(&command, |command, name| command.find_subcommand(name))
    else {
        return Ok(None);
    };
    let is_flag = |id: &str| innermost.get_arguments().any(|arg| arg.get_id() == id);
    let name = named(given).map(|cluster| cluster.name.as_str());
    if !file::keys().any(|key| is_flag(&id_of(key))) {
        let is_typed = given_by(given, CLUSTER) == Some(ValueSource::CommandLine);
        return match name {
            Some(name) if is_typed => Err(ClusterError::Unused(name.to_owned())),
            _ => Ok(None),
        };
    }
    let Some(entry) = entry(name, given, default)? else {
        return Ok(None);
    };
    if given_by(given, CLUSTER) == Some(ValueSource::CommandLine) {
        warn_of_variables(innermost, given, &entry);
    }
    let chosen = NamedCluster {
        name: entry.name.clone(),
        broker: entry.get("broker").map(str::to_owned),
        settings: entry.settings.clone(),
    };
    let name: &'static str = entry.name.clone().leak();
    let command = command.mut_arg(CLUSTER, |arg| {
        arg.default_value(name)
            .value_parser(move |_: &str| Ok::<_, Infallible>(chosen.clone()))
    });
    Ok(Some(with_defaults(command, &path, &entry)))
}

/// The cluster that is named, or the default if no flag or variable names a service.
fn entry(
    name: Option<&str>,
    given: &ArgMatches,
    default: DefaultCluster,
) -> Result<Option<ClusterEntry>, ClusterError> {
    let is_addressed = ADDRESSES.iter().any(|id| is_given(given, id));
    if name.is_none() && (default == DefaultCluster::Ignored || is_addressed) {
        return Ok(None);
    }
    let named_file = given.try_get_one::<PathBuf>(CONFIG_FILE).ok().flatten();
    let Some(path) = ClusterFile::path(named_file.map(PathBuf::as_path)) else {
        return match name {
            Some(name) => Err(ClusterError::NoPlace(name.to_owned())),
            None => Ok(None),
        };
    };
    let file = ClusterFile::read(&path)?;
    match (file, name) {
        (Some(file), name) => {
            let name = name.or(file.default.as_deref());
            name.map(|name| file.cluster(name).cloned()).transpose()
        }
        (None, Some(name)) => Err(ClusterError::NoFile {
            name: name.to_owned(),
            path,
        }),
        (None, None) if named_file.is_some() => Err(ClusterError::Absent(path)),
        (None, None) => Ok(None),
    }
}

/// A cluster was typed, and yet another service is used: that must not go unnoticed.
fn warn_of_variables(command: &Command, given: &ArgMatches, entry: &ClusterEntry) {
    for key in file::keys().filter(|key| ADDRESSES.contains(&id_of(key).as_str())) {
        let id = id_of(key);
        let Some(variable) = command
            .get_arguments()
            .find(|arg| arg.get_id() == id.as_str())
            .and_then(|arg| arg.get_env()?.to_str())
        else {
            continue;
        };
        let is_other = given_by(given, &id) == Some(ValueSource::EnvVariable)
            && entry.get(key).is_some()
            && std::env::var(variable).ok().as_deref() != entry.get(key);
        if is_other {
            crate::stderr_line!(
                "warning: {variable} in the environment wins over {key} of cluster {}",
                crate::Printable(&entry.name)
            );
        }
    }
}

/// The names of the subcommands, and the matches of the last of them.
fn innermost(matches: &ArgMatches) -> (Vec<String>, &ArgMatches) {
    let (mut path, mut innermost) = (Vec::new(), matches);
    while let Some((name, below)) = innermost.subcommand() {
        path.push(name.to_owned());
        innermost = below;
    }
    (path, innermost)
}

fn with_defaults(command: Command, path: &[String], entry: &ClusterEntry) -> Command {
    if let Some((name, rest)) = path.split_first() {
        return command.mut_subcommand(name, |below| with_defaults(below, rest, entry));
    }
    entry.values().fold(command, |command, (key, values)| {
        let id = id_of(key);
        if !command.get_arguments().any(|arg| arg.get_id() == id.as_str()) {
            return command;
        }
        // Defaults of the command line live as long as the process.
        let values: Vec<&'static str> = values.iter().map(|value| &*value.clone().leak()).collect();
        command.mut_arg(id, |arg| arg.default_values(values))
    })
}

fn named(matches: &ArgMatches) -> Option<&NamedCluster> {
    let named = matches.try_get_one::<NamedCluster>(CLUSTER).ok().flatten();
    named.filter(|cluster| !cluster.name.is_empty())
}

fn is_given(matches: &ArgMatches, id: &str) -> bool {
    matches!(
        given_by(matches, id),
        Some(ValueSource::CommandLine | ValueSource::EnvVariable)
    )
}

/// Where an argument's value comes from, if the command has such an argument.
fn given_by(matches: &ArgMatches, id: &str) -> Option<ValueSource> {
    let is_there = matches.try_contains_id(id).unwrap_or_default();
    is_there.then(|| matches.value_source(id)).flatten()
}

/// The id of a flag of this name.
fn id_of(key: &str) -> String {
    key.replace('-', "_")
}
