//! influxsink's own step from a point to a line, which needs neither Kafka nor a database: only what its fuzz
//! targets need, without building librdkafka and SQLite.

#[path = "../../bins/influxsink/src/line/mod.rs"]
pub mod line;
