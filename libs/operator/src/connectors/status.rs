//! How connectors are, as a worker describes it.

use serde::{Deserialize, Deserializer, Serialize};
use stage::address::redacted;

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
    /// Why it failed: a Java stack trace, without the secrets of addresses in it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "without_secrets"
    )]
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

/// A text in which each word that is an address has lost its user, password and query.
fn without_secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let word = |word: &str| {
        let (text, space) = word.split_at(word.trim_end().len());
        match text.contains("://") {
            true => format!("{}{space}", redacted(text)),
            false => word.to_owned(),
        }
    };
    Ok(text.map(|text| text.split_inclusive(char::is_whitespace).map(word).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_holds_no_secrets() {
        let text =
            "java.net.ConnectException: http://efd:s3cr3t@influxdb:8086/write?p=s3cr3t\n\tat why?(A.java:1)";
        let json = serde_json::json!({"id": 0, "state": "FAILED", "worker_id": "w:8083", "trace": text});
        let part: PartStatus = serde_json::from_value(json).unwrap();
        assert_eq!(
            part.trace.unwrap(),
            "java.net.ConnectException: http://(hidden)@influxdb:8086/write?(hidden)\n\tat why?(A.java:1)"
        );
    }
}
