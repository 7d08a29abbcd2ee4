//! `saltransform init`: registers schemas and creates the topics that `run` needs. Safe to repeat: existing ones stay.

mod topics;

use std::path::PathBuf;
use std::process::ExitCode;

use rdkafka::error::KafkaError;
use sal::avro::Options;
use sal::name::TopicName;
use schema_dir::{SchemaDir, SchemaDirError};
use stage::config::{EXIT_UNAVAILABLE, EXIT_USAGE, KafkaConfigError};
use stage::kafka::ReachError;
use stage::registry::{Registry, RegistryError, RegistrySetupError};
use stage::stdout;
use stage::text::plural;
use stage::topic_collision::TopicCollision;

use crate::config::InitArgs;
use crate::register::{self, RegisterError, Registered, Wanted};

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
    /// More copies than brokers.
    #[error(
        "nothing was changed: --replication (REPLICATION) is {wanted}, and the cluster at {broker} has {}, which hold at most one \
         copy each: give --replication {brokers}, or start the missing brokers",
        plural(*brokers, "broker")
    )]
    TooFewBrokers {
        /// As given.
        wanted: i32,
        /// How many there are.
        brokers: usize,
        /// Where the cluster is.
        broker: String,
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
    #[error(
        "{}the broker refuses {}, the first is {topic}: {reason}",
        if *is_unchanged { "nothing was changed: " } else { "" },
        plural(*count, "topic")
    )]
    Refused {
        /// Whether it said so before anything was registered or created.
        is_unchanged: bool,
        /// How many.
        count: usize,
        /// The first of them.
        topic: String,
        /// Why.
        reason: String,
    },
}

impl InitError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::RegistrySetup(_) | Self::SchemaDir(_) | Self::TooFewBrokers { .. } => {
                EXIT_USAGE.into()
            }
            Self::Unreachable { .. } => EXIT_UNAVAILABLE.into(),
            Self::Registry(error) | Self::Register(RegisterError::Registry(error))
                if error.is_unavailable() =>
            {
                EXIT_UNAVAILABLE.into()
            }
            _ => ExitCode::FAILURE,
        }
    }
}

fn others(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 more topic has the same problem".to_owned(),
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

/// Runs `init` and prints what it did. Exit code 1 if anything failed or could not be read, 64 if the flags cannot be used,
/// 69 if Kafka or the registry is unreachable or refuses access.
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
            error.exit_code()
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
/// beside another, or that the brokers refuse, is noticed before anything is changed.
pub async fn prepare(args: &InitArgs) -> Result<Prepared, InitError> {
    // Settings that cannot be used end it before anything is registered.
    args.kafka.client_config(&[])?;
    let registry = Registry::new(&args.registry)?;
    let mut prepared = Prepared::default();
    let wanted = wanted(args, &registry, &mut prepared).await?;
    let config = topics::reach(args, &wanted).await?;
    register(args, &registry, &wanted, &mut prepared).await?;
    let created = topics::create(args, &config, &wanted).await?;
    (prepared.created, prepared.existing) = (created.new, created.existing);
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
