//! The telemetry that is stored: a field of a measurement over a stretch of time, from the database that influxsink writes
//! to, or from Kafka alone; and what the schema says of each field.
//!
//! ```text
//!  SQLite ─────────┐
//!  InfluxDB v1, v2 ┼─▶ series: all points, or where they are too many the mean, least and most of equal stretches
//!  Kafka ──────────┘
//!  registry ───────▶ fields: name, type, unit, description
//! ```

mod database;
mod fields;
mod influxdb;
mod influxdb_v1;
mod influxdb_v2;
mod last;
mod series;
mod sqlite;
mod topic;

pub use database::{Database, DatabaseAddress};
pub use fields::{Field, FieldKind, RecordFields, array_items};
pub use influxdb_v1::NamedDatabase;
pub use influxdb_v2::Bucket;
pub use last::last_message;
pub use series::{Point, Quantity, Series, TimeRange};
pub use topic::{MAX_BYTES, MAX_MESSAGES, from_topic};
