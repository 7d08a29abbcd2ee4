//! influxsink's own step from a point to a line, which touches neither Kafka nor a database: what its fuzz targets need of
//! it, without building librdkafka and SQLite.

#[path = "../../bins/influxsink/src/line/mod.rs"]
pub mod line;
