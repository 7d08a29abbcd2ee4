//! influxsink: Confluent Avro from Kafka to InfluxDB, or to SQLite.
//!
//! The file list follows the data flow:
//!
//! ```text
//!                          schema_cache ◀── schema registry
//!                            │
//!  lsst.sal.… ─▶ worker ─▶ frame ─▶ point ─▶ line ─▶ batch ─▶ write ─▶ InfluxDB (http) or SQLite (sqlite)
//!                            └─────────┴───────┴────────────────┴────▶ <group>.dead-letter
//! ```
//! With `--format json` the records need neither frame nor registry (`json_topics`). `frame` and `point` are in the library
//! `confluent_avro`. `config` is the command line, `run` assembles the stage,
//! `replay` starts and ends the reading of a time range.
//!
//! Invariants: a message's offset is committed only when its point is in the database or its bytes are in the
//! dead-letter topic. Points are deterministic (measurement, tags and time come from the record alone), so that a point
//! written twice after a crash overwrites itself. Of points that overwrite each other, the one that is later in its
//! partition is written last (`in_flight`).

pub mod batch;
pub mod config;
mod flush_interval;
mod group;
mod in_flight;
mod json_topics;
mod labels;
pub mod line;
pub mod metrics;
mod naming;
mod overwrites;
mod replay;
mod run;
mod schema_cache;
mod schemas;
pub mod sqlite;
mod worker;
pub mod write;
pub mod write_result;
mod writer;

pub use replay::ReplayError;
pub use run::{RunError, run};
