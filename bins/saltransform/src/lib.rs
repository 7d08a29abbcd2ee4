//! saltransform: SAL text from Kafka to Confluent Avro in Kafka.
//!
//! The file list follows the data flow:
//!
//! ```text
//!  S_telemetry ┐
//!  S_logevent  ├─▶ worker ─▶ transform ─▶ producer ─▶ lsst.sal.<Topic>
//!  S_command   ┘            │    ▲        │
//!                           │    └ schema_cache ◀── schema registry
//!                           └───────────────▶ <group>.dead-letter
//! ```
//! With `--exactly-once` the producer sends records, dead letters and offsets in transactions.
//!
//! `config` is the command line, `run` puts the stage together, `init` prepares topics and schemas, `check` does the
//! same transformation on files, without Kafka.

pub mod check;
pub mod config;
pub mod init;
mod labels;
pub mod metrics;
mod producer;
pub mod register;
pub mod run;
mod schema_cache;
mod schema_cache_entry;
mod schema_cache_refresh;
mod transform;
mod versions;
mod worker;
