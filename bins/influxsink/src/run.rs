//! Puts the sink together: client, dead letters, registry, database, lanes; and runs it until the service
//! ends.

use std::sync::Arc;

use pipeline::config::KafkaConfigError;
use pipeline::dead_letter::{self, DeadLetters};
use pipeline::intake::{Intake, IntakeError, IntakeOptions};
use pipeline::kafka::Reporter;
use pipeline::metrics::{KafkaMetrics, MetricsError, SinkMetrics};
use pipeline::registry::{Registry, RegistrySetupError};
use pipeline::service::{Part, Service, Shutdown};
use pipeline::topics;
use rdkafka::error::KafkaError;
use tokio::runtime::Handle;

use crate::config::{Config, To};
use crate::lane::SinkLanes;
use crate::plans::PlanSource;
use crate::sqlite::SqliteWriter;
use crate::write::{Delivery, Destination, InfluxSetupError, InfluxWriter};

/// The sink cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A librdkafka setting.
    #[error("cannot use the Kafka settings")]
    KafkaConfig(#[from] KafkaConfigError),
    /// The dead letters' producer.
    #[error("cannot make the producer of dead letters")]
    DeadLetters(#[source] KafkaError),
    /// The registry's client.
    #[error(transparent)]
    Registry(#[from] RegistrySetupError),
    /// InfluxDB's client.
    #[error(transparent)]
    Influx(#[from] InfluxSetupError),
    /// The SQLite file.
    #[error("cannot open the SQLite file {path:?}")]
    Sqlite {
        /// As given.
        path: std::path::PathBuf,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
    /// A metric is registered twice: two sinks on one registry.
    #[error("cannot register the metrics")]
    Metrics(#[from] MetricsError),
    /// The consumer or a lane.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

/// Runs the sink on this thread (not one of the runtime's) until `service` ends; `runtime` does the HTTP.
///
/// When it returns without an error, everything that was taken is written, dead-lettered, or was given up at
/// the drain's deadline and stays uncommitted.
pub fn run(config: &Config, service: &Service, runtime: &Handle) -> Result<(), RunError> {
    let args = &config.args;
    let kafka_metrics = KafkaMetrics::register(&service.metrics)?;
    let metrics = SinkMetrics::register(&service.metrics)?;
    let reporter = Reporter::new(kafka_metrics, service.readiness.part("kafka"));
    let client = args.kafka.client_config(&[("client.id", "influxsink")])?;

    let mut dead_letter_client = client.clone();
    config.memory.limit_dead_letters(&mut dead_letter_client);
    let dead_letters = DeadLetters::new(
        &dead_letter_client,
        &config.group,
        &dead_letter::topic_of(&args.group, args.dead_letter_topic.as_deref()),
        reporter.clone(),
        service.shutdown.clone(),
        {
            let counted = metrics.dead_letters.clone();
            Box::new(move |reason| counted.with_label_values(&[reason.stage, reason.reason]).inc())
        },
    );
    let dead_letters = Arc::new(dead_letters.map_err(RunError::DeadLetters)?);

    runtime.spawn(topics::make_dead_letter_topic(
        client.clone(),
        dead_letters.topic().to_owned(),
    ));

    let registry = Arc::new(Registry::new(&args.registry)?);
    let registry_part = service.readiness.part("registry");
    let watch = watch_registry(
        Arc::clone(&registry),
        registry_part.clone(),
        service.shutdown.clone(),
    );
    runtime.spawn(watch);

    let destination = destination(&config.to, &metrics, runtime)?;
    let database = service.readiness.part("database");
    let delivery = || {
        Delivery::new(
            destination.clone(),
            metrics.clone(),
            database.clone(),
            service.shutdown.clone(),
        )
    };
    let lanes = SinkLanes {
        plans: PlanSource {
            registry,
            readiness: registry_part,
            mapping: config.mapping.clone(),
            runtime: runtime.clone(),
            shutdown: service.shutdown.clone(),
        },
        limits: config.limits,
        time_from_kafka: args.time_from_kafka,
        dead_letters: Arc::clone(&dead_letters),
        metrics: metrics.clone(),
        writers: match config.to {
            // A SQLite file takes one transaction at a time.
            To::Sqlite(_) => 1,
            To::Influx(_) => args.requests_in_flight as usize,
        },
        delivery,
    };

    let mut options = IntakeOptions::new(client, &config.group, config.topics.clone());
    options.range = config.range;
    options.max_bytes = config.memory.in_flight;
    options.max_resident = Some(config.memory.resident);
    config.memory.limit_consumer(&mut options.config);
    options.auto_offset_reset.clone_from(&args.auto_offset_reset);
    args.member.apply(&mut options.config);
    options.skip_undecodable_batches = args.member.skip_undecodable_batches;
    options.lanes = config.lanes;
    options.tick_interval = options.tick_interval.min(config.limits.interval);
    let intake = Intake::new(options, reporter)?;
    tracing::info!(
        group = config.group,
        topics = ?config.topics,
        into = args.into,
        dead_letter_topic = dead_letters.topic(),
        "sink is running"
    );
    intake.run(&lanes, &service.shutdown)?;
    Ok(())
}

fn destination(to: &To, metrics: &SinkMetrics, runtime: &Handle) -> Result<Destination, RunError> {
    Ok(match to {
        To::Influx(target) => {
            let writer = InfluxWriter::new(target, metrics.clone(), runtime.clone())?;
            Destination::Influx(writer)
        }
        To::Sqlite(path) => {
            let opened = SqliteWriter::open(path).map_err(|source| RunError::Sqlite {
                path: path.clone(),
                source,
            })?;
            Destination::Sqlite(opened)
        }
    })
}

/// Asks the registry until it answers once: a sink without traffic is ready too. From then on the lanes know.
async fn watch_registry(registry: Arc<Registry>, part: Part, shutdown: Shutdown) {
    tokio::select! {
        () = registry.wait_until_it_answers(&part) => {}
        () = shutdown.wait() => {}
    }
}
