//! The real services: where `scripts/services` started them, and their processes, whose CPU time is measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::{Doing, Failure, Outcome};

/// A running instance of `scripts/services`.
#[derive(Debug)]
pub(crate) struct Services {
    folder: PathBuf,
    values: BTreeMap<String, String>,
}

/// The state that `scripts/services` keeps about a process.
#[derive(Debug, Deserialize)]
struct Note {
    pid: u32,
}

impl Services {
    /// Reads the `env` file of an instance.
    pub(crate) fn open(env: &Path) -> Outcome<Self> {
        let text = std::fs::read_to_string(env).doing(format!(
            "read {}: start it with `make bench-pipeline`",
            env.display()
        ))?;
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
        let value = self.values.get(key).map(String::as_str);
        value.ok_or_else(|| Failure::Unexpected(format!("the services' env file lacks {key}")))
    }

    /// All values: what an operator exports before starting the stages.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&String, &String)> {
        self.values.iter()
    }

    /// The process of a service.
    pub(crate) fn pid(&self, service: &str) -> Outcome<u32> {
        let path = self.folder.join(format!("{service}.json"));
        let text = std::fs::read(&path).doing(format!("read {}", path.display()))?;
        let note: Note = serde_json::from_slice(&text).doing(format!("read {}", path.display()))?;
        Ok(note.pid)
    }
}
