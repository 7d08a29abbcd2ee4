//! salmock, a stand-in for SAL: the source of messages in the demo and in load tests.
//!
//! ```text
//! schemas (registry or directory) ─▶ source ─▶ topic_schema ─▶ values ─┬▶ text ─┐
//!                                                        schedule ─────┤        ├─▶ produce ─▶ Kafka ─▶ consume
//!                                                       timestamp ─────┴▶ avro ─┘
//! ```

pub mod avro;
pub mod config;
pub mod consume;
mod delivery;
pub mod metrics;
pub mod produce;
pub mod schedule;
pub mod source;
pub mod text;
pub mod timestamp;
pub mod topic_schema;
pub mod values;
mod watch;

pub use consume::{ConsumeError, consume};
pub use produce::Report;

use stage::config::KafkaConfigError;
use stage::kafka::Reporter;
use stage::metrics::{KafkaMetrics, MetricsError};
use stage::registry::{Registry, RegistrySetupError};
use stage::service::Service;

use config::ProduceConfig;
use metrics::SalmockMetrics;
use produce::SendError;
use source::SourceError;

/// Producing cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// The Kafka settings.
    #[error("cannot use the kafka settings")]
    Settings(#[from] KafkaConfigError),
    /// The settings of the schema registry.
    #[error("cannot use the schema registry's settings")]
    Registry(#[from] RegistrySetupError),
    /// A metric is registered twice.
    #[error("cannot register metrics")]
    Metrics(#[from] MetricsError),
    /// There are no topics to mock.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Messages cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Produces until the count is reached or `service` is shut down; the report counts what was acknowledged.
///
/// # Errors
/// When the registry does not answer, there are no topics, or Kafka's settings are invalid. An unavailable
/// broker is waited for.
pub async fn produce(config: &ProduceConfig, service: &Service) -> Result<Report, ProduceError> {
    let client = config.kafka.client_config(&config::PRODUCER)?;
    let registry = Registry::new(&config.registry)?;
    let metrics = SalmockMetrics::register(&service.metrics)?;
    let reporter = Reporter::new(
        KafkaMetrics::register(&service.metrics)?,
        service.readiness.dependency("kafka"),
    );
    let topics = source::topics(config, &registry).await?;
    tracing::info!(
        topics = topics.len(),
        format = ?config.format,
        period_seconds = config.period.as_secs_f64(),
        rate = topics.len() as f64 / config.period.as_secs_f64(),
        "mocking SAL"
    );
    let watch = tokio::spawn(reporter.clone().watch_records(client.clone()));
    let report = produce::send(
        config,
        &client,
        &topics,
        reporter,
        &metrics,
        config.stuck_timeout,
        &service.shutdown,
    )
    .await;
    watch.abort();
    Ok(report?)
}
