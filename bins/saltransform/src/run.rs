//! `saltransform run`: puts the stage together and runs it until the service ends.

use std::sync::Arc;

use pipeline::config::KafkaConfigError;
use pipeline::dead_letter::{DeadLetters, Reason};
use pipeline::intake::{Intake, IntakeError, IntakeOptions, Topics};
use pipeline::kafka::{Reporter, SAFE_PRODUCER};
use pipeline::metrics::{KafkaMetrics, MetricsError, TransformMetrics};
use pipeline::registry::{Registry, RegistrySetupError};
use pipeline::service::Service;
use pipeline::topics;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use tokio::runtime::Handle;

use crate::config::{OffsetReset, RunArgs, time_scale};
use crate::lane::Shared;
use crate::outlet::Outlet;
use crate::targets::{Naming, SharedTargets};

/// The names that a subsystem's input topics have had, from the generator and from the services around it.
const KINDS: &str = "telemetry|logevents?|events?|commands?";

/// The stage cannot be started or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The Kafka settings cannot be read.
    #[error("wrong kafka settings")]
    Config(#[from] KafkaConfigError),
    /// A Kafka client cannot be made from the settings.
    #[error("wrong kafka settings")]
    Client(#[from] KafkaError),
    /// The registry's client cannot be made.
    #[error("wrong schema registry settings")]
    Registry(#[from] RegistrySetupError),
    /// A name that is no SAL subsystem.
    #[error("{0:?} is no subsystem: expected letters and digits, for example MTM1M3TS")]
    Subsystem(String),
    /// The metrics are registered already.
    #[error("cannot register the metrics")]
    Metrics(#[from] MetricsError),
    /// The intake cannot go on.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

/// A stage whose configuration has been checked.
pub struct Stage {
    intake: Intake,
    producer: ClientConfig,
    dead_letters: Arc<DeadLetters>,
    targets: Arc<SharedTargets>,
    metrics: TransformMetrics,
    reporter: Reporter,
    service: Service,
    args: RunArgs,
}

impl Stage {
    /// Checks the whole configuration and makes the clients. Nothing outside needs to be there yet.
    ///
    /// Call it on a tokio runtime.
    pub fn new(args: &RunArgs, service: &Service) -> Result<Self, RunError> {
        let metrics = TransformMetrics::register(&service.metrics)?;
        let reporter = Reporter::new(
            KafkaMetrics::register(&service.metrics)?,
            service.readiness.part("kafka"),
        );
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
        let mut intake = IntakeOptions::new(consumer, &group, input(args)?);
        intake.rewind_to_start = args.rewind_to_start;
        intake.auto_offset_reset = match args.auto_offset_reset {
            OffsetReset::Earliest => "earliest".to_owned(),
            OffsetReset::Latest => "latest".to_owned(),
        };
        if let Some(tasks) = args.tasks {
            intake.lanes = tasks.max(1);
        }
        let producer = producer_config(args)?;
        let counter = metrics.dead_letters.clone();
        let dead_letters = DeadLetters::new(
            &args
                .kafka
                .client_config(&[("client.id", "saltransform-dead-letters")])?,
            &group,
            args.dead_letter_topic.as_deref(),
            reporter.clone(),
            service.shutdown.clone(),
            Box::new(move |Reason { stage, reason, .. }| counter.with_label_values(&[*stage, *reason]).inc()),
        )?;
        let naming = Naming {
            dialect: args.naming.dialect,
            subname: args.naming.subname.clone(),
            time_scale: time_scale(args.time_scale, args.naming.dialect),
        };
        let registry = Arc::new(Registry::new(&args.registry)?);
        let part = service.readiness.part("registry");
        let targets = SharedTargets::new(registry, Handle::current(), naming, metrics.clone(), part);
        Ok(Self {
            intake: Intake::new(intake, reporter.clone())?,
            producer,
            dead_letters: Arc::new(dead_letters),
            targets: Arc::new(targets),
            metrics,
            reporter,
            service: service.clone(),
            args: args.clone(),
        })
    }

    /// Runs on this thread (not on the runtime's own) until the service's shutdown, then drains.
    pub fn run(self) -> Result<(), RunError> {
        let runtime = self.targets.runtime().clone();
        let background = runtime.spawn(background(
            Arc::clone(&self.targets),
            self.args.clone(),
            self.dead_letters.topic().to_owned(),
        ));
        let outlet = Arc::new(Outlet::new(
            &self.producer,
            self.reporter.clone(),
            self.metrics.clone(),
        )?);
        let shared = Shared {
            targets: Arc::clone(&self.targets),
            outlet,
            dead_letters: Arc::clone(&self.dead_letters),
            metrics: self.metrics.clone(),
            shutdown: self.service.shutdown.clone(),
        };
        let result = self.intake.run(&shared, &self.service.shutdown);
        background.abort();
        result.map_err(RunError::from)
    }
}

/// What goes on beside the messages: the dead-letter topic is made if it is missing, schemas are kept fresh.
async fn background(targets: Arc<SharedTargets>, args: RunArgs, dead_letter_topic: String) {
    let make_topic = async {
        if let Ok(config) = args.kafka.client_config(&[("client.id", "saltransform-admin")]) {
            topics::make_dead_letter_topic(config, dead_letter_topic).await;
        }
    };
    let registry = async {
        targets.wait_for_registry().await;
        targets.keep_fresh(args.schema_refresh).await;
    };
    tokio::join!(make_topic, registry);
}

fn group(args: &RunArgs) -> String {
    match (&args.group, args.topic.as_slice()) {
        (Some(group), _) => group.clone(),
        (None, [topic]) => topic.clone(),
        (None, []) => format!("saltransform-{}", args.subsystem.join("-")),
        (None, topics) => format!("saltransform-{}", topics.join("-")),
    }
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

fn producer_config(args: &RunArgs) -> Result<ClientConfig, KafkaConfigError> {
    let (idempotence, acks) = if args.disable_producer_acks {
        tracing::warn!(
            "acknowledgements are off: a record counts as produced when it is sent, and may be lost"
        );
        ("false", "0")
    } else {
        ("true", "all")
    };
    args.kafka.client_config(&[
        SAFE_PRODUCER[0],
        SAFE_PRODUCER[1],
        ("client.id", "saltransform"),
        ("enable.idempotence", idempotence),
        ("acks", acks),
        ("compression.type", &args.compression),
        // Without an end: a broker that is away is waited for; the input's offset stays where it is.
        ("message.timeout.ms", "0"),
        // 5 ms of patience fill batches at the observatory's rates and cost nothing that a reader would notice.
        ("linger.ms", "5"),
        // A full queue is the back-pressure: 32 MiB, then the lanes wait.
        ("queue.buffering.max.kbytes", "32768"),
    ])
}
