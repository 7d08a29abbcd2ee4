//! Assembles the sink (client, dead letters, registry, database, workers) and runs it until the service ends. Each of
//! several outputs is such a sink, with its own consumer group, and so with its own progress; they share the registry's
//! client and the schemas.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use stage::config::KafkaConfigError;
use stage::create_topics;
use stage::dead_letter::DeadLetters;
use stage::intake::{Intake, IntakeError, IntakeOptions, run_generations};
use stage::kafka::Reporter;
use stage::metrics::{KafkaMetrics, MetricsError};
use stage::registry::{Grace, Registry, RegistrySetupError};
use stage::service::{Dependency, Service, SharedDependency, Shutdown};
use tokio::runtime::Handle;

use crate::config::{Config, OutputConfig, RecordFormat, RunArgs, To};
use crate::metrics::SinkMetrics;
use crate::overwrites::Overwrites;
use crate::replay::{Replay, ReplayError};
use crate::schema_cache::SharedSchemaCache;
use crate::schemas::Schemas;
use crate::sqlite::SqliteWriter;
use crate::worker::{SharedFormat, SinkWorkers};
use crate::write::{Delivery, Destination, InfluxSetupError, InfluxWriter};

/// The sink cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A librdkafka setting.
    #[error("cannot use the Kafka settings")]
    KafkaConfig(#[from] KafkaConfigError),
    /// The dead letters' producer.
    #[error("cannot create the producer of dead letters")]
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
        /// SQLite's message.
        #[source]
        source: rusqlite::Error,
    },
    /// The topics of a replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The summary of a replay cannot be printed.
    #[error("the replay's summary cannot be written to stdout")]
    Summary(#[source] std::io::Error),
    /// A metric is registered twice: two sinks on one registry.
    #[error("cannot register the metrics")]
    Metrics(#[from] MetricsError),
    /// The consumer or a worker.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

/// Runs the sink until `service` ends; `runtime` sends the HTTP requests. Blocks, so it must not run on one of the
/// runtime's threads.
///
/// When it returns without an error, every consumed message is written or a dead letter, or was given up at the drain's
/// deadline and stays uncommitted. An error of one output ends all.
pub fn run(config: &Config, service: &Service, runtime: &Handle) -> Result<(), RunError> {
    let shared = Shared {
        args: &config.args,
        schemas: match config.args.format.format {
            RecordFormat::Avro => Some(schemas(config, service, runtime)?),
            RecordFormat::Json => None,
        },
        runtime,
    };
    let outputs = config.outputs.iter().map(|output| {
        let part = match &output.name {
            Some(name) if config.outputs.len() > 1 => service.part("output", name)?,
            _ => service.clone(),
        };
        Ok((output, part))
    });
    let outputs: Vec<_> = outputs.collect::<Result<_, MetricsError>>()?;
    if let [(output, service)] = outputs.as_slice() {
        return run_output(output, &shared, service);
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = outputs
            .iter()
            .map(|(output, service)| scope.spawn(|| run_until_one_fails(output, &shared, service)))
            .collect();
        let ended = running.into_iter().map(|thread| thread.join());
        // All are waited for, before the first error or panic is passed on.
        let ended: Vec<_> = ended.collect();
        ended
            .into_iter()
            .try_for_each(|ended| ended.unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// The schemas of the registry, which is watched from now on.
fn schemas(config: &Config, service: &Service, runtime: &Handle) -> Result<Arc<Schemas>, RunError> {
    let registry = Arc::new(Registry::new(&config.args.registry)?);
    let schemas = Arc::new(Schemas::new(
        Arc::clone(&registry),
        SharedDependency::new(service.readiness.dependency("registry")),
    ));
    runtime.spawn(watch_registry(
        registry,
        Arc::clone(&schemas),
        service.shutdown.clone(),
    ));
    Ok(schemas)
}

/// What the outputs share.
struct Shared<'a> {
    args: &'a RunArgs,
    /// None if records are JSON.
    schemas: Option<Arc<Schemas>>,
    runtime: &'a Handle,
}

/// One of several outputs. A process in which one has ended would look as if it worked.
fn run_until_one_fails(
    output: &OutputConfig,
    shared: &Shared<'_>,
    service: &Service,
) -> Result<(), RunError> {
    let _guard = service.shutdown.fail_on_panic();
    let ended = run_output(output, shared, service);
    if ended.is_err() {
        service.shutdown.fail();
    }
    ended
}

fn run_output(config: &OutputConfig, shared: &Shared<'_>, service: &Service) -> Result<(), RunError> {
    let (args, runtime) = (shared.args, shared.runtime);
    let kafka_metrics = KafkaMetrics::register(&service.metrics)?;
    kafka_metrics.lag.limit(args.member.max_lag_series);
    let reporter = Reporter::new(kafka_metrics, service.readiness.dependency("kafka"));
    let metrics = SinkMetrics::register(&service.metrics)?;
    let client = args.kafka.client_config(&[("client.id", "influxsink")])?;
    let replay = match config.range {
        Some(range) => {
            let kafka = service.readiness.dependency("kafka");
            match Replay::of(config, range, &client, &kafka, &service.shutdown)? {
                Some(replay) => Some(replay),
                None => return Ok(()),
            }
        }
        None => None,
    };
    let has_read_range = Arc::new(AtomicBool::new(false));
    let sink = Sink {
        has_read_range: Arc::clone(&has_read_range),
        config: config.clone(),
        args: args.clone(),
        schemas: shared.schemas.clone(),
        grace: Arc::new(Grace::new(args.unknown_schema_grace)),
        destination: destination(config, &metrics, runtime)?,
        overwrites: Arc::new(Overwrites::new(metrics.overwritten.clone())),
        database: service.readiness.dependency("database"),
        client: client.clone(),
        reporter,
        metrics: metrics.clone(),
        runtime: runtime.clone(),
    };
    runtime.spawn(create_topics::make_dead_letter_topic(
        sink.client.clone(),
        config.dead_letter_topic.clone(),
    ));
    runtime.spawn(watch_records(
        sink.reporter.clone(),
        sink.client.clone(),
        service.shutdown.clone(),
    ));
    let (kafka, stuck_timeout) = (sink.reporter.metrics().clone(), args.service.stuck_timeout);
    let ended = run_generations(
        &service.shutdown,
        &kafka,
        stuck_timeout,
        move |shutdown, say| sink.run(shutdown, say),
        |error: &RunError| match error {
            RunError::Intake(error) => error.remake(),
            _ => None,
        },
    );
    let Some(replay) = replay else { return ended };
    let is_read = ended.is_ok() && has_read_range.load(Ordering::Acquire) && !service.shutdown.has_failed();
    let told = replay.end(is_read, &client, &metrics, runtime);
    ended?;
    told.map_err(RunError::Summary)
}

/// The state shared by all generations of the sink's Kafka clients.
struct Sink {
    config: OutputConfig,
    args: RunArgs,
    client: ClientConfig,
    reporter: Reporter,
    metrics: SinkMetrics,
    schemas: Option<Arc<Schemas>>,
    grace: Arc<Grace<u32>>,
    destination: Destination,
    overwrites: Arc<Overwrites>,
    database: Dependency,
    runtime: Handle,
    /// Whether the whole assigned part of the range is written.
    has_read_range: Arc<AtomicBool>,
}

impl Sink {
    /// Runs with its own clients until `shutdown`, and reports how it ended before it closes them.
    fn run(&self, shutdown: &Shutdown, say: &dyn Fn(Result<(), RunError>)) {
        let reporter = self.reporter.renewed();
        let dead_letters = match self.dead_letters(&reporter, shutdown) {
            Ok(dead_letters) => Arc::new(dead_letters),
            Err(error) => return say(Err(RunError::DeadLetters(error))),
        };
        let options = self.options();
        let broker_assigns = options.config.get("group.protocol") == Some("consumer");
        let letters = self.config.letters.clone().looks_at_topics(broker_assigns);
        let intake = match Intake::new(options, reporter) {
            Ok(intake) => intake,
            Err(error) => return say(Err(error.into())),
        };
        let (config, args) = (&self.config, &self.args);
        let delivery = || {
            Delivery::new(
                self.destination.clone(),
                self.metrics.clone(),
                self.database.clone(),
                shutdown.clone(),
            )
        };
        let workers = SinkWorkers {
            format: self.format(shutdown),
            shutdown: shutdown.clone(),
            limits: config.limits,
            flush_interval: config.flush_interval,
            kafka_time: config.kafka_time,
            layout: config.layout.clone(),
            overwrites: Arc::clone(&self.overwrites),
            dead_letters,
            letters: Arc::new(letters),
            metrics: self.metrics.clone(),
            writers: match config.to {
                // A SQLite file allows one transaction at a time.
                To::Sqlite(_) => 1,
                To::Influx(_) => args.requests_in_flight as usize,
            },
            delivery,
        };
        tracing::info!(
            group = config.group,
            topics = ?config.topics,
            into = %config.to,
            dead_letter_topic = config.dead_letter_topic,
            "sink is running"
        );
        let ended = intake.run(&workers, shutdown).map_err(RunError::from);
        self.has_read_range
            .store(ended.is_ok() && intake.has_read_range(), Ordering::Release);
        say(ended);
    }

    fn format(&self, shutdown: &Shutdown) -> SharedFormat {
        let (config, args) = (&self.config, &self.args);
        match &self.schemas {
            Some(schemas) => SharedFormat::Avro(SharedSchemaCache {
                schemas: Arc::clone(schemas),
                grace: Arc::clone(&self.grace),
                mismatch: args.schema_mismatch,
                readiness: schemas.readiness().clone(),
                mapping: config.mapping.clone(),
                metrics: self.metrics.clone(),
                runtime: self.runtime.clone(),
                shutdown: shutdown.clone(),
            }),
            None => SharedFormat::Json(config.json.clone()),
        }
    }

    fn dead_letters(&self, reporter: &Reporter, shutdown: &Shutdown) -> Result<DeadLetters, KafkaError> {
        let mut client = self.client.clone();
        self.config.memory.limit_dead_letters(&mut client);
        let counted = self.metrics.dead_letters.clone();
        DeadLetters::new(
            &client,
            &self.config.group,
            &self.config.dead_letter_topic,
            reporter.clone(),
            shutdown.clone(),
            Box::new(move |reason| counted.with_label_values(&[reason.step, reason.reason]).inc()),
        )
    }

    fn options(&self) -> IntakeOptions {
        let (config, args) = (&self.config, &self.args);
        let mut options = IntakeOptions::new(self.client.clone(), &config.group, config.topics.clone());
        options.except = config.letters.blacklist();
        options.range = config.range;
        options.max_bytes = config.memory.in_flight;
        options.max_resident = Some(config.memory.resident);
        config.memory.limit_consumer(&mut options.config);
        options.auto_offset_reset.clone_from(&args.auto_offset_reset);
        args.member.apply(&mut options.config);
        options.skip_undecodable_batches = args.member.skip_undecodable_batches;
        options.workers = config.workers;
        options.stuck_timeout = args.service.stuck_timeout;
        options.subsystems = self.metrics.subsystems.clone();
        options.tick_interval = options.tick_interval.min(config.flush_interval.shortest());
        options
    }
}

fn destination(
    config: &OutputConfig,
    metrics: &SinkMetrics,
    runtime: &Handle,
) -> Result<Destination, RunError> {
    Ok(match &config.to {
        To::Influx(target) => {
            let writer = InfluxWriter::new(target, metrics.clone(), runtime.clone())?;
            Destination::Influx(writer.with_precision(config.layout.precision))
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

/// Asks the registry until it answers once, because a sink without traffic has to become ready, and then whether its ids
/// still mean the same.
async fn watch_registry(registry: Arc<Registry>, schemas: Arc<Schemas>, shutdown: Shutdown) {
    let watched = async {
        registry
            .wait_until_it_answers(schemas.readiness().dependency())
            .await;
        schemas.readiness().up();
        schemas.watch().await;
    };
    tokio::select! {
        () = watched => {}
        () = shutdown.wait() => {}
    }
}

/// Reports dead letters that are not acknowledged.
async fn watch_records(reporter: Reporter, client: ClientConfig, shutdown: Shutdown) {
    tokio::select! {
        () = reporter.watch_records(client) => {}
        () = shutdown.wait() => {}
    }
}
