//! What is known at one moment; what `--json` prints.

use serde::Serialize;

use super::brokers::BrokersView;
use super::process::StageRow;

/// One frame's worth.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct View {
    /// RFC 3339, in UTC.
    pub(super) at: String,
    /// The brokers' address.
    pub(super) broker: String,
    pub(super) stages: Vec<StageRow>,
    /// Null before they have answered for the first time.
    pub(super) kafka: Option<BrokersView>,
}

impl View {
    /// Whether all that was asked has answered.
    pub(super) fn is_whole(&self) -> bool {
        self.stages.iter().all(|stage| stage.away.is_none())
            && self.kafka.as_ref().is_some_and(|kafka| kafka.away.is_none())
    }
}
