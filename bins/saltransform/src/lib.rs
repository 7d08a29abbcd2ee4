//! saltransform: SAL text from Kafka to Confluent Avro in Kafka.
//!
//! The file list tells the data's way:
//!
//! ```text
//!  S_telemetry ┐
//!  S_logevent  ├─▶ lane ─▶ transform ─▶ outlet ─▶ lsst.sal.<Topic>
//!  S_command   ┘            │    ▲        │
//!                           │    └ targets ◀── schema registry
//!                           └───────────────▶ <group>.dead-letter
//! ```
//! With `--exactly-once` the outlet sends records, dead letters and offsets in transactions.
//!
//! `config` is the command line, `run` puts the stage together, `init` prepares topics and schemas, `check` does the
//! same transformation on files, without Kafka.

pub mod check;
pub mod config;
pub mod init;
mod lane;
mod outlet;
pub mod register;
pub mod run;
mod slot;
mod targets;
mod transform;
mod versions;
