//! The flags of influxsink, each with an environment variable.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use stage::config::defaults::{AUTO_OFFSET_RESET, UNKNOWN_SCHEMA_GRACE};
use stage::config::{
    ClusterArgs, KafkaArgs, MemberArgs, RegistryArgs, ServiceArgs, Timestamp, WorkerArgs, parse_timestamp,
    seconds,
};
use stage::intake::Topics;
use stage::memory::MIN_MIB;
use stage::shell::{CompletionsArgs, ManArgs};

use confluent_avro::point::Mapping;

use super::{DatabaseArgs, FieldArgs, FormatArgs, PointIdentityArgs, PointValueArgs};

const EXAMPLE: &str = "\
Example: all SAL topics of two components into InfluxDB 2:

  export INFLUXDB_TOKEN=...
  influxsink run --broker kafka:9092 --schema-registry http://registry:8081 \\
      --topic-regex '^lsst\\.sal\\.(MTM1M3|MTMount)\\.' \\
      --into http://influxdb:8086 --org lsst --bucket efd

Metrics in JSON, which need no schema registry:

  influxsink run metrics --format json --time-field timestamp --time-unit ms --tag-field host

An hour of which the database lost points, once more: --from 2026-11-21T10:00:00Z --to 2026-11-21T11:00:00Z.
The same into a file: --into sqlite:efd.db. What cannot be written is in the topic <group>.dead-letter,
as the original bytes, with the reason in its headers.";

/// Confluent Avro from Kafka to InfluxDB (or SQLite): nothing lost, nothing guessed
#[derive(Debug, Parser)]
#[command(name = "influxsink", version, after_help = EXAMPLE)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// The named cluster.
    #[command(flatten)]
    pub clusters: ClusterArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write topics into a database until stopped
    #[command(after_help = EXAMPLE)]
    Run(Box<RunArgs>),
    #[allow(missing_docs)]
    #[command(
        after_help = "Example: influxsink completions bash > ~/.local/share/bash-completion/completions/influxsink"
    )]
    Completions(CompletionsArgs),
    #[allow(missing_docs)]
    #[command(
        after_help = "Examples:\n\n  influxsink man | man -l -\n  influxsink man ~/.local/share/man/man1"
    )]
    Man(ManArgs),
}

/// What happens to a record whose schema cannot be that of its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaMismatch {
    /// Its partition waits until the registry has the right schema.
    Wait,
    /// It is kept in the dead-letter topic.
    DeadLetter,
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

    /// Write all topics whose name matches, including new ones; anchored only by ^ and $. Dead letters are never
    /// included: topics named *.dead-letter, this sink's own, and messages with a dead letter's headers
    #[arg(long, env = "TOPIC_REGEX", value_name = "REGEX", conflicts_with = "topics")]
    pub topic_regex: Option<String>,

    /// Consumer group; replicas of one sink share it
    #[arg(long, env = "GROUP", default_value = "influxsink", value_name = "NAME")]
    pub group: String,

    /// Where a group starts that has read nothing yet; `latest` skips existing messages and logs how many. A group that
    /// has read before continues where it was, or at the beginning of what retention left
    #[arg(
        long,
        env = "AUTO_OFFSET_RESET",
        default_value = AUTO_OFFSET_RESET,
        value_parser = ["earliest", "latest"]
    )]
    pub auto_offset_reset: String,

    /// Topic for messages that cannot be written [default: <group>.dead-letter]
    #[arg(long, env = "DEAD_LETTER_TOPIC", value_name = "TOPIC")]
    pub dead_letter_topic: Option<String>,

    /// What records are.
    #[command(flatten)]
    pub format: FormatArgs,

    /// The databases.
    #[command(flatten)]
    pub databases: DatabaseArgs,

    /// How long one request may take, in seconds
    #[arg(
        long,
        env = "REQUEST_TIMEOUT",
        default_value = "10",
        value_name = "S",
        value_parser = seconds,
        help_heading = "Database"
    )]
    pub request_timeout: Duration,

    /// Compress requests: a quarter of the bytes for twice the CPU time, for a remote database
    #[arg(long, env = "INFLUXDB_GZIP", help_heading = "Database")]
    pub gzip: bool,

    /// Requests that a worker may have in flight at once. Points that overwrite each other never are: batches of one
    /// measurement whose times overlap are written one after the other
    #[arg(
        long,
        env = "REQUESTS_IN_FLIGHT",
        default_value_t = 2,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=16),
        help_heading = "Batches"
    )]
    pub requests_in_flight: u32,

    /// Write when this many bytes of lines are gathered
    #[arg(
        long,
        env = "BATCH_BYTES",
        default_value_t = 2 << 20,
        value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1..=20_000_000),
        help_heading = "Batches"
    )]
    pub batch_bytes: u32,

    /// Write when this many points are gathered
    #[arg(
        long,
        env = "BATCH_POINTS",
        default_value_t = 5_000,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        help_heading = "Batches"
    )]
    pub batch_points: u32,

    /// Write when the oldest point has waited this long, in seconds [default: three times as long as the database takes
    /// to answer, at most 0.1]
    #[arg(
        long,
        env = "FLUSH_INTERVAL",
        value_name = "S",
        value_parser = seconds,
        help_heading = "Batches"
    )]
    pub flush_interval: Option<Duration>,

    /// A field that becomes a tag; can be repeated. Not salIndex: the clients of the EFD filter on that field
    /// (--tag-copy keeps it). An empty tag is left out
    #[arg(
        long,
        env = "TAG_FIELDS",
        value_name = "FIELD",
        value_delimiter = ',',
        help_heading = "Points"
    )]
    pub tag_field: Vec<String>,

    /// The field that holds the point's time; of several, the first that a record has: a long with a logical
    /// timestamp type, a double of seconds, or a long or int of --time-unit (all UTC). kafka.timestamp, as the last or
    /// only one, takes the message's timestamp in Kafka for records that have none of them
    #[arg(
        long,
        env = "TIME_FIELDS",
        value_name = "FIELD",
        value_delimiter = ',',
        default_values = ["sal_created", "private_efdStamp"],
        help_heading = "Points"
    )]
    pub time_field: Vec<String>,

    /// Use Kafka's timestamp if a record's own time is missing, zero or out of range, instead of refusing the record
    #[arg(long, env = "TIME_FROM_KAFKA", help_heading = "Points")]
    pub time_from_kafka: bool,

    /// Which fields are written.
    #[command(flatten)]
    pub fields: FieldArgs,

    /// What values become.
    #[command(flatten)]
    pub point_values: PointValueArgs,

    /// Points that would overwrite each other.
    #[command(flatten)]
    pub point_identity: PointIdentityArgs,

    /// Write only records from this time on (their time in Kafka), up to --to, and end with a summary on stdout: to
    /// repair a database.
    #[arg(
        long, env = "FROM", value_name = "TIME", value_parser = parse_timestamp, allow_hyphen_values = true,
        help_heading = "Replay"
    )]
    pub from: Option<Timestamp>,

    /// Where that ends, exclusive; by default now
    #[arg(
        long, env = "TO", value_name = "TIME", value_parser = parse_timestamp, allow_hyphen_values = true,
        help_heading = "Replay"
    )]
    pub to: Option<Timestamp>,

    /// Name of a replay that several replicas share, or that continues after a restart: they are the group
    /// <group>.replay-NAME, which is kept. Without it each replay has its own group, removed at its end; the live group
    /// is never touched
    #[arg(long, env = "REPLAY", value_name = "NAME", help_heading = "Replay")]
    pub replay: Option<String>,

    /// Memory of the process, in MiB: while InfluxDB is unavailable, consumption pauses below this. One batch of each
    /// broker is decompressed whole, whatever that takes
    #[arg(
        long,
        env = "MAX_MEMORY",
        default_value_t = 256,
        value_name = "MIB",
        value_parser = clap::value_parser!(u32).range(i64::from(MIN_MIB)..)
    )]
    pub max_memory: u32,

    /// How long records wait for a schema id that the registry does not know, in seconds: it may lag. Then they become
    /// dead letters
    #[arg(
        long,
        env = "UNKNOWN_SCHEMA_GRACE",
        default_value = UNKNOWN_SCHEMA_GRACE,
        value_name = "S",
        value_parser = seconds,
        help_heading = "Schemas"
    )]
    pub unknown_schema_grace: Duration,

    /// What happens to a record whose schema id belongs to another topic, or means another schema than before: a
    /// registry that has lost its data assigns its ids again
    #[arg(
        long,
        env = "SCHEMA_MISMATCH",
        value_enum,
        default_value_t = SchemaMismatch::Wait,
        help_heading = "Schemas"
    )]
    pub schema_mismatch: SchemaMismatch,

    /// How many workers.
    #[command(flatten)]
    pub workers: WorkerArgs,

    /// The consumer group.
    #[command(flatten)]
    pub member: MemberArgs,

    /// Kafka.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// The schema registry.
    #[command(flatten)]
    pub registry: RegistryArgs,

    /// Logging, monitoring and shutdown.
    #[command(flatten)]
    pub service: ServiceArgs,
}

impl RunArgs {
    /// For embedded use: the flags' defaults except for these.
    pub fn new(
        topics: Topics,
        into: impl Into<String>,
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
            format: FormatArgs::default(),
            databases: DatabaseArgs::at(into),
            request_timeout: Duration::from_secs(10),
            gzip: false,
            requests_in_flight: 2,
            batch_bytes: 2 << 20,
            batch_points: 5_000,
            flush_interval: None,
            tag_field: mapping.tag_fields,
            time_field: mapping.time_fields,
            time_from_kafka: false,
            fields: FieldArgs::default(),
            point_values: PointValueArgs::default(),
            point_identity: PointIdentityArgs::default(),
            from: None,
            to: None,
            replay: None,
            max_memory: 256,
            unknown_schema_grace: Duration::from_secs(30),
            schema_mismatch: SchemaMismatch::Wait,
            workers: WorkerArgs::default(),
            member: MemberArgs::default(),
            kafka,
            registry,
            service,
        }
    }
}
