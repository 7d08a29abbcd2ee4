//! influxsink: Confluent Avro from Kafka to InfluxDB, or to SQLite.
//!
//! The file list tells the data's way:
//!
//! ```text
//!                          schema_cache ◀── schema registry
//!                            │
//!  lsst.sal.… ─▶ worker ─▶ frame ─▶ point ─▶ line ─▶ batch ─▶ write ─▶ InfluxDB (http) or SQLite (sqlite)
//!                            └─────────┴───────┴────────────────┴────▶ <group>.dead-letter
//! ```
//! `frame` and `point` are the library `confluent_avro`'s.
//! `config` is the command line, `run` puts the stages together, `replay` begins and ends what reads a stretch of time.
//!
//! What holds at each hop: a message's offset is committed only when its point is in the database or its
//! bytes are in the dead-letter topic; points are deterministic (measurement, tags and time come from the
//! record alone), so that what is written twice after a crash overwrites itself; of points that overwrite each
//! other the one that is later in its partition is written last (`in_flight`).

pub mod batch;
pub mod config;
mod in_flight;
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

pub use replay::ReplayError;
pub use run::{RunError, run};
