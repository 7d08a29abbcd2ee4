//! What only tests, benches and the fault harness stand on, beside the embedded broker and registry of `devstack`: a
//! stand-in for InfluxDB, a proxy in front of Kafka brokers, requests that no client library sends, a producer whose
//! deliveries are checked, a reader of metrics, and waiting.
//!
//! Nothing here is part of a shipped binary: only `[dev-dependencies]` and crates below `tests/` and `benches/` may name it.
//! Each part listens only on loopback, on a free port, keeps everything in memory and ends when it is dropped.

pub mod influx;
mod producer;
pub mod prometheus;
mod proxy;
pub mod raw;
mod wait;

pub use producer::{Deliveries, Producer, deliver, producer};
pub use proxy::KafkaProxy;
pub use wait::{until, until_async, until_true};
