//! The real services: where `scripts/services` started them, their processes, and how to restart a dead one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use crate::failure::{Failure, Outcome};
use crate::signal::{Signal, send};

/// How many lines of a service's log are shown.
const SHOWN_LINES: usize = 25;

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
    /// As the system counts it, in text.
    started: String,
    log: PathBuf,
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
        send(self.note(service)?.pid, signal)
    }

    /// Whether a service's process lives, and the end of its log.
    pub(crate) fn condition(&self, service: &str) -> String {
        let note = match self.note(service) {
            Ok(note) => note,
            Err(error) => return stage::chain(&error),
        };
        let log = note.log.display();
        let end = match std::fs::read(&note.log) {
            Ok(text) => last_lines(&String::from_utf8_lossy(&text)),
            Err(error) => format!("    {error}"),
        };
        format!("process {} {}; the end of {log}:\n{end}", note.pid, note.state())
    }

    fn note(&self, service: &str) -> Outcome<Note> {
        let path = self.folder.join(format!("{service}.json"));
        let text = std::fs::read(&path).map_err(Failure::io(format!("read {}", path.display())))?;
        serde_json::from_slice(&text)
            .map_err(|error| Failure::Unexpected(format!("{}: {error}", path.display())))
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

impl Note {
    /// What the system says of the process. An id is given to another process some time after its own has ended.
    fn state(&self) -> &'static str {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)) else {
            return "has ended";
        };
        // What comes after the command's name, which may contain spaces.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let mut fields = fields.split_whitespace();
        let state = fields.next();
        let is_same = fields.nth(18) == Some(&self.started);
        match state {
            Some("Z" | "X") | None => "has ended",
            Some(_) if !is_same => "has ended",
            Some("T" | "t") => "is stopped",
            Some(_) => "lives",
        }
    }
}

/// The last lines of a log, indented.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(SHOWN_LINES);
    let last = lines.get(first..).unwrap_or_default().iter();
    last.map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_of_a_service_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("kafka1.log");
        let lines: String = (0..100).map(|line| format!("line {line}\n")).collect();
        std::fs::write(&log, lines).unwrap();
        let instance = Instance {
            folder: folder.path().to_owned(),
            values: HashMap::new(),
        };
        let condition = |pid: u32, started: &str| {
            let note = serde_json::json!({"pid": pid, "started": started, "log": log});
            std::fs::write(folder.path().join("kafka1.json"), note.to_string()).unwrap();
            instance.condition("kafka1")
        };
        let own = std::process::id();
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let started = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .nth(19)
            .unwrap();
        let told = condition(own, started);
        assert!(
            told.starts_with(&format!("process {own} lives; the end of ")),
            "{told}"
        );
        assert!(told.ends_with("    line 98\n    line 99"), "{told}");
        assert!(!told.contains("line 74\n"), "{told}");
        assert!(
            condition(own, "1").contains("has ended"),
            "another process has its id"
        );
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(condition(child.id(), "1").contains("has ended"));
        assert!(instance.condition("kafka2").contains("kafka2.json"));
    }
}
