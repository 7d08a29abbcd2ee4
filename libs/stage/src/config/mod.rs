//! The flags that all binaries have in common, each with an environment variable.
//!
//! There is one file, of named clusters (`clusters`), whose values stand in the place of the flags' defaults. Secrets come
//! from the environment or from a file of their own, never from a flag, so that process lists do not show them.

mod clusters;
pub mod defaults;
mod kafka;
mod member;
mod registry;
mod secret;
mod service;
mod setting;
mod timestamp;
mod workers;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use crate::{address, stdout};

pub use clusters::{
    ChosenCluster, ClusterArgs, ClusterEntry, ClusterError, ClusterFile, DefaultCluster, NamedCluster,
};
pub(crate) use kafka::TOKEN_FILE_PREFIX;
pub use kafka::{KafkaArgs, KafkaConfigError};
pub use member::{GroupProtocol, MemberArgs};
pub use registry::RegistryArgs;
pub use secret::{Secret, SecretError};
pub use service::{LogFormat, ServiceArgs, seconds};
pub use setting::Setting;
pub use timestamp::{Timestamp, parse_timestamp};
pub use workers::WorkerArgs;

/// The exit code for an invalid flag, file or environment variable (`EX_USAGE` of BSD's sysexits).
pub const EXIT_USAGE: u8 = 64;
/// The exit code of a command whose service is unreachable or refuses access (`EX_UNAVAILABLE` of BSD's sysexits).
pub const EXIT_UNAVAILABLE: u8 = 69;

/// Parses the command line of a stage. Help and errors are printed, and their exit code is returned. Secrets among the
/// arguments cause a warning.
pub fn parse_cli<C: clap::Parser>() -> Result<C, std::process::ExitCode> {
    parse_cli_from(std::env::args_os().collect(), DefaultCluster::Ignored)
}

/// The same for given arguments, which start with the program's name.
pub fn parse_cli_from<C: clap::Parser>(
    arguments: Vec<OsString>,
    default: DefaultCluster,
) -> Result<C, std::process::ExitCode> {
    let texts = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    for key in KafkaArgs::exposed_secrets(texts) {
        crate::stderr_line!(
            "warning: {key} is an argument, which process lists show to every user of this machine: use --kafka-config-file"
        );
    }
    address::remember(arguments.iter().filter_map(|argument| argument.to_str()));
    let variables: Vec<String> = std::env::vars_os()
        .filter_map(|(_, value)| value.into_string().ok())
        .collect();
    address::remember(variables.iter().map(String::as_str));
    parsed(arguments, default).map_err(|error| {
        let shown = match error {
            ParseError::Arguments(shown) => shown,
            ParseError::Cluster(error) => {
                crate::stderr_line!("{}: {}", C::command().get_name(), crate::chain(&error));
                return EXIT_USAGE.into();
            }
        };
        // It quotes arguments and variables.
        let text = shown.render();
        if shown.use_stderr() {
            crate::stderr_text!("{}", coloured_for(&text, &io::stderr()));
            return EXIT_USAGE.into();
        }
        let text = coloured_for(&text, &io::stdout());
        // Help or the version: output like any other.
        match stdout::written(io::stdout().write_all(address::masked(&text).as_bytes()))
            .and_then(|()| stdout::flush())
        {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                crate::stderr_line!("{}", crate::chain(&error));
                ExitCode::FAILURE
            }
        }
    })
}

/// The command line is not parsed.
enum ParseError {
    Arguments(clap::Error),
    Cluster(ClusterError),
}

/// Parses the arguments, and once more if they name a cluster whose values are then the flags' defaults.
fn parsed<C: clap::Parser>(arguments: Vec<OsString>, default: DefaultCluster) -> Result<C, ParseError> {
    let mut matches = C::command()
        .try_get_matches_from(&arguments)
        .map_err(ParseError::Arguments)?;
    let of_cluster = clusters::with_cluster(C::command(), &matches, default).map_err(ParseError::Cluster)?;
    if let Some(command) = of_cluster {
        matches = command
            .try_get_matches_from(&arguments)
            .map_err(ParseError::Arguments)?;
    }
    C::from_arg_matches_mut(&mut matches)
        .map_err(|error| ParseError::Arguments(error.format(&mut C::command())))
}

/// A part of a command line that a shell completes, with the named cluster's values; none if it cannot be parsed.
pub(crate) fn completed<C: clap::Parser>(arguments: Vec<OsString>, default: DefaultCluster) -> Option<C> {
    parsed(arguments, default).ok()
}

/// With colours if they are shown there.
fn coloured_for(text: &clap::builder::StyledStr, to: &impl IsTerminal) -> String {
    let is_coloured = to.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if is_coloured {
        text.ansi().to_string()
    } else {
        text.to_string()
    }
}
