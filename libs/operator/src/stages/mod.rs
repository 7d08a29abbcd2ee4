//! The running pipeline: what each stage's metrics show, and how far the consumer groups are behind.
//!
//! ```text
//!  /metrics of each stage ─▶ prometheus_text ─▶ process, source ─┐
//!                                                                ├─▶ snapshot
//!  brokers ────────────────────────────────────▶ brokers ────────┘
//! ```
//! [`sample`] takes one snapshot, [`Watch`] keeps one up to date. Each source is asked on its own, so that one that does not
//! answer does not hold up the others.

mod brokers;
mod counts;
mod process;
mod prometheus_text;
mod snapshot;
mod source;

pub use brokers::{BrokersRow, BrokersWatcher, GroupRow, NOTABLE_LAG, PartitionRow};
pub use counts::{DeadLetterCount, StageCounts};
pub use process::{StageRow, point_age};
pub use prometheus_text::Metrics;
pub use snapshot::{Snapshot, Watch, sample};
pub use source::StageSource;
