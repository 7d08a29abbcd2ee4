//! `saltransform init`: registers schemas and creates the topics that `run` needs. Safe to repeat: existing ones stay.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use sal::avro::Options;
use sal::name::TopicName;
use sal::record_key::is_compacted;
use schema_dir::{SchemaDir, SchemaDirError};
use stage::config::{EXIT_USAGE, KafkaConfigError};
use stage::create_topics::{self, Created, Shape};
use stage::kafka::{self, ReachError};
use stage::registry::{Registry, RegistryError, RegistrySetupError};
use stage::stdout;
use stage::text::plural;
use stage::topic_collision::{TopicCollision, collisions};

use crate::config::InitArgs;
use crate::register::{self, RegisterError, Registered, Wanted, progress};

/// Topics in one request to the broker.
const CHUNK: usize = 500;
/// The settings of an event's topic, as ts_salobj creates it.
const COMPACTED: [(&str, &str); 1] = [("cleanup.policy", "compact")];
/// The time for one request to the broker: a large cluster creates hundreds of topics in it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The preparation failed; what was done so far stays and is harmless.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The directory cannot be read.
    #[error(transparent)]
    SchemaDir(#[from] SchemaDirError),
    /// No topic of the wanted subsystems was found.
    #[error("no SAL topic of {subsystems} in {place}; names are case-sensitive, for example MTM1M3TS")]
    Nothing {
        /// The wanted subsystems.
        subsystems: String,
        /// Where they were looked for.
        place: String,
    },
    /// The registry's client cannot be made.
    #[error(transparent)]
    RegistrySetup(#[from] RegistrySetupError),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The schemas cannot be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The Kafka settings cannot be read.
    #[error(transparent)]
    Config(#[from] KafkaConfigError),
    /// No broker can be used.
    #[error("cannot reach kafka at {broker}")]
    Unreachable {
        /// Where it should be.
        broker: String,
        /// Why.
        #[source]
        source: ReachError,
    },
    /// A topic of the other dialect is in the way.
    #[error("nothing was changed: {first}{}", others(.count - 1))]
    Collides {
        /// How many topics cannot be created.
        count: usize,
        /// The first of them.
        first: TopicCollision,
    },
    /// The broker does not answer.
    #[error("cannot create topics; is a broker at {broker}?")]
    Kafka {
        /// Where it should be.
        broker: String,
        /// librdkafka's message.
        #[source]
        source: KafkaError,
    },
    /// The broker refuses a topic.
    #[error("the broker refuses {}, the first is {topic}: {reason}", plural(*count, "topic"))]
    Refused {
        /// How many.
        count: usize,
        /// The first of them.
        topic: String,
        /// Why.
        reason: String,
    },
}

fn others(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!("; {count} more topics have the same problem"),
    }
}

/// What was prepared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    /// All subjects found or registered.
    pub subjects: usize,
    /// The results for the schemas of a directory.
    pub registered: Registered,
    /// Topics that are new.
    pub created: usize,
    /// Topics that existed.
    pub existing: usize,
    /// Interface files or topics that could not be read; the others were prepared.
    pub errors: Vec<String>,
}

/// Runs `init` and prints what it did. Exit code 1 if anything failed or could not be read, 64 if the flags cannot be used.
pub async fn main(args: &InitArgs) -> ExitCode {
    match prepare(args).await {
        Ok(prepared) => {
            for error in &prepared.errors {
                stage::stderr_line!("saltransform init: {}", stage::Printable(error));
            }
            let printed = stdout::line(&prepared);
            if let Err(error) = &printed {
                stage::stderr_line!("saltransform init: {}", stage::chain(error));
            }
            if prepared.errors.is_empty() && printed.is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            stage::stderr_line!("saltransform init: {}", stage::chain(&error));
            match error {
                InitError::Config(_) | InitError::RegistrySetup(_) | InitError::SchemaDir(_) => {
                    EXIT_USAGE.into()
                }
                _ => ExitCode::FAILURE,
            }
        }
    }
}

impl std::fmt::Display for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            subjects,
            registered,
            created,
            existing,
            ..
        } = self;
        write!(f, "{}", plural(*subjects, "subject"))?;
        if *registered != Registered::default() {
            write!(f, ": {registered}")?;
        }
        write!(f, "; {} created, {existing} existed", plural(*created, "topic"))
    }
}

/// Registers the schemas, then creates their topics and the input topics of their subsystems. A topic that cannot exist
/// beside another is noticed before anything is changed.
pub async fn prepare(args: &InitArgs) -> Result<Prepared, InitError> {
    // Settings that cannot be used end it before anything is registered.
    args.kafka.client_config(&[])?;
    let registry = Registry::new(&args.registry)?;
    let mut prepared = Prepared::default();
    let wanted = wanted(args, &registry, &mut prepared).await?;
    let config = reach(args, &wanted).await?;
    register(args, &registry, &wanted, &mut prepared).await?;
    create_topics(args, &config, &wanted, &mut prepared).await?;
    Ok(prepared)
}

/// The part that needs no broker.
pub async fn register_schemas(args: &InitArgs) -> Result<Prepared, InitError> {
    let registry = Registry::new(&args.registry)?;
    let mut prepared = Prepared::default();
    let wanted = wanted(args, &registry, &mut prepared).await?;
    register(args, &registry, &wanted, &mut prepared).await?;
    Ok(prepared)
}

async fn wanted(
    args: &InitArgs,
    registry: &Registry,
    prepared: &mut Prepared,
) -> Result<Vec<Wanted>, InitError> {
    let wanted = match &args.interfaces.dir {
        Some(dir) => from_directory(args, dir.clone(), prepared)?,
        None => from_registry(args, registry).await?,
    };
    if wanted.is_empty() {
        let subsystems = if args.subsystem.is_empty() {
            "any subsystem".into()
        } else {
            args.subsystem.join(", ")
        };
        let place = args
            .interfaces
            .dir
            .as_ref()
            .map_or_else(|| registry.url().to_string(), |dir| dir.display().to_string());
        return Err(InitError::Nothing { subsystems, place });
    }
    Ok(wanted)
}

async fn register(
    args: &InitArgs,
    registry: &Registry,
    wanted: &[Wanted],
    prepared: &mut Prepared,
) -> Result<(), InitError> {
    prepared.registered = register::register(registry, wanted, args.rules()).await?;
    prepared.subjects = wanted.len();
    Ok(())
}

fn from_directory(args: &InitArgs, dir: PathBuf, prepared: &mut Prepared) -> Result<Vec<Wanted>, InitError> {
    let options = Options {
        dialect: args.naming.dialect,
        subname: args.naming.subname.clone(),
        wire_extras: args.wire_extras,
        subsystems: args.subsystem.clone(),
    };
    let found = SchemaDir::read(&dir)?.schemas(&options);
    prepared
        .errors
        .extend(found.errors.iter().map(|error| stage::chain(error)));
    let wanted = found.schemas.into_iter().map(|schema| Wanted {
        topic: schema.topic,
        kafka_topic: schema.kafka_topic,
        subject: schema.subject,
        schema: Some(schema.text),
    });
    Ok(wanted.collect())
}

async fn from_registry(args: &InitArgs, registry: &Registry) -> Result<Vec<Wanted>, InitError> {
    let prefix = format!("lsst.{}.", args.naming.subname);
    let mut wanted = Vec::new();
    for subject in registry.subjects().await? {
        let name = subject
            .strip_prefix(&prefix)
            .and_then(|rest| rest.strip_suffix("-value"));
        let Some(topic) = name.and_then(|name| TopicName::new(name.replacen('.', "_", 1)).ok()) else {
            continue;
        };
        // The name implies the dialect: only a name that maps back to the same subject is one of SAL's.
        let is_ours = args.naming.dialect.subject(&topic, &args.naming.subname) == subject;
        if is_ours && (args.subsystem.is_empty() || args.subsystem.iter().any(|s| s == topic.component())) {
            let kafka_topic = args.naming.dialect.kafka_topic(&topic, &args.naming.subname);
            wanted.push(Wanted {
                topic,
                kafka_topic,
                subject,
                schema: None,
            });
        }
    }
    Ok(wanted)
}

/// Looks at the cluster's topics; the configuration with which it was reached.
async fn reach(args: &InitArgs, wanted: &[Wanted]) -> Result<ClientConfig, InitError> {
    let config = args.kafka.client_config(&[("client.id", "saltransform-init")])?;
    let (reached, broker) = (config.clone(), args.kafka.broker.clone());
    let metadata = tokio::task::spawn_blocking(move || kafka::reach(&reached, REQUEST_TIMEOUT))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
        .map_err(|source| InitError::Unreachable { broker, source })?;
    let names = wanted.iter().map(|wanted| wanted.kafka_topic.as_str());
    let existing = metadata.topics().iter().map(|topic| topic.name());
    let collisions = collisions(names, existing);
    let count = collisions.len();
    match collisions.into_iter().next() {
        None => Ok(config),
        Some(first) => Err(InitError::Collides { count, first }),
    }
}

async fn create_topics(
    args: &InitArgs,
    config: &ClientConfig,
    wanted: &[Wanted],
    prepared: &mut Prepared,
) -> Result<(), InitError> {
    let subsystems: BTreeSet<&str> = wanted.iter().map(|wanted| wanted.topic.component()).collect();
    let inputs = subsystems
        .iter()
        .flat_map(|subsystem| ["telemetry", "logevent", "command"].map(|kind| format!("{subsystem}_{kind}")));
    let (compacted, others): (Vec<&Wanted>, Vec<&Wanted>) = wanted
        .iter()
        .partition(|wanted| is_compacted(args.naming.dialect, wanted.topic.kind()));
    let name = |wanted: &Wanted| wanted.kafka_topic.clone();
    let others: Vec<String> = others.into_iter().map(name).chain(inputs).collect();
    let compacted: Vec<String> = compacted.into_iter().map(name).collect();
    let shape = Shape {
        partitions: args.partitions,
        replication: args.replication,
    };
    let bar = progress("creating topics", others.len() + compacted.len());
    let mut refused = Vec::new();
    let chunks = others.chunks(CHUNK).map(|chunk| (chunk, &[][..]));
    let chunks = chunks.chain(compacted.chunks(CHUNK).map(|chunk| (chunk, &COMPACTED[..])));
    for (chunk, settings) in chunks {
        let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
        let answers = create_topics::create(config, &chunk, shape, settings, REQUEST_TIMEOUT)
            .await
            .map_err(|source| InitError::Kafka {
                broker: args.kafka.broker.clone(),
                source,
            })?;
        for (name, answer) in chunk.iter().zip(answers) {
            match answer {
                Created::New => prepared.created += 1,
                Created::Existing => prepared.existing += 1,
                Created::Refused(code) => refused.push(((*name).to_owned(), code.to_string())),
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let count = refused.len();
    match refused.into_iter().next() {
        None => Ok(()),
        Some((topic, reason)) => Err(InitError::Refused { count, topic, reason }),
    }
}
