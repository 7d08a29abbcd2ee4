//! The real services: where `scripts/services` started them, their processes, and how to restart a dead one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use crate::failure::{Failure, Outcome};
use crate::signal::{Signal, send};

/// A running instance of `scripts/services --brokers 3`.
#[derive(Debug)]
pub(crate) struct Instance {
    folder: PathBuf,
    values: HashMap<String, String>,
}

/// The state that `scripts/services` keeps about a process.
#[derive(Debug, Deserialize)]
struct Note {
    pid: u32,
}

impl Instance {
    /// Reads the `env` file of an instance.
    pub(crate) fn open(env: &Path) -> Outcome<Self> {
        let text = std::fs::read_to_string(env).map_err(Failure::io(format!("read {}", env.display())))?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(Self {
            folder: env.parent().unwrap_or(Path::new(".")).to_owned(),
            values: pairs
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        })
    }

    /// A value of the `env` file.
    pub(crate) fn get(&self, key: &str) -> Outcome<&str> {
        self.values.get(key).map(String::as_str).ok_or_else(|| {
            Failure::Unexpected(format!(
                "the services' env file lacks {key}: start them with `scripts/services run --brokers 3`"
            ))
        })
    }

    /// The addresses in a value that holds several.
    pub(crate) fn addresses(&self, key: &str) -> Outcome<Vec<std::net::SocketAddr>> {
        let addresses = self.get(key)?.split(',').map(str::parse);
        addresses
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::Unexpected(format!("{key} of the services' env file: {error}")))
    }

    /// The folder of the instance's data.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Sends a signal to a service.
    pub(crate) fn signal(&self, service: &str, signal: Signal) -> Outcome<()> {
        let path = self.folder.join(format!("{service}.json"));
        let text = std::fs::read(&path).map_err(Failure::io(format!("read {}", path.display())))?;
        let note: Note = serde_json::from_slice(&text)
            .map_err(|error| Failure::Unexpected(format!("{}: {error}", path.display())))?;
        send(note.pid, signal)
    }

    /// Restarts a dead service on its port and with its data; returns once the process exists, ready or not.
    pub(crate) fn restart(&self, service: &str) -> Outcome<()> {
        let name = self.folder.file_name().unwrap_or_default();
        let status = std::process::Command::new(root().join("scripts/services"))
            .args(["restart", "--at-once", service, "--name"])
            .arg(name)
            .stdin(Stdio::null())
            .status()
            .map_err(Failure::io("run scripts/services restart"))?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::Unexpected(format!(
                "scripts/services could not restart {service}: {status}"
            )))
        }
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
