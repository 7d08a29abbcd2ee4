//! influxsink's own files from frame to line, which touch neither Kafka nor a database: what its fuzz targets need of
//! it, without building librdkafka and SQLite.

#[path = "../../bins/influxsink/src/decode/mod.rs"]
pub mod decode;
#[path = "../../bins/influxsink/src/frame.rs"]
pub mod frame;
#[path = "../../bins/influxsink/src/line/mod.rs"]
pub mod line;
