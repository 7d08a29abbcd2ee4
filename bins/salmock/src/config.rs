//! The command line of salmock, checked completely before anything is opened.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sal::name::{DEFAULT_SUBNAME, Dialect, Kind};
use sal::time::TimeScale;
use schema_dir::{InterfacesArgs, SchemaDir, SchemaDirError};
use stage::config::defaults::COMMAND_LOG_LEVEL;
use stage::config::{ClusterArgs, KafkaArgs, KafkaConfigError, RegistryArgs, ServiceArgs, seconds};
use stage::kafka::SAFE_PRODUCER;
use stage::registry::{Registry, RegistrySetupError};
use stage::shell::{CompletionsArgs, ManArgs};

/// Seconds between two messages of a topic, unless a flag says otherwise.
pub const DEFAULT_PERIOD: &str = "1";

/// Producer defaults, which `-X` overrides.
pub(crate) const PRODUCER: [(&str, &str); 5] = [
    SAFE_PRODUCER[0],
    SAFE_PRODUCER[1],
    ("client.id", "salmock"),
    ("compression.type", "lz4"),
    ("linger.ms", "5"),
];

const EXAMPLE: &str = "\
Examples:

  salmock produce --max-topics 100                      100 topics of the registry at 1 Hz, as SAL text
  salmock produce --kind telemetry --max-topics 10 --period 0.01
  salmock produce --format avro --interfaces schemas/ --topic MTM1M3TS_thermalData --period 0.1
  salmock consume lsst.sal.MTM1M3TS_thermalData --count 1";

/// Mock SAL: plausible messages of many topics at a steady rate
#[derive(Debug, Parser)]
#[command(name = "salmock", version, after_help = EXAMPLE)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,

    /// The named cluster.
    #[command(flatten)]
    pub clusters: ClusterArgs,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send messages until stopped, or until --count messages of each topic were sent
    #[command(after_help = EXAMPLE)]
    Produce(Box<ProduceArgs>),
    /// Print a topic's messages as JSON, one per line
    Consume(Box<ConsumeArgs>),
    #[allow(missing_docs)]
    #[command(
        after_help = "Example: salmock completions bash > ~/.local/share/bash-completion/completions/salmock"
    )]
    Completions(CompletionsArgs),
    #[allow(missing_docs)]
    #[command(after_help = "Examples:\n\n  salmock man | man -l -\n  salmock man ~/.local/share/man/man1")]
    Man(ManArgs),
}

/// The format of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// SAL text into <component>_telemetry, <component>_logevent and <component>_command, the input of
    /// saltransform
    Text,
    /// Confluent Avro into one Kafka topic per SAL topic, as written by saltransform
    Avro,
}

/// The kinds of topics that SAL sends as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TopicKind {
    /// Measured values
    Telemetry,
    /// What happens
    Event,
    /// Requests to components
    Command,
}

impl TopicKind {
    fn kind(self) -> Kind {
        match self {
            Self::Telemetry => Kind::Telemetry,
            Self::Event => Kind::Event,
            Self::Command => Kind::Command,
        }
    }
}

/// The flags of `salmock produce`.
#[derive(Args, Debug, Clone)]
#[command(mut_arg("interfaces", |arg| arg.help(
    "Read the topics from this folder of SAL interfaces or Avro schemas instead of the registry; Avro schemas are then \
     uploaded to the registry"
)))]
pub struct ProduceArgs {
    /// SAL topic to mock (MTM1M3TS_thermalData); can be repeated [default: all SAL topics]
    #[arg(long, env = "TOPICS", value_name = "SAL_TOPIC", value_delimiter = ',')]
    pub topic: Vec<String>,

    /// Mock only topics of this kind [default: all kinds]
    #[arg(long, env = "KIND", value_enum, conflicts_with = "topic")]
    pub kind: Option<TopicKind>,

    /// Mock only the first N topics in alphabetical order
    #[arg(long, env = "MAX_TOPICS", value_name = "N")]
    pub max_topics: Option<usize>,

    /// Seconds between two messages of a topic
    #[arg(long, env = "PERIOD", default_value = DEFAULT_PERIOD, value_name = "S", value_parser = seconds)]
    pub period: Duration,

    /// Stop after this many messages of each topic
    #[arg(long, env = "COUNT", value_name = "N")]
    pub count: Option<u64>,

    /// Seed of the random values; the same seed gives the same values
    #[arg(long, env = "SEED", default_value_t = 1, value_name = "N")]
    pub seed: u64,

    /// Format of the messages
    #[arg(long, env = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// Where the topics come from, instead of the registry.
    #[command(flatten)]
    pub interfaces: InterfacesArgs,

    /// Dialect of schemas and Kafka topics: efd (2019) or ts_xml (today)
    #[arg(long, env = "DIALECT", default_value_t, value_name = "DIALECT")]
    pub dialect: Dialect,

    /// Second part of the Kafka topics' names: lsst.<subname>.…
    #[arg(long, env = "SUBNAME", default_value = DEFAULT_SUBNAME, value_name = "NAME")]
    pub subname: String,

    /// Time scale of text messages: utc or tai [default: utc in dialect efd, tai in dialect ts_xml]
    #[arg(long, env = "TIME_SCALE", value_name = "SCALE")]
    pub time_scale: Option<TimeScale>,

    /// Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// The schema registry.
    #[command(flatten)]
    pub registry: RegistryArgs,

    /// Logs, metrics, health and shutdown.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Where `consume` starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// The oldest available message
    Earliest,
    /// The next message
    Latest,
}

/// The flags of `salmock consume`.
#[derive(Args, Debug, Clone)]
pub struct ConsumeArgs {
    /// Kafka topic of Avro records or SAL text; the headers of a dead-letter topic are printed too
    pub topic: String,

    /// Where to start
    #[arg(long, env = "FROM", value_enum, default_value_t = From::Earliest)]
    pub from: From,

    /// Stop after this many messages
    #[arg(long, env = "COUNT", value_name = "N")]
    pub count: Option<u64>,

    /// Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// The schema registry.
    #[command(flatten)]
    pub registry: RegistryArgs,

    /// error, warn, info, debug, trace, or a filter such as info,librdkafka=debug; logs go to standard error
    #[arg(long, env = "LOG_LEVEL", default_value = COMMAND_LOG_LEVEL, value_name = "FILTER")]
    pub log_level: String,
}

/// A flag or directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `--interfaces`.
    #[error("cannot use --interfaces")]
    Schemas(#[from] SchemaDirError),
    /// Nothing would be sent.
    #[error("--{0} 0 would send nothing")]
    Nothing(&'static str),
    /// The Kafka settings.
    #[error("cannot use the kafka settings")]
    Kafka(#[from] KafkaConfigError),
    /// The schema registry's settings.
    #[error("cannot use the schema registry's settings")]
    Registry(#[from] RegistrySetupError),
}

/// Where the topics come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The subjects of a schema registry.
    Registry,
    /// Interface files or schemas, from a directory or embedded.
    Files(SchemaDir),
}

/// What to produce; checked, but nothing has been opened yet.
#[derive(Debug, Clone)]
pub struct ProduceConfig {
    /// Where the topics come from.
    pub source: Source,
    /// SAL topics or Kafka topics; empty for all.
    pub topics: Vec<String>,
    /// Only topics of this kind.
    pub kind: Option<Kind>,
    /// At most this many, in alphabetical order.
    pub max_topics: Option<usize>,
    /// The time between two messages of a topic.
    pub period: Duration,
    /// The number of messages of each topic; unlimited if absent.
    pub count: Option<u64>,
    /// The seed of the values.
    pub seed: u64,
    /// Text or Avro.
    pub format: Format,
    /// The dialect of schemas and Kafka topics.
    pub dialect: Dialect,
    /// The second part in `lsst.<subname>.…`.
    pub subname: String,
    /// The time scale of text messages.
    pub time_scale: TimeScale,
    /// Kafka.
    pub kafka: KafkaArgs,
    /// The schema registry.
    pub registry: RegistryArgs,
    /// How long the producer may get no answer from a cluster that answers other clients.
    pub stuck_timeout: Duration,
}

impl ProduceConfig {
    /// For embedded use: everything else has the default of its flag.
    pub fn new(source: Source, kafka: KafkaArgs, registry: RegistryArgs) -> ProduceConfig {
        ProduceConfig {
            source,
            topics: Vec::new(),
            kind: None,
            max_topics: None,
            period: Duration::from_secs(1),
            count: None,
            seed: 1,
            format: Format::Text,
            dialect: Dialect::default(),
            subname: DEFAULT_SUBNAME.to_owned(),
            time_scale: TimeScale::Utc,
            kafka,
            registry,
            stuck_timeout: ServiceArgs::default().stuck_timeout,
        }
    }
}

impl ProduceArgs {
    /// Checks everything that can be checked without a connection.
    ///
    /// # Errors
    /// When a flag or the schema directory cannot be used.
    pub fn check(&self) -> Result<ProduceConfig, ConfigError> {
        if self.max_topics == Some(0) {
            return Err(ConfigError::Nothing("max-topics"));
        }
        if self.count == Some(0) {
            return Err(ConfigError::Nothing("count"));
        }
        self.kafka.client_config(&PRODUCER)?;
        Registry::new(&self.registry)?;
        let source = match &self.interfaces.dir {
            Some(dir) => Source::Files(SchemaDir::read(dir)?),
            None => Source::Registry,
        };
        let usual_scale = match self.dialect {
            Dialect::Efd => TimeScale::Utc,
            Dialect::TsXml => TimeScale::Tai,
        };
        Ok(ProduceConfig {
            source,
            topics: self.topic.clone(),
            kind: self.kind.map(TopicKind::kind),
            max_topics: self.max_topics,
            period: self.period,
            count: self.count,
            seed: self.seed,
            format: self.format,
            dialect: self.dialect,
            subname: self.subname.clone(),
            time_scale: self.time_scale.unwrap_or(usual_scale),
            kafka: self.kafka.clone(),
            registry: self.registry.clone(),
            stuck_timeout: self.service.stuck_timeout,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flags: &[&str]) -> Result<ProduceConfig, ConfigError> {
        let cli = Cli::try_parse_from(["salmock", "produce"].iter().chain(flags)).unwrap();
        match cli.command {
            Command::Produce(args) => args.check(),
            _ => panic!("produce is parsed as produce"),
        }
    }

    #[test]
    fn the_standard_load_needs_one_flag() {
        let config = check(&["--max-topics", "100"]).unwrap();
        assert_eq!(
            (config.max_topics, config.period, config.count),
            (Some(100), Duration::from_secs(1), None)
        );
        assert_eq!((config.format, config.time_scale), (Format::Text, TimeScale::Utc));
        assert!(matches!(config.source, Source::Registry));
    }

    #[test]
    fn today_sal_is_in_tai() {
        assert_eq!(
            check(&["--dialect", "ts_xml"]).unwrap().time_scale,
            TimeScale::Tai
        );
        assert_eq!(
            check(&["--dialect", "ts_xml", "--time-scale", "utc"])
                .unwrap()
                .time_scale,
            TimeScale::Utc
        );
    }

    #[test]
    fn a_kind_selects_among_all_topics() {
        let config = check(&["--kind", "event", "--max-topics", "10", "--period", "0.1"]).unwrap();
        assert_eq!(
            (config.kind, config.period),
            (Some(Kind::Event), Duration::from_millis(100))
        );
        let both = ["salmock", "produce", "--kind", "event", "--topic", "Test_scalars"];
        assert!(Cli::try_parse_from(both).is_err());
    }

    #[test]
    fn a_count_of_zero_is_refused() {
        assert_eq!(
            check(&["--count", "0"]).unwrap_err().to_string(),
            "--count 0 would send nothing"
        );
        let error = check(&["--schemas", "/nowhere"]).unwrap_err();
        assert_eq!(error.to_string(), "cannot use --interfaces");
    }
}
