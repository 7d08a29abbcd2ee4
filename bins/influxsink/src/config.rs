//! The command line of influxsink, and the check of all of it before anything is opened.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pipeline::config::{KafkaArgs, RegistryArgs, Secret, SecretError, ServiceArgs, seconds};
use pipeline::intake::Topics;
use reqwest::Url;

use crate::batch::BatchLimits;
use crate::decode::Mapping;
use crate::write::{InfluxTarget, Place, Token};

const EXAMPLE: &str = "\
Example: all SAL topics of two components into InfluxDB 2, each indexed component's instances apart:

  export INFLUXDB_TOKEN=...
  influxsink run --broker kafka:9092 --schema-registry http://registry:8081 \\
      --topic-regex '^lsst\\.sal\\.(MTM1M3|MTMount)\\.' --tag-field salIndex \\
      --to http://influxdb:8086 --org lsst --bucket efd

The same into a file: --to sqlite:efd.db. What cannot be written is in the topic <group>.dead-letter,
as the original bytes, with the reason in its headers.";

/// Confluent Avro from Kafka to InfluxDB (or SQLite): nothing lost, nothing guessed
#[derive(Debug, Parser)]
#[command(name = "influxsink", version, after_help = EXAMPLE)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write topics into a database until stopped
    #[command(after_help = EXAMPLE)]
    Run(Box<RunArgs>),
}

/// Which write interface of InfluxDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Api {
    /// /api/v2/write: InfluxDB 2, 3 and 1.8
    V2,
    /// /write: InfluxDB 1
    V1,
}

/// The flags of `influxsink run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Topics to write
    #[arg(
        env = "TOPICS",
        value_name = "TOPIC",
        value_delimiter = ',',
        required_unless_present = "topic_regex"
    )]
    pub topics: Vec<String>,

    /// Write all topics whose name matches, new ones included; anchored only where it says ^ or $
    #[arg(long, env = "TOPIC_REGEX", value_name = "REGEX", conflicts_with = "topics")]
    pub topic_regex: Option<String>,

    /// Consumer group; replicas of one sink share it
    #[arg(long, env = "GROUP", default_value = "influxsink", value_name = "NAME")]
    pub group: String,

    /// Where a group starts that has no committed offset
    #[arg(long, env = "AUTO_OFFSET_RESET", default_value = "earliest", value_parser = ["earliest", "latest"])]
    pub auto_offset_reset: String,

    /// Topic for what cannot be written [default: <group>.dead-letter]
    #[arg(long, env = "DEAD_LETTER_TOPIC", value_name = "TOPIC")]
    pub dead_letter_topic: Option<String>,

    /// The database: an InfluxDB's address, or sqlite: and a file
    #[arg(
        long,
        env = "INFLUXDB_URL",
        default_value = "http://localhost:8086",
        value_name = "URL|sqlite:PATH",
        help_heading = "Database"
    )]
    pub to: String,

    /// Write interface of InfluxDB
    #[arg(long, env = "INFLUXDB_API", value_enum, default_value_t = Api::V2, help_heading = "Database")]
    pub api: Api,

    /// Organisation (v2); InfluxDB 1.8 and 3 ignore it
    #[arg(
        long,
        env = "INFLUXDB_ORG",
        default_value = "default",
        value_name = "NAME",
        help_heading = "Database"
    )]
    pub org: String,

    /// Bucket (v2); for InfluxDB 1.8 database/retention-policy
    #[arg(
        long,
        env = "INFLUXDB_BUCKET",
        default_value = "efd",
        value_name = "NAME",
        help_heading = "Database"
    )]
    pub bucket: String,

    /// Database (v1)
    #[arg(
        long,
        env = "INFLUXDB_DATABASE",
        default_value = "efd",
        value_name = "NAME",
        help_heading = "Database"
    )]
    pub database: String,

    /// File that holds the token (for InfluxDB 1: user:password), read again when it is refused; or put it into the environment: INFLUXDB_TOKEN
    #[arg(
        long,
        env = "INFLUXDB_TOKEN_FILE",
        value_name = "FILE",
        help_heading = "Database"
    )]
    pub token_file: Option<PathBuf>,

    /// How long one request may take, in seconds
    #[arg(long, env = "REQUEST_TIMEOUT", default_value = "10", value_name = "S", value_parser = seconds, help_heading = "Database")]
    pub request_timeout: Duration,

    /// Send requests uncompressed
    #[arg(long, env = "NO_GZIP", overrides_with = "gzip", help_heading = "Database")]
    pub no_gzip: bool,

    /// Compress requests (the default)
    #[arg(long, help_heading = "Database")]
    pub gzip: bool,

    /// Write when this many bytes of lines are gathered
    #[arg(long, env = "BATCH_BYTES", default_value_t = 1 << 20, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=20_000_000), help_heading = "Batches")]
    pub batch_bytes: u32,

    /// Write when this many points are gathered
    #[arg(long, env = "BATCH_POINTS", default_value_t = 5_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Batches")]
    pub batch_points: u32,

    /// Write when the oldest point has waited this long, in seconds
    #[arg(long, env = "FLUSH_INTERVAL", default_value = "0.1", value_name = "S", value_parser = seconds, help_heading = "Batches")]
    pub flush_interval: Duration,

    /// A field that becomes a tag, as often as needed. Instances of an indexed component need salIndex here to be kept apart
    #[arg(
        long,
        env = "TAG_FIELDS",
        value_name = "FIELD",
        value_delimiter = ',',
        help_heading = "Points"
    )]
    pub tag_field: Vec<String>,

    /// The field that holds the point's time; of several, the first that a record has: a long with a logical timestamp type, or a
    /// double of seconds (UTC)
    #[arg(long, env = "TIME_FIELDS", value_name = "FIELD", value_delimiter = ',', default_values = ["sal_created", "private_efdStamp"], help_heading = "Points")]
    pub time_field: Vec<String>,

    /// Take Kafka's time stamp where a record's own time is missing, zero or out of range, instead of refusing the record
    #[arg(long, env = "TIME_FROM_KAFKA", help_heading = "Points")]
    pub time_from_kafka: bool,

    /// How many lanes consume, encode and write in parallel [default: one a core]
    #[arg(long, env = "LANES", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub lanes: Option<u32>,

    /// Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// The schema registry.
    #[command(flatten)]
    pub registry: RegistryArgs,

    /// Logs, metrics, life and end.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// A flag or file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `--to` is neither an address nor a file.
    #[error("--to {0:?}: expected http://host:port, https://host:port or sqlite:PATH")]
    To(String),
    /// `--to` holds a password.
    #[error("--to holds a user or password, which process lists show: use --token-file or INFLUXDB_TOKEN")]
    SecretInAddress,
    /// The token's file.
    #[error("cannot use --token-file")]
    TokenFile(#[from] SecretError),
    /// `--topic-regex`.
    #[error("--topic-regex {regex:?} is no regular expression")]
    Regex {
        /// As given.
        regex: String,
        /// What is wrong in it.
        #[source]
        source: regex::Error,
    },
    /// Names that are one too many times there or empty.
    #[error("--{flag} has {name:?}, expected a field's name")]
    FieldName {
        /// The flag.
        flag: &'static str,
        /// As given.
        name: String,
    },
}

/// Where points go, checked.
#[derive(Clone, Debug)]
pub enum To {
    /// An InfluxDB.
    Influx(InfluxTarget),
    /// A SQLite file.
    Sqlite(PathBuf),
}

/// What the flags say, checked; nothing has been opened yet.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) topics: Topics,
    pub(crate) to: To,
    pub(crate) limits: BatchLimits,
    pub(crate) mapping: Mapping,
    pub(crate) args: RunArgs,
}

impl RunArgs {
    /// For embedded use: the flags' defaults but for these.
    pub fn new(
        topics: Topics,
        to: impl Into<String>,
        kafka: KafkaArgs,
        registry: RegistryArgs,
        service: ServiceArgs,
    ) -> Self {
        let (topics, topic_regex) = match topics {
            Topics::Named(names) => (names, None),
            Topics::Matching(regex) => (Vec::new(), Some(regex)),
        };
        let mapping = Mapping::default();
        Self {
            topics,
            topic_regex,
            group: "influxsink".to_owned(),
            auto_offset_reset: "earliest".to_owned(),
            dead_letter_topic: None,
            to: to.into(),
            api: Api::V2,
            org: "default".to_owned(),
            bucket: "efd".to_owned(),
            database: "efd".to_owned(),
            token_file: None,
            request_timeout: Duration::from_secs(10),
            no_gzip: false,
            gzip: false,
            batch_bytes: 1 << 20,
            batch_points: 5_000,
            flush_interval: Duration::from_millis(100),
            tag_field: mapping.tag_fields,
            time_field: mapping.time_fields,
            time_from_kafka: false,
            lanes: None,
            kafka,
            registry,
            service,
        }
    }

    /// Checks everything that can be checked without opening a port or asking anyone.
    pub fn check(&self) -> Result<Config, ConfigError> {
        let topics = match &self.topic_regex {
            Some(regex) => {
                let checked = regex::Regex::new(regex);
                checked.map_err(|source| ConfigError::Regex {
                    regex: regex.clone(),
                    source,
                })?;
                Topics::Matching(regex.clone())
            }
            None => Topics::Named(self.topics.clone()),
        };
        for (flag, names) in [("tag-field", &self.tag_field), ("time-field", &self.time_field)] {
            if let Some(name) = names
                .iter()
                .find(|name| name.trim().is_empty() || name.contains(char::is_whitespace))
            {
                return Err(ConfigError::FieldName {
                    flag,
                    name: name.clone(),
                });
            }
        }
        Ok(Config {
            topics,
            to: self.destination()?,
            limits: BatchLimits {
                bytes: self.batch_bytes as usize,
                points: self.batch_points as usize,
                interval: self.flush_interval,
            },
            mapping: Mapping {
                tag_fields: self.tag_field.clone(),
                time_fields: self.time_field.clone(),
            },
            args: self.clone(),
        })
    }

    fn destination(&self) -> Result<To, ConfigError> {
        let wrong = || ConfigError::To(self.to.clone());
        if let Some(path) = self.to.strip_prefix("sqlite:") {
            return if path.is_empty() {
                Err(wrong())
            } else {
                Ok(To::Sqlite(path.into()))
            };
        }
        let base = Url::parse(&self.to).map_err(|_| wrong())?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(ConfigError::SecretInAddress);
        }
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(wrong());
        }
        let token = match &self.token_file {
            Some(path) => {
                Secret::from_file(path)?;
                Token::File(path.clone())
            }
            None => match std::env::var("INFLUXDB_TOKEN") {
                Ok(token) if !token.trim().is_empty() => Token::Fixed(Secret::new(token.trim())),
                _ => Token::None,
            },
        };
        let place = match self.api {
            Api::V2 => Place::V2 {
                org: self.org.clone(),
                bucket: self.bucket.clone(),
            },
            Api::V1 => Place::V1 {
                database: self.database.clone(),
            },
        };
        Ok(To::Influx(InfluxTarget {
            base,
            place,
            token,
            gzip: !self.no_gzip,
            timeout: self.request_timeout,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Result<RunArgs, String> {
        let cli =
            Cli::try_parse_from(["influxsink", "run"].iter().chain(flags)).map_err(|e| e.to_string())?;
        let Command::Run(args) = cli.command;
        Ok(*args)
    }

    fn error(flags: &[&str]) -> String {
        parse(flags).unwrap().check().unwrap_err().to_string()
    }

    #[test]
    fn embedded_defaults_are_the_flags_defaults() {
        let service = parse(&["t"]).unwrap().service;
        let (kafka, registry) = (
            KafkaArgs::at("localhost:9092"),
            RegistryArgs::at("http://localhost:8081"),
        );
        let embedded = RunArgs::new(
            Topics::Named(vec!["t".into()]),
            "http://localhost:8086",
            kafka,
            registry,
            service,
        );
        assert_eq!(format!("{:?}", parse(&["t"]).unwrap()), format!("{embedded:?}"));
    }

    #[test]
    fn topics_are_needed_once() {
        assert!(parse(&[]).unwrap_err().contains("TOPIC"));
        assert!(
            parse(&["t", "--topic-regex", "x"])
                .unwrap_err()
                .contains("cannot be used with")
        );
        assert!(matches!(
            parse(&["--topic-regex", "x"]).unwrap().check().unwrap().topics,
            Topics::Matching(_)
        ));
        assert!(error(&["--topic-regex", "("]).contains("no regular expression"));
    }

    #[test]
    fn destinations_are_checked() {
        let to = |to| parse(&["t", "--to", to]).unwrap().check().map(|config| config.to);
        assert!(matches!(to("sqlite:/tmp/x.db"), Ok(To::Sqlite(path)) if path == PathBuf::from("/tmp/x.db")));
        assert!(matches!(to("https://host:1/path"), Ok(To::Influx(_))));
        for wrong in ["sqlite:", "host:8086", "ftp://host", "/tmp/x.db"] {
            assert!(matches!(to(wrong), Err(ConfigError::To(_))), "{wrong}");
        }
        let secret = error(&["t", "--to", "http://me:s3cr3t@host"]);
        assert!(
            !secret.contains("s3cr3t") && secret.contains("INFLUXDB_TOKEN"),
            "{secret}"
        );
        assert!(error(&["t", "--token-file", "/nowhere"]).contains("--token-file"));
    }

    #[test]
    fn limits_and_names_are_checked() {
        assert!(parse(&["t", "--batch-points", "0"]).is_err());
        assert!(parse(&["t", "--flush-interval", "0"]).is_err());
        assert!(error(&["t", "--tag-field", "a b"]).contains("--tag-field"));
        let args = parse(&[
            "t",
            "--tag-field",
            "salIndex,host",
            "--tag-field",
            "x",
            "--no-gzip",
        ])
        .unwrap();
        assert_eq!(args.tag_field, ["salIndex", "host", "x"]);
        assert!(matches!(args.check().unwrap().to, To::Influx(target) if !target.gzip));
    }
}
