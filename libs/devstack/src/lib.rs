//! The embedded stack: replaces Kafka and the schema registry in the demo and in tests, and has the demo's SAL interfaces.
//!
//! Nothing here is used in production. Each part listens only on loopback, on a free port, keeps everything
//! in memory and ends when it is dropped.

mod broker;
mod http;
mod registry;
mod schemas;

pub use broker::{Broker, BrokerError};
pub use http::HttpServer;
pub use registry::{RegistryBackup, RegistryServer};
pub use schemas::schemas;
