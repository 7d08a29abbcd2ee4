//! Defaults of flags that several binaries have, by the same environment variable or for the same thing: written once.

/// An InfluxDB on this machine: where influxsink writes, and Kafka Connect's sink.
pub const INFLUXDB_URL: &str = "http://localhost:8086";
/// The interface of InfluxDB 2, to write and to query.
pub const INFLUXDB_API: &str = "v2";
/// The organisation that influxsink writes to and the console reads from.
pub const INFLUXDB_ORG: &str = "default";
/// The bucket of InfluxDB 2 and the database of InfluxDB 1.
pub const INFLUXDB_DATABASE: &str = "efd";
/// Where a consumer group starts that has read nothing yet.
pub const AUTO_OFFSET_RESET: &str = "earliest";
/// How long a message waits for its schema, in seconds.
pub const UNKNOWN_SCHEMA_GRACE: &str = "30";
/// What is logged by commands that print something else: warnings.
pub const COMMAND_LOG_LEVEL: &str = "warn";
