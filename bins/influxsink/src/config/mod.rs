//! The command line of influxsink, and the check of all of it before anything is opened.

mod flags;
mod point_identity;
mod point_values;

use std::path::PathBuf;

use reqwest::Url;
use stage::config::{KafkaConfigError, Secret, SecretError, Timestamp};
use stage::dead_letter::{self, FeedsOnItself, LetterFilter};
use stage::intake::{TimeRange, Topics};
use stage::memory::MemoryShares;
use stage::registry::{Registry, RegistrySetupError};

pub use flags::{Api, Cli, Command, RunArgs, SchemaMismatch};
pub use point_identity::PointIdentityArgs;
pub(crate) use point_values::KafkaTime;
pub use point_values::{PointValueArgs, TimeUnitName};

use crate::batch::BatchLimits;
use crate::line::Layout;
use crate::write::{InfluxSetupError, InfluxTarget, Place, Token};
use confluent_avro::point::Mapping;

/// A flag or file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `--into` is neither an address nor a file.
    #[error("--into {0:?}: expected http://host:port, https://host:port or sqlite:PATH")]
    To(String),
    /// `--into` holds a password.
    #[error("--into holds a user or password, which process lists show: use --token-file or INFLUXDB_TOKEN")]
    SecretInAddress,
    /// The token's file.
    #[error("cannot use --token-file")]
    TokenFile(#[from] SecretError),
    /// `--topic-regex`.
    #[error("--topic-regex {regex:?} is not a regular expression")]
    Regex {
        /// As given.
        regex: String,
        /// What is wrong in it.
        #[source]
        source: regex::Error,
    },
    /// `--from` and `--to`.
    #[error("nothing is between --from {from} and --to {to}")]
    EmptyRange {
        /// As understood.
        from: Timestamp,
        /// As understood.
        to: Timestamp,
    },
    /// The sink's own dead letters would be its input.
    #[error(transparent)]
    FeedsOnItself(#[from] FeedsOnItself),
    /// `--replay` alone.
    #[error("--replay names a replay of a time range: give --from, --to or both")]
    ReplayOfWhat,
    /// `--time-precision ns` into SQLite.
    #[error("--time-precision ns: the column time of a SQLite file has microseconds")]
    NanosInSqlite,
    /// `--tag-copy` under the field's own name into SQLite.
    #[error(
        "--tag-copy {0}: a SQLite table has one column of a name, so the tag needs another: --tag-copy {0}=instance"
    )]
    CopyInSqlite(String),
    /// `--time-field kafka.timestamp` before others.
    #[error(
        "--time-field kafka.timestamp comes last: every message has it, and those after it are never used"
    )]
    KafkaTimestampFirst,
    /// A librdkafka setting.
    #[error("cannot use the Kafka settings")]
    Kafka(#[from] KafkaConfigError),
    /// The registry's client.
    #[error(transparent)]
    Registry(#[from] RegistrySetupError),
    /// InfluxDB's client.
    #[error(transparent)]
    Influx(#[from] InfluxSetupError),
    /// `--topic-tag`.
    #[error("--topic-tag {0:?}: expected a name of letters, digits, '_' and '-' other than time")]
    TopicTag(String),
    /// The name of a field is empty or contains white space.
    #[error(
        "--{flag} has {name:?}, expected a field's name{}",
        if *flag == "time-field" { ", or kafka.timestamp for records without a time" } else { "" }
    )]
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

/// The checked configuration; nothing has been opened yet.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) topics: Topics,
    pub(crate) dead_letter_topic: String,
    pub(crate) letters: LetterFilter,
    pub(crate) group: String,
    pub(crate) range: Option<TimeRange>,
    /// Whether the group is useless once this process has ended: a replay without a name.
    pub(crate) is_passing: bool,
    pub(crate) memory: MemoryShares,
    pub(crate) workers: usize,
    pub(crate) to: To,
    pub(crate) limits: BatchLimits,
    pub(crate) mapping: Mapping,
    pub(crate) kafka_time: KafkaTime,
    pub(crate) layout: Layout,
    pub(crate) args: RunArgs,
}

impl RunArgs {
    /// Checks everything that can be checked without opening a port or a connection.
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
        for (flag, names) in [
            ("tag-field", &self.tag_field),
            ("time-field", &self.time_field),
            ("tiebreaker", &self.point_identity.tiebreaker),
        ] {
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
        self.kafka.client_config(&[])?;
        Registry::new(&self.registry)?;
        let range = self.range()?;
        let memory = MemoryShares::of(self.max_memory);
        let workers = self.workers.count();
        let to = self.destination()?;
        let is_sqlite = matches!(to, To::Sqlite(_));
        let layout = Layout {
            floats: self.point_values.float_format,
            ..self.point_identity.layout(is_sqlite)?
        };
        let (time_fields, kafka_time) = point_values::times(&self.time_field, self.time_from_kafka)?;
        let dead_letter_topic = dead_letter::topic_of(&self.group, self.dead_letter_topic.as_deref());
        let letters = LetterFilter::new(&topics, &dead_letter_topic)?;
        Ok(Config {
            topics,
            dead_letter_topic,
            letters,
            group: match &range {
                Some(_) => format!("{}.replay-{}", self.group, self.replay_name()),
                None => self.group.clone(),
            },
            is_passing: range.is_some() && self.replay.is_none(),
            range,
            memory,
            workers,
            to,
            limits: BatchLimits {
                // Per worker: one that fills, those in flight, and these compressed.
                bytes: (self.batch_bytes as usize)
                    .min(memory.output / ((1 + 2 * self.requests_in_flight as usize) * workers)),
                points: self.batch_points as usize,
                interval: self.flush_interval,
            },
            mapping: Mapping {
                tag_fields: self.tag_field.clone(),
                tag_copies: self.point_values.copies(is_sqlite)?,
                time_fields,
                time_unit: self.point_values.time_unit.map(Into::into),
                tiebreakers: self.point_identity.fields(),
                added_tag: self.point_identity.topic_tag.clone(),
            },
            kafka_time,
            layout,
            args: self.clone(),
        })
    }

    fn range(&self) -> Result<Option<TimeRange>, ConfigError> {
        let (from, to) = match (self.from, self.to) {
            (None, None) if self.replay.is_some() => return Err(ConfigError::ReplayOfWhat),
            (None, None) => return Ok(None),
            (from, to) => (from, to.unwrap_or_else(Timestamp::now)),
        };
        if let Some(from) = from.filter(|from| *from >= to) {
            return Err(ConfigError::EmptyRange { from, to });
        }
        Ok(Some(TimeRange {
            from: from.map(|from| from.0),
            to: to.0,
        }))
    }

    fn replay_name(&self) -> String {
        self.replay
            .clone()
            .unwrap_or_else(|| stage::unix_micros().to_string())
    }

    fn destination(&self) -> Result<To, ConfigError> {
        let wrong = || ConfigError::To(self.into.clone());
        if let Some(path) = self.into.strip_prefix("sqlite:") {
            return if path.is_empty() {
                Err(wrong())
            } else {
                Ok(To::Sqlite(path.into()))
            };
        }
        let base = Url::parse(&self.into).map_err(|_| wrong())?;
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
        let target = InfluxTarget {
            base,
            place,
            token,
            gzip: self.gzip,
            timeout: self.request_timeout,
            ca_file: self.influxdb_ca_file.clone(),
        };
        target.check()?;
        Ok(To::Influx(target))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use confluent_avro::point::time::TimeUnit;
    use stage::config::{KafkaArgs, RegistryArgs};

    use super::*;
    use crate::line::FloatFormat;

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
        assert!(error(&["--topic-regex", "("]).contains("not a regular expression"));
    }

    #[test]
    fn a_sink_does_not_feed_on_itself() {
        for flags in [
            &["a", "influxsink.dead-letter"][..],
            &["a", "--dead-letter-topic", "a"],
            &["--topic-regex", "^a$", "--dead-letter-topic", "a"],
        ] {
            assert!(error(flags).contains("without an end"), "{flags:?}");
        }
        for flags in [&["a", "other.dead-letter"][..], &["--topic-regex", "."]] {
            assert!(parse(flags).unwrap().check().is_ok(), "{flags:?}");
        }
    }

    #[test]
    fn destinations_are_checked() {
        let to = |to| {
            parse(&["t", "--into", to])
                .unwrap()
                .check()
                .map(|config| config.to)
        };
        assert!(matches!(to("sqlite:/tmp/x.db"), Ok(To::Sqlite(path)) if path == *"/tmp/x.db"));
        assert!(matches!(to("https://host:1/path"), Ok(To::Influx(_))));
        for wrong in ["sqlite:", "host:8086", "ftp://host", "/tmp/x.db"] {
            assert!(matches!(to(wrong), Err(ConfigError::To(_))), "{wrong}");
        }
        let secret = error(&["t", "--into", "http://me:s3cr3t@host"]);
        assert!(
            !secret.contains("s3cr3t") && secret.contains("INFLUXDB_TOKEN"),
            "{secret}"
        );
        assert!(error(&["t", "--token-file", "/nowhere"]).contains("--token-file"));
    }

    #[test]
    fn a_replay_has_a_range_and_a_group_of_its_own() {
        let check = |flags: &[&str]| parse(flags).unwrap().check().unwrap();
        assert_eq!(check(&["t"]).group, "influxsink");
        let hour = check(&[
            "t",
            "--from",
            "1970-01-02T00:00:00Z",
            "--to",
            "1970-01-02T01:00:00Z",
        ]);
        let (from, to) = (Some(86_400_000), 90_000_000);
        assert_eq!(hour.range, Some(TimeRange { from, to }));
        assert!(hour.group.starts_with("influxsink.replay-"), "{}", hour.group);
        let named = check(&["t", "--from", "-1h", "--replay", "night", "--group", "efd"]);
        assert_eq!(named.group, "efd.replay-night");
        assert!(error(&["t", "--from", "2026-01-02", "--to", "2026-01-01"]).contains("nothing is between"));
        assert!(error(&["t", "--replay", "night"]).contains("give --from"));
        assert!(
            parse(&["t", "--from", "noon"])
                .unwrap_err()
                .contains("2026-11-21T10:00:00Z")
        );
    }

    #[test]
    fn batches_fit_into_the_memory() {
        let bytes = |flags: &[&str]| parse(flags).unwrap().check().unwrap().limits.bytes;
        assert_eq!(bytes(&["t", "--workers", "2"]), 2 << 20);
        assert_eq!(
            bytes(&["t", "--workers", "16", "--max-memory", "64"]),
            // A quarter of what is left of 64 MiB, for 80 batches.
            (18 << 20) / 4 / 80
        );
        assert!(parse(&["t", "--max-memory", "16"]).is_err());
    }

    #[test]
    fn values_become_what_the_flags_say() {
        let check = |flags: &[&str]| parse(flags).unwrap().check().unwrap();
        let copies = check(&["t", "--tag-copy", "salIndex=instance,HexapodID"])
            .mapping
            .tag_copies;
        let pairs: Vec<_> = copies.iter().map(|copy| (&*copy.field, &*copy.tag)).collect();
        assert_eq!(pairs, [("salIndex", "instance"), ("HexapodID", "HexapodID")]);
        for wrong in ["=a", "a=", "a b", "a=time", "a=b=c"] {
            assert!(
                parse(&["t", "--tag-copy", wrong])
                    .unwrap_err()
                    .contains("FIELD=TAG"),
                "{wrong}"
            );
        }
        let sqlite = ["t", "--into", "sqlite:x", "--tag-copy", "salIndex"];
        assert!(error(&sqlite).contains("salIndex=instance"));

        assert_eq!(check(&["t"]).mapping.time_unit, None);
        let micros = check(&["t", "--time-unit", "us"]).mapping.time_unit;
        assert_eq!(micros, Some(TimeUnit::Micros));
        assert_eq!(check(&["t"]).kafka_time, KafkaTime::Never);
        let arrival = check(&["t", "--time-field", "timestamp,kafka.timestamp"]);
        assert_eq!(arrival.mapping.time_fields, ["timestamp"]);
        assert_eq!(arrival.kafka_time, KafkaTime::IfMissing);
        let any = check(&["t", "--time-field", "kafka.timestamp", "--time-from-kafka"]);
        assert_eq!(
            (any.mapping.time_fields.len(), any.kafka_time),
            (0, KafkaTime::IfUnusable)
        );

        assert_eq!(check(&["t"]).layout.floats, FloatFormat::Exact);
        let shortest = check(&["t", "--float-format", "shortest"]).layout.floats;
        assert_eq!(shortest, FloatFormat::Shortest);
    }

    #[test]
    fn limits_and_names_are_checked() {
        assert!(parse(&["t", "--batch-points", "0"]).is_err());
        assert!(parse(&["t", "--flush-interval", "0"]).is_err());
        assert!(error(&["t", "--tag-field", "a b"]).contains("--tag-field"));
        let args = parse(&["t", "--tag-field", "salIndex,host", "--tag-field", "x", "--gzip"]).unwrap();
        assert_eq!(args.tag_field, ["salIndex", "host", "x"]);
        assert!(error(&["t", "--tiebreaker", "a b"]).contains("--tiebreaker"));
        assert!(error(&["t", "--time-field", ""]).contains("kafka.timestamp"));
        assert!(error(&["t", "--time-field", "kafka.timestamp,a"]).contains("comes last"));
        for wrong in ["", "a b", "time", "a,b=c"] {
            assert!(
                error(&["t", "--topic-tag", wrong]).contains("--topic-tag"),
                "{wrong}"
            );
        }
        let nanos = ["t", "--time-precision", "ns", "--into", "sqlite:x"];
        assert!(error(&nanos).contains("microseconds"));
        let config = parse(&["t", "--tiebreaker", "sal_sequence,kafka.offset"]).unwrap();
        let config = config.check().unwrap();
        assert_eq!(config.mapping.tiebreakers, ["sal_sequence"]);
        assert!(config.layout.offset_is_tiebreaker);
        assert!(matches!(args.check().unwrap().to, To::Influx(target) if target.gzip));
    }
}
