//! How connectors are, as a worker describes it.

use serde::{Deserialize, Serialize};

/// How a connector and its tasks are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct ConnectorStatus {
    /// Its name.
    pub name: String,
    /// The connector itself.
    pub connector: PartStatus,
    /// The tasks that do its work.
    #[serde(default)]
    pub tasks: Vec<PartStatus>,
    /// `source` or `sink`.
    #[serde(default, rename = "type")]
    pub kind: String,
}

/// How a connector, or one of its tasks, is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct PartStatus {
    /// The task's number; none for the connector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// RUNNING, PAUSED, FAILED, UNASSIGNED, STOPPED, RESTARTING.
    pub state: String,
    /// The worker that runs it.
    pub worker_id: String,
    /// Why it failed: a Java stack trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

impl ConnectorStatus {
    /// The connector's own state.
    pub fn state(&self) -> &str {
        &self.connector.state
    }

    /// Whether the connector or one of its tasks has failed.
    pub fn has_failed(&self) -> bool {
        self.parts().any(|part| part.state == "FAILED")
    }

    /// The connector, then its tasks.
    pub fn parts(&self) -> impl Iterator<Item = &PartStatus> {
        std::iter::once(&self.connector).chain(&self.tasks)
    }
}
