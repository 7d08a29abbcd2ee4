//! The command line of influxsink, and the check of all of it before anything is opened.

mod databases;
mod fields;
mod flags;
mod format;
mod point_identity;
mod point_values;

use std::path::PathBuf;

use stage::config::{KafkaConfigError, SecretError, Timestamp};
use stage::dead_letter::{self, FeedsOnItself, LetterFilter};
use stage::intake::{TimeRange, Topics};
use stage::memory::{MIN_MIB, MemoryShares};
use stage::registry::{Registry, RegistrySetupError};
use stage::text::plural;

pub use databases::{Api, DatabaseArgs};
pub use fields::FieldArgs;
pub use flags::{Cli, Command, RunArgs, SchemaMismatch};
pub use format::{FormatArgs, RecordFormat};
pub use point_identity::PointIdentityArgs;
pub(crate) use point_values::KafkaTime;
pub use point_values::{PointValueArgs, TimeUnitName};

use crate::batch::BatchLimits;
use crate::flush_interval::FlushInterval;
use crate::line::{Layout, PatternError};
use crate::sqlite::check_path;
use crate::write::{InfluxSetupError, InfluxTarget};
use confluent_avro::point::{Mapping, PlainJson};

/// A flag or file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `--into` is neither an address nor a file.
    #[error("--into {0:?}: expected http://host:port, https://host:port or sqlite:PATH")]
    To(String),
    /// `--into` holds a password.
    #[error(
        "--into holds a user or password, which process lists show: use --token-file or INFLUXDB_TOKEN, or \
         --influxdb-user-file and --influxdb-password-file"
    )]
    SecretInAddress,
    /// Two outputs have one name, or one has a name with another meaning.
    #[error(
        "--into: an output cannot have the name {0:?}, which another has, or which means something else; expected \
             NAME=URL with a name for each output, such as primary and standby"
    )]
    OutputName(String),
    /// A flag of the databases is given neither for all outputs nor for each.
    #[error(
        "--{flag} is given {} for {} (--into): expected once for all, or once for each",
        plural(*given, "time"),
        plural(*outputs, "output")
    )]
    NotOnePerOutput {
        /// The flag.
        flag: &'static str,
        /// How often.
        given: usize,
        /// How many outputs there are.
        outputs: usize,
    },
    /// Two outputs write the same points to the same place.
    #[error("two outputs (--into) write into the same database at {0}")]
    SameDatabase(String),
    /// Several outputs cannot work in so little memory.
    #[error("--max-memory {given}: {outputs} outputs (--into) need at least {} MiB", *outputs as u32 * MIN_MIB)]
    TooLittleMemory {
        /// As given, in MiB.
        given: u32,
        /// How many outputs there are.
        outputs: usize,
    },
    /// A token and a user.
    #[error("--token-file and --influxdb-user-file: expected a token, or a user with a password")]
    TokenAndUser,
    /// A user without a password, or the other way round.
    #[error(
        "InfluxDB's user needs a password, and a password a user: expected both of --influxdb-user-file (or \
         INFLUXDB_USER) and --influxdb-password-file (or INFLUXDB_PASSWORD)"
    )]
    HalfALogin,
    /// The file of a secret.
    #[error("cannot use --token-file, --influxdb-user-file or --influxdb-password-file")]
    SecretFile(#[from] SecretError),
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
    /// A replay into several databases, of which one may be done before another.
    #[error(
        "--from and --to write one database: give --into once, and repeat the command for each of the {0} outputs"
    )]
    ReplayIntoSeveral(usize),
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
    /// No SQLite database can be at the path.
    #[error("--into sqlite:{}: the file cannot be used", path.display())]
    SqliteFile {
        /// As given.
        path: PathBuf,
        /// SQLite's message.
        #[source]
        source: rusqlite::Error,
    },
    /// `--field-include` or `--field-exclude`.
    #[error("--field-include or --field-exclude")]
    FieldPattern(#[from] PatternError),
    /// `--integer-field`.
    #[error("--integer-field")]
    IntegerPattern(#[source] PatternError),
    /// A flag of JSON without it.
    #[error("--{0} is for records in JSON: expected --format json with it")]
    OnlyForJson(&'static str),
    /// `--tag-field time` with JSON.
    #[error("--tag-field time: InfluxDB does not accept a tag with this name")]
    TagNamedTime,
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

impl To {
    /// Whether both are one database.
    fn is_same(&self, other: &To) -> bool {
        match (self, other) {
            (To::Influx(one), To::Influx(other)) => one.base == other.base && one.place == other.place,
            (To::Sqlite(one), To::Sqlite(other)) => one == other,
            (To::Influx(_), To::Sqlite(_)) | (To::Sqlite(_), To::Influx(_)) => false,
        }
    }
}

impl std::fmt::Display for To {
    /// The address, which holds no secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            To::Influx(target) => write!(f, "{}", target.base),
            To::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

/// The checked configuration; nothing has been opened yet.
#[derive(Clone, Debug)]
pub struct Config {
    /// At least one.
    pub(crate) outputs: Vec<OutputConfig>,
    pub(crate) args: RunArgs,
}

impl Config {
    /// Checks the SQLite files of the outputs, and creates those that are missing.
    pub fn check_files(&self) -> Result<(), ConfigError> {
        for output in &self.outputs {
            if let To::Sqlite(path) = &output.to {
                check_path(path).map_err(|source| ConfigError::SqliteFile {
                    path: path.clone(),
                    source,
                })?;
            }
        }
        Ok(())
    }
}

/// The configuration of one output: a sink with a database, a group and dead letters of its own.
#[derive(Clone, Debug)]
pub(crate) struct OutputConfig {
    /// None if it is the only one and has no name.
    pub(crate) name: Option<String>,
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
    pub(crate) flush_interval: FlushInterval,
    pub(crate) mapping: Mapping,
    /// The same for records in JSON.
    pub(crate) json: PlainJson,
    pub(crate) kafka_time: KafkaTime,
    pub(crate) layout: Layout,
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
            (
                "measurement-field",
                &self.format.measurement_field.iter().cloned().collect(),
            ),
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
        if self.format.format == RecordFormat::Avro {
            Registry::new(&self.registry)?;
        }
        let range = self.range()?;
        let outputs = self.databases.outputs()?;
        if range.is_some() && outputs.len() > 1 {
            return Err(ConfigError::ReplayIntoSeveral(outputs.len()));
        }
        if outputs.len() > 1 && self.max_memory < MIN_MIB * outputs.len() as u32 {
            return Err(ConfigError::TooLittleMemory {
                given: self.max_memory,
                outputs: outputs.len(),
            });
        }
        let memory = MemoryShares::among(self.max_memory, outputs.len());
        let output = |output: &databases::Output<'_>| -> Result<OutputConfig, ConfigError> {
            let to = self.databases.to(output, self)?;
            let is_sqlite = matches!(to, To::Sqlite(_));
            let layout = Layout {
                fields: self.fields.filter()?,
                floats: self.point_values.float_format,
                ..self.point_identity.layout(is_sqlite)?
            };
            let (time_fields, kafka_time) = point_values::times(&self.time_field, self.time_from_kafka)?;
            let group = self.group_of(output.name.as_deref());
            let dead_letter_topic = dead_letter::topic_of(&group, self.dead_letter_topic.as_deref());
            let letters = LetterFilter::new(&topics, &dead_letter_topic)?;
            let mapping = Mapping {
                tag_fields: self.tag_field.clone(),
                tag_copies: self.point_values.copies(is_sqlite)?,
                time_fields,
                time_unit: self.point_values.time_unit.map(Into::into),
                tiebreakers: self.point_identity.fields(),
                added_tag: self.point_identity.topic_tag.clone(),
            };
            Ok(OutputConfig {
                name: output.name.clone(),
                topics: topics.clone(),
                dead_letter_topic,
                letters,
                group: match &range {
                    Some(_) => format!("{group}.replay-{}", self.replay_name()),
                    None => group,
                },
                is_passing: range.is_some() && self.replay.is_none(),
                range,
                memory,
                workers: self.workers.count(),
                to,
                limits: self.limits(&memory),
                flush_interval: self
                    .flush_interval
                    .map_or(FlushInterval::Adaptive, FlushInterval::Fixed),
                json: self.format.json(&mapping)?,
                mapping,
                kafka_time,
                layout,
            })
        };
        let outputs: Vec<_> = outputs.iter().map(output).collect::<Result<_, _>>()?;
        for (at, output) in outputs.iter().enumerate() {
            if outputs.iter().take(at).any(|other| other.to.is_same(&output.to)) {
                return Err(ConfigError::SameDatabase(output.to.to_string()));
            }
        }
        Ok(Config {
            outputs,
            args: self.clone(),
        })
    }

    /// The consumer group of an output. That of `primary` has no suffix, so that a sink which gets a standby goes on
    /// where it was.
    fn group_of(&self, output: Option<&str>) -> String {
        match output {
            None | Some("primary") => self.group.clone(),
            Some(name) => format!("{}.{name}", self.group),
        }
    }

    fn limits(&self, memory: &MemoryShares) -> BatchLimits {
        let workers = self.workers.count();
        BatchLimits {
            // Per worker: one that fills, those in flight, and these compressed.
            bytes: (self.batch_bytes as usize)
                .min(memory.output / ((1 + 2 * self.requests_in_flight as usize) * workers)),
            points: self.batch_points as usize,
        }
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
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use confluent_avro::point::time::TimeUnit;
    use stage::config::{KafkaArgs, RegistryArgs};

    use super::*;
    use crate::line::FloatFormat;
    use crate::write::Credentials;

    fn parse(flags: &[&str]) -> Result<RunArgs, String> {
        let cli =
            Cli::try_parse_from(["influxsink", "run"].iter().chain(flags)).map_err(|e| e.to_string())?;
        let Command::Run(args) = cli.command else {
            panic!("run is parsed as run")
        };
        Ok(*args)
    }

    /// The configuration of the only output.
    fn only(flags: &[&str]) -> Result<OutputConfig, ConfigError> {
        let mut outputs = parse(flags).unwrap().check()?.outputs;
        assert_eq!(outputs.len(), 1);
        Ok(outputs.remove(0))
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
            only(&["--topic-regex", "x"]).unwrap().topics,
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
        let to = |to| only(&["t", "--into", to]).map(|config| config.to);
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
        let check = |flags: &[&str]| only(flags).unwrap();
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
        let bytes = |flags: &[&str]| only(flags).unwrap().limits.bytes;
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
        let check = |flags: &[&str]| only(flags).unwrap();
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
        let gzip = ["t", "--tag-field", "salIndex,host", "--tag-field", "x", "--gzip"];
        assert_eq!(only(&gzip).unwrap().mapping.tag_fields, ["salIndex", "host", "x"]);
        assert!(error(&["t", "--tiebreaker", "a b"]).contains("--tiebreaker"));
        assert!(error(&["t", "--time-field", ""]).contains("kafka.timestamp"));
        assert!(error(&["t", "--time-field", "kafka.timestamp,a"]).contains("comes last"));
        for wrong in ["", "a b", "time", "a,b=c"] {
            assert!(
                error(&["t", "--topic-tag", wrong]).contains("--topic-tag"),
                "{wrong}"
            );
        }
        for flag in ["--field-include", "--field-exclude"] {
            let error = parse(&["t", flag, "force*,a b"]).unwrap().check().unwrap_err();
            assert!(stage::chain(&error).contains("\"a b\""), "{error}");
        }
        let nanos = ["t", "--time-precision", "ns", "--into", "sqlite:x"];
        assert!(error(&nanos).contains("microseconds"));
        let config = only(&["t", "--tiebreaker", "sal_sequence,kafka.offset"]).unwrap();
        assert_eq!(config.mapping.tiebreakers, ["sal_sequence"]);
        assert!(config.layout.offset_is_tiebreaker);
        assert!(matches!(only(&gzip).unwrap().to, To::Influx(target) if target.gzip));
    }

    #[test]
    fn each_output_has_a_group_and_dead_letters_of_its_own() {
        let check = |flags: &[&str]| parse(&[&["t"], flags].concat()).unwrap().check();
        let groups = |flags: &[&str]| {
            let outputs = check(flags).unwrap().outputs;
            let group = |output: OutputConfig| format!("{} {}", output.group, output.dead_letter_topic);
            outputs.into_iter().map(group).collect::<Vec<_>>()
        };
        let alone = "influxsink influxsink.dead-letter";
        let standby = "influxsink.standby influxsink.standby.dead-letter";
        assert_eq!(groups(&["--into", "http://a"]), [alone]);
        let both = ["--into", "http://a", "--into", "http://b"];
        assert_eq!(
            groups(&both),
            [alone, standby],
            "a sink that gets a standby goes on where it was"
        );
        assert_eq!(
            groups(&["--into", "standby=http://b"]),
            [standby],
            "the name alone decides"
        );
        let error = |flags: &[&str]| check(flags).unwrap_err().to_string();
        let same = error(&["--into", "http://a", "--into", "b=http://a"]);
        assert!(same.contains("same database"), "{same}");
        assert_eq!(
            groups(&[&both[..], &["--bucket", "x", "--bucket", "y"]].concat()).len(),
            2
        );
        let replay = error(&[&both[..], &["--from", "-1h"]].concat());
        assert!(replay.contains("for each of the 2 outputs"), "{replay}");
        let little = error(&[&both[..], &["--max-memory", "100"]].concat());
        assert!(little.contains("at least 128 MiB"), "{little}");
    }

    #[test]
    fn a_login_is_a_token_or_a_user_with_a_password() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, name).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (user, password, token) = (file("user"), file("password"), file("token"));
        let login = [
            "t",
            "--influxdb-user-file",
            &user,
            "--influxdb-password-file",
            &password,
        ];
        let To::Influx(target) = only(&login).unwrap().to else {
            unreachable!("the default is an InfluxDB");
        };
        assert!(matches!(target.credentials, Credentials::Login { .. }));
        assert!(error(&login[..3]).contains("needs a password"));
        assert!(error(&[&login[..], &["--token-file", &token]].concat()).contains("expected a token, or"));
        assert!(
            error(&[
                "t",
                "--influxdb-user-file",
                "/nowhere",
                "--influxdb-password-file",
                &password
            ])
            .contains("user-file")
        );
    }
}
