//! The embedded stack: what the demo and the tests use where an observatory has Kafka, a schema registry and InfluxDB.
//!
//! Nothing here is on the data's way in production. Each part listens on loopback only, on a free port, keeps everything in memory
//! and ends when it is dropped.

mod broker;
mod http;
pub mod influx;
mod proxy;
pub mod raw;
mod registry;
mod schemas;

pub use broker::{Broker, BrokerError};
pub use proxy::KafkaProxy;
pub use registry::{RegistryBackup, RegistryServer};
pub use schemas::schemas;
