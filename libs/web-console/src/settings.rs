//! What the console is started with.

use std::time::Duration;

use operator::connectors::ConnectSettings;
use operator::telemetry::Database;
use stage::config::{KafkaArgs, RegistryArgs};

use crate::access::Access;

/// What the console asks, and who may change something.
#[derive(Debug)]
pub struct Settings {
    /// The brokers.
    pub kafka: KafkaArgs,
    /// The registry.
    pub registry: RegistryArgs,
    /// Addresses of the stages' metrics, `HOST:PORT` or URLs.
    pub metrics: Vec<String>,
    /// The database that influxsink writes to; without one, plots are drawn from Kafka.
    pub database: Option<Database>,
    /// A worker of Kafka Connect.
    pub connect: Option<ConnectSettings>,
    /// Who may change something.
    pub access: Access,
    /// How often stages and brokers are asked.
    pub interval: Duration,
    /// Whether it shows the demo's embedded services.
    pub is_demo: bool,
}
