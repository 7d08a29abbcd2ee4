//! `saltransform run`: assembles the stage and runs it until the service ends.

use std::sync::{Arc, Mutex};

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use sal::avro::{FieldTypes, Options};
use schema_dir::{SchemaDir, SchemaDirError};
use stage::config::KafkaConfigError;
use stage::create_topics;
use stage::dead_letter::{self, DeadLetters, FeedsOnItself, LetterFilter};
use stage::intake::{Intake, IntakeError, IntakeOptions, Topics, run_generations};
use stage::kafka::Reporter;
use stage::lock;
use stage::metrics::{KafkaMetrics, MetricsError};
use stage::reason::Reason;
use stage::registry::{Registry, RegistrySetupError};
use stage::service::{Service, SharedDependency, Shutdown};
use tokio::runtime::Handle;

use crate::config::{OffsetReset, RunArgs, time_scale};
use crate::metrics::TransformMetrics;
use crate::producer::{self, Acknowledged, Identity, Producer, Transactional};
use crate::schema_cache::{Naming, SharedSchemaCache, Surroundings};
use crate::worker::Shared;

/// The names of a subsystem's input topics, from the generator and from the services around it.
const KINDS: &str = "telemetry|logevents?|events?|commands?";

/// The stage cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The Kafka settings cannot be read.
    #[error("invalid kafka settings")]
    Config(#[from] KafkaConfigError),
    /// A Kafka client cannot be created from the settings.
    #[error("invalid kafka settings")]
    Client(#[from] KafkaError),
    /// The registry's client cannot be created.
    #[error("invalid schema registry settings")]
    Registry(#[from] RegistrySetupError),
    /// A name that is not a SAL subsystem.
    #[error("{0:?} is not a subsystem: expected letters and digits, for example MTM1M3TS")]
    Subsystem(String),
    /// The stage's own dead letters would be its input.
    #[error(transparent)]
    FeedsOnItself(#[from] FeedsOnItself),
    /// The directory of interface files cannot be used.
    #[error("cannot use --interfaces")]
    SchemaDir(#[from] SchemaDirError),
    /// The metrics are registered already.
    #[error("cannot register the metrics")]
    Metrics(#[from] MetricsError),
    /// The intake cannot continue.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

/// A stage whose configuration has been checked.
pub struct Stage {
    /// The first intake; others follow when it is stuck.
    intake: Mutex<Option<Intake>>,
    options: IntakeOptions,
    producer: ClientConfig,
    identity: Identity,
    letters: Arc<LetterFilter>,
    schema_cache: Arc<SharedSchemaCache>,
    metrics: TransformMetrics,
    reporter: Reporter,
    service: Service,
    args: RunArgs,
}

impl Stage {
    /// Checks the whole configuration and creates the clients. Nothing outside needs to be available yet.
    ///
    /// Call it on a tokio runtime.
    pub fn new(args: &RunArgs, service: &Service) -> Result<Self, RunError> {
        let metrics = TransformMetrics::register(&service.metrics)?;
        let kafka_metrics = KafkaMetrics::register(&service.metrics)?;
        kafka_metrics.lag.limit(args.member.max_lag_series);
        let reporter = Reporter::new(kafka_metrics, service.readiness.dependency("kafka"));
        let group = group(args);
        let consumer = args.kafka.client_config(&[
            ("client.id", "saltransform"),
            (
                "check.crcs",
                if args.disable_consumer_check_crcs {
                    "false"
                } else {
                    "true"
                },
            ),
        ])?;
        let dead_letter_topic = dead_letter::topic_of(&group, args.dead_letter_topic.as_deref());
        let topics = input(args)?;
        // A subsystem's expression is a list of names.
        if topics.has(&dead_letter_topic) {
            return Err(FeedsOnItself::by(dead_letter_topic).into());
        }
        let letters = LetterFilter::new(&topics, &dead_letter_topic)?;
        let mut intake = IntakeOptions::new(consumer, &group, topics);
        intake.except = letters.blacklist();
        intake.rewind_to_start = args.rewind_to_start;
        intake.auto_offset_reset = match args.auto_offset_reset {
            OffsetReset::Earliest => "earliest".to_owned(),
            OffsetReset::Latest => "latest".to_owned(),
        };
        intake.workers = args.workers.count();
        args.member.apply(&mut intake.config);
        intake.skip_undecodable_batches = args.member.skip_undecodable_batches;
        let broker_assigns = intake.config.get("group.protocol") == Some("consumer");
        let letters = letters.looks_at_topics(broker_assigns);
        let mut producer = producer::config(args)?;
        if args.exactly_once {
            intake.commit_interval = args.commit_interval;
            producer.set("transactional.id", transactional_id(args, &group));
        }
        let identity = Identity {
            dead_letter_topic,
            group,
        };
        let naming = Naming {
            dialect: args.naming.dialect,
            subname: args.naming.subname.clone(),
            time_scale: time_scale(args.time_scale, args.naming.dialect),
            types: types(args)?,
        };
        let registry = Arc::new(Registry::new(&args.registry)?);
        let surroundings = Surroundings {
            runtime: Handle::current(),
            metrics: metrics.clone(),
            dependency: SharedDependency::new(service.readiness.dependency("registry")),
            unacknowledged: reporter.unacknowledged().clone(),
        };
        let schema_cache = SharedSchemaCache::new(registry, naming, args.unknown_schema_grace, surroundings);
        intake.stuck_timeout = args.service.stuck_timeout;
        intake.subsystems = metrics.subsystems.clone();
        Ok(Self {
            intake: Mutex::new(Some(Intake::new(intake.clone(), reporter.clone())?)),
            options: intake,
            producer,
            identity,
            letters: Arc::new(letters),
            schema_cache: Arc::new(schema_cache),
            metrics,
            reporter,
            service: service.clone(),
            args: args.clone(),
        })
    }

    /// Runs on this thread, which must not be one of the runtime's, until the service's shutdown, then drains.
    pub fn run(self) -> Result<(), RunError> {
        let runtime = self.schema_cache.runtime().clone();
        let background = runtime.spawn(background(
            Arc::clone(&self.schema_cache),
            self.args.clone(),
            self.identity.dead_letter_topic.clone(),
            self.reporter.clone(),
        ));
        let (shutdown, metrics) = (self.service.shutdown.clone(), self.reporter.metrics().clone());
        let stuck_timeout = self.args.service.stuck_timeout;
        let generation = move |shutdown: &Shutdown, say: &dyn Fn(_)| self.generation(shutdown, say);
        let remake = |error: &RunError| match error {
            RunError::Intake(error) => error.remake(),
            _ => None,
        };
        let result = run_generations(&shutdown, &metrics, stuck_timeout, generation, remake);
        background.abort();
        result
    }

    /// Runs with its own clients until `shutdown`, and reports how it ended before it closes them.
    fn generation(&self, shutdown: &Shutdown, say: &dyn Fn(Result<(), RunError>)) {
        let first = lock(&self.intake).take();
        let (intake, reporter) = match first {
            Some(first) => (Ok(first), self.reporter.clone()),
            None => {
                let reporter = self.reporter.renewed();
                (Intake::new(self.options.clone(), reporter.clone()), reporter)
            }
        };
        let intake = match intake {
            Ok(intake) => intake,
            Err(error) => return say(Err(error.into())),
        };
        let producer = match self.producer(reporter, shutdown.clone()) {
            Ok(producer) => producer,
            Err(error) => return say(Err(error)),
        };
        let shared = Shared {
            schema_cache: Arc::clone(&self.schema_cache),
            producer,
            letters: Arc::clone(&self.letters),
            metrics: self.metrics.clone(),
            shutdown: shutdown.clone(),
        };
        say(intake.run(&shared, shutdown).map_err(RunError::from));
    }

    fn producer<'m>(&self, reporter: Reporter, shutdown: Shutdown) -> Result<Producer<'m>, RunError> {
        let metrics = self.metrics.clone();
        if self.args.exactly_once {
            let identity = self.identity.clone();
            // A fatal error of this producer is the commit thread's to handle.
            let reporter = reporter.with_own_fatal();
            let producer = Transactional::new(&self.producer, identity, reporter, metrics, shutdown)?;
            return Ok(Producer::Transactional(Arc::new(producer)));
        }
        let counter = metrics.dead_letters.clone();
        let letters = DeadLetters::new(
            &self
                .args
                .kafka
                .client_config(&[("client.id", "saltransform-dead-letters")])?,
            &self.identity.group,
            &self.identity.dead_letter_topic,
            reporter.clone(),
            shutdown.clone(),
            Box::new(move |Reason { step, reason, .. }| counter.with_label_values(&[*step, *reason]).inc()),
        )?;
        let producer = Acknowledged::new(&self.producer, letters, reporter, metrics, shutdown)?;
        Ok(Producer::Acknowledged(Arc::new(producer)))
    }
}

/// Background tasks: creates the dead-letter topic if it is missing, refreshes schemas, and reports unacknowledged
/// records.
async fn background(
    schema_cache: Arc<SharedSchemaCache>,
    args: RunArgs,
    dead_letter_topic: String,
    reporter: Reporter,
) {
    let config = args.kafka.client_config(&[("client.id", "saltransform-admin")]);
    let make_topic = async {
        if let Ok(config) = &config {
            create_topics::make_dead_letter_topic(config.clone(), dead_letter_topic).await;
        }
    };
    let records = async {
        if let Ok(config) = &config {
            reporter.watch_records(config.clone()).await;
        }
    };
    let registry = async {
        schema_cache.wait_for_registry().await;
        schema_cache.keep_fresh(args.schema_refresh).await;
    };
    tokio::join!(make_topic, registry, records);
}

fn group(args: &RunArgs) -> String {
    match (&args.group, args.topic.as_slice()) {
        (Some(group), _) => group.clone(),
        (None, [topic]) => topic.clone(),
        (None, []) => format!("saltransform-{}", args.subsystem.join("-")),
        (None, topics) => format!("saltransform-{}", topics.join("-")),
    }
}

/// A replica's transactional id. A static member keeps it over restarts, so that transactions left open by an earlier
/// process end at once; any other member gets a new one, and its open transactions end with the transaction's time-out.
fn transactional_id(args: &RunArgs, group: &str) -> String {
    match &args.member.group_instance_id {
        Some(instance) => format!("{group}-{instance}"),
        None => format!("{group}-{:032x}", rand::random::<u128>()),
    }
}

/// The SAL types of fields in `--interfaces`.
fn types(args: &RunArgs) -> Result<FieldTypes, SchemaDirError> {
    let Some(dir) = &args.interfaces.dir else {
        return Ok(FieldTypes::default());
    };
    let options = Options {
        dialect: args.naming.dialect,
        subname: args.naming.subname.clone(),
        subsystems: args.subsystem.clone(),
        ..Options::default()
    };
    Ok(SchemaDir::read(dir)?.field_types(&options))
}

fn input(args: &RunArgs) -> Result<Topics, RunError> {
    if !args.topic.is_empty() {
        return Ok(Topics::Named(args.topic.clone()));
    }
    if let Some(wrong) = args
        .subsystem
        .iter()
        .find(|name| name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()))
    {
        return Err(RunError::Subsystem(wrong.clone()));
    }
    Ok(Topics::Matching(format!(
        "^({})_({KINDS})$",
        args.subsystem.join("|")
    )))
}
