//! The embedded stack: replaces Kafka, the schema registry and InfluxDB in the demo and in tests.
//!
//! Nothing here is used in production. Each part listens only on loopback, on a free port, keeps everything
//! in memory and ends when it is dropped.

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
