//! Connectors of Kafka Connect, and the InfluxDB sink of 2019.
//!
//! ```text
//!  influxdb_sink (its settings) ─▶ client (Connect's REST API) ─▶ request ─▶ a worker
//!                                    └▶ status (how connectors are)
//! ```

mod client;
mod influxdb_sink;
mod request;
mod status;

pub use client::{Change, Changed, Config, Connect, ConnectSettings, without_secrets};
pub use influxdb_sink::{ErrorHandling, ErrorPolicy, FieldName, InfluxdbSink, PointTime, TimestampUnit};
pub use status::{ConnectorStatus, PartStatus};
