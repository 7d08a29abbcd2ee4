//! The services that the stages use: a broker, a registry and a database, each embedded or given by a flag.

use std::path::PathBuf;
use std::process::ExitCode;

use devstack::{Broker, RegistryServer};
use operator::telemetry::{Bucket, DatabaseAddress};
use sal::avro::Options;
use sal::name::Kind;
use schema_dir::{DirSchema, SchemaDir};
use stage::address::Address;
use stage::config::{EXIT_UNAVAILABLE, EXIT_USAGE, KafkaArgs, RegistryArgs, Secret};
use stage::create_topics::{self, Shape};
use stage::registry::{Registry, RegistryError, RegistrySetupError};

use super::DemoArgs;
use super::screen::Screen;

/// A service cannot be started or does not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServicesError {
    #[error("cannot start the embedded broker")]
    Broker(#[from] devstack::BrokerError),
    #[error("cannot start the embedded schema registry")]
    RegistryServer(#[from] std::io::Error),
    #[error(transparent)]
    RegistrySetup(#[from] RegistrySetupError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("cannot create topics at {broker}")]
    Topics {
        broker: String,
        #[source]
        source: rdkafka::error::KafkaError,
    },
    #[error(transparent)]
    Config(#[from] stage::config::KafkaConfigError),
}

impl ServicesError {
    /// As [`crate::exit`] lists them.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::RegistrySetup(_) | Self::Config(_) => EXIT_USAGE.into(),
            Self::Registry(error) if error.is_unavailable() => EXIT_UNAVAILABLE.into(),
            Self::Topics { .. } => EXIT_UNAVAILABLE.into(),
            _ => ExitCode::FAILURE,
        }
    }
}

/// The services, and the schemas of the topics that will be mocked.
pub(super) struct Services {
    pub(super) kafka: KafkaArgs,
    pub(super) registry: RegistryArgs,
    pub(super) schemas: Vec<DirSchema>,
    /// The interface files of the same topics, for salmock.
    pub(super) interfaces: SchemaDir,
    /// The database that influxsink writes to: an InfluxDB's address, or `sqlite:` and a file.
    pub(super) database: String,
    /// The same, for those who read it back.
    pub(super) written: DatabaseAddress,
    /// They stop when they are dropped.
    _embedded: (Option<Broker>, Option<RegistryServer>),
}

impl Services {
    /// Starts the services that no flag gives, registers the schemas and creates the topics.
    pub(super) async fn start(args: &DemoArgs, screen: &mut Screen) -> Result<Self, ServicesError> {
        let interfaces = SchemaDir::Interfaces(devstack::schemas());
        let schemas = mocked_schemas(&interfaces, usize::from(args.topics));

        let (broker, kafka) = match &args.broker {
            Some(address) => (None, KafkaArgs::at(address)),
            None => {
                let broker = Broker::start()?;
                let mut kafka = KafkaArgs::at(broker.bootstrap_servers());
                kafka
                    .settings
                    .extend(Broker::fetch_hints().iter().map(|pair| (*pair).into()));
                (Some(broker), kafka)
            }
        };
        screen.service("kafka", &kafka.broker, broker.is_some());
        let (server, url) = match &args.schema_registry {
            Some(url) => (None, Address::from(url.as_str())),
            None => {
                let server = RegistryServer::start().await?;
                let url = server.url().into();
                (Some(server), url)
            }
        };
        screen.service("schema registry", &url.to_string(), server.is_some());
        let registry = RegistryArgs::at(url);
        let client = Registry::new(&registry)?;
        for schema in &schemas {
            client.register(&schema.subject, &schema.text).await?;
        }
        let names = topic_names(&schemas);
        match &broker {
            Some(broker) => names.iter().try_for_each(|name| broker.create_topic(name, 1))?,
            None => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let config = kafka.client_config(&[])?;
                let shape = Shape {
                    partitions: 1,
                    replication: -1,
                };
                create_topics::create(&config, &names, shape, &[], std::time::Duration::from_secs(30))
                    .await
                    .map_err(|source| ServicesError::Topics {
                        broker: kafka.broker.clone(),
                        source,
                    })?;
            }
        }
        screen.prepared(schemas.len(), names.len());
        let database = match &args.influxdb {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", database_file(args).display()),
        };
        screen.service("database", &database, args.influxdb.is_none());
        let written = match database.strip_prefix("sqlite:") {
            Some(path) => DatabaseAddress::Sqlite(path.into()),
            None => DatabaseAddress::InfluxdbV2(Bucket {
                url: database.as_str().into(),
                org: args.influxdb_org.clone(),
                bucket: args.influxdb_bucket.clone(),
                token: std::env::var("INFLUXDB_TOKEN").ok().map(Secret::new),
            }),
        };
        Ok(Self {
            kafka,
            registry,
            schemas,
            interfaces,
            database,
            written,
            _embedded: (broker, server),
        })
    }
}

/// The first `count` topics that SAL sends as text: telemetry, then events, then commands, each sorted by name.
fn mocked_schemas(interfaces: &SchemaDir, count: usize) -> Vec<DirSchema> {
    let options = Options {
        wire_extras: true,
        ..Options::default()
    };
    let mut schemas = interfaces.schemas(&options).schemas;
    // SAL's generator leaves out acknowledgements, heartbeats and internal commands.
    schemas.retain(|schema| {
        let name = schema.topic.sal_name();
        schema.kind != Kind::Ackcmd && !name.ends_with("Heartbeat") && !name.ends_with("InternalCommand")
    });
    schemas.sort_by(|a, b| (a.kind, &a.topic).cmp(&(b.kind, &b.topic)));
    schemas.truncate(count);
    schemas
}

/// The names of the record topics of these SAL topics, and of the text topics.
fn topic_names(schemas: &[DirSchema]) -> Vec<String> {
    let outputs = schemas.iter().map(|schema| schema.kafka_topic.clone());
    let inputs = schemas
        .iter()
        .map(|s| format!("{}_{}", s.topic.component(), s.kind.wire_word()));
    let mut names: Vec<String> = outputs.chain(inputs).collect();
    names.sort();
    names.dedup();
    names
}

fn database_file(args: &DemoArgs) -> PathBuf {
    args.database
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("kafka-efd-demo-{}.sqlite", std::process::id())))
}
