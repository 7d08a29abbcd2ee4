//! The command line of saltransform. Each flag has an environment variable.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sal::name::{DEFAULT_SUBNAME, Dialect, check_subname};
use sal::time::TimeScale;
use schema_dir::InterfacesArgs;
use stage::config::defaults::{AUTO_OFFSET_RESET, UNKNOWN_SCHEMA_GRACE};
use stage::config::{ClusterArgs, KafkaArgs, MemberArgs, RegistryArgs, ServiceArgs, WorkerArgs, seconds};
use stage::registry::PublishRules;
use stage::shell::{CompletionsArgs, ManArgs};

/// SAL text to Confluent Avro.
#[derive(Parser, Debug, Clone)]
#[command(
    version,
    about,
    after_help = "Example: saltransform run --subsystem MTM1M3TS --broker localhost:9092"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// The named cluster.
    #[command(flatten)]
    pub clusters: ClusterArgs,
}

/// What saltransform does.
#[derive(Subcommand, Debug, Clone)]
pub enum Command {
    /// Register schemas and create the topics that `run` needs; safe to repeat
    #[command(
        after_help = "Example: saltransform init --subsystem Test --interfaces schemas --wire-extras --replication 1"
    )]
    Init(Box<InitArgs>),
    /// Transform SAL text from Kafka to Avro in Kafka, until stopped
    #[command(after_help = "Example: saltransform run --subsystem Test --broker localhost:9092")]
    Run(Box<RunArgs>),
    /// Transform messages from files, without Kafka: one JSON object per message on stdout; exit code 1 if any failed
    #[command(
        after_help = "Examples:\n\n  saltransform check --interfaces schemas --wire-extras messages.txt\n  \
        saltransform check --schema-registry http://localhost:8081 messages.txt\n\n\
        A file holds one message per line, or, if messages contain line breaks, blocks between lines of ----;\n\
        lines at a block's start that begin with # are comments."
    )]
    Check(CheckArgs),
    #[allow(missing_docs)]
    #[command(
        after_help = "Example: saltransform completions bash > ~/.local/share/bash-completion/completions/saltransform"
    )]
    Completions(CompletionsArgs),
    #[allow(missing_docs)]
    #[command(
        after_help = "Examples:\n\n  saltransform man | man -l -\n  saltransform man ~/.local/share/man/man1"
    )]
    Man(ManArgs),
}

/// How SAL topics are named and timed.
#[derive(Args, Debug, Clone)]
pub struct NamingArgs {
    /// Form of schemas and topics: efd (lsst.sal.Test_scalars) or ts_xml (lsst.sal.Test.scalars)
    #[arg(long, env = "DIALECT", default_value_t, value_name = "efd|ts_xml")]
    pub dialect: Dialect,

    /// Second part of the Kafka topics' names
    #[arg(long, env = "SUBNAME", default_value = DEFAULT_SUBNAME, value_name = "NAME", value_parser = check_subname)]
    pub subname: String,
}

/// Flags of `init`.
#[derive(Args, Debug, Clone)]
#[command(mut_arg("interfaces", |arg| arg.help(
    "Folder of SAL interfaces from which schemas are made; without it, the registry's own subjects are used"
)))]
pub struct InitArgs {
    /// Subsystems to prepare, by name; without it, all that have schemas
    #[arg(long, short, env = "SUBSYSTEM", value_name = "S", num_args = 1.., value_delimiter = ',')]
    pub subsystem: Vec<String>,

    /// Where the schemas are made from.
    #[command(flatten)]
    pub interfaces: InterfacesArgs,

    /// Make schemas that also keep what only the text carries (index, priority, SAL types)
    #[arg(long, env = "WIRE_EXTRAS")]
    pub wire_extras: bool,

    /// Register schemas without wire extras although the registry's latest ones have them: the messages of a running
    /// pipeline no longer fit
    #[arg(long, env = "DROP_WIRE_EXTRAS", conflicts_with = "wire_extras")]
    pub drop_wire_extras: bool,

    /// If these schemas are older versions of their subjects: delete the newer ones softly, so that these are the
    /// latest again. Records that were written with the newer ones can still be read
    #[arg(long, env = "MAKE_LATEST")]
    pub make_latest: bool,

    /// Partitions of each new topic
    #[arg(long, short, env = "PARTITIONS", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: i32,

    /// Replicas of each new topic
    #[arg(long, short, env = "REPLICATION", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..))]
    pub replication: i32,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub naming: NamingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub registry: RegistryArgs,
}

impl InitArgs {
    /// What may be done to a subject beyond adding a version to it.
    pub(crate) fn rules(&self) -> PublishRules {
        PublishRules {
            objection: (!self.drop_wire_extras).then_some(sal::avro::lost_wire_extras),
            make_latest: self.make_latest,
        }
    }
}

/// Where a new group starts to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OffsetReset {
    /// The oldest message.
    Earliest,
    /// Only new messages.
    Latest,
}

/// Flags of `run`.
#[derive(Args, Debug, Clone)]
#[command(mut_arg("interfaces", |arg| arg.help(
    "Folder of SAL interfaces that gives the fields of schemas without wire extras their SAL types: what SAL does not \
     send (byte, octet) is omitted for certain, and unsigned integers are restored"
)))]
pub struct RunArgs {
    /// Subsystems whose messages are transformed: topics S_telemetry, S_logevent, S_command and their older names
    #[arg(
        long, short, env = "SUBSYSTEM", value_name = "S", num_args = 1.., value_delimiter = ',',
        required_unless_present = "topic"
    )]
    pub subsystem: Vec<String>,

    /// Input topics by name, instead of those of --subsystem
    #[arg(long, env = "TOPIC", value_name = "TOPIC", num_args = 1.., value_delimiter = ',')]
    pub topic: Vec<String>,

    /// Where the SAL types of fields come from.
    #[command(flatten)]
    pub interfaces: InterfacesArgs,

    /// Consumer group; by default the input topic's name, or saltransform-<subsystems>
    #[arg(long, env = "GROUP", value_name = "NAME")]
    pub group: Option<String>,

    /// Where a group starts that has read nothing yet; `latest` skips existing messages and logs how many. A group that
    /// has read before continues where it was, or at the beginning of what retention left
    #[arg(long, env = "AUTO_OFFSET_RESET", value_enum, default_value = AUTO_OFFSET_RESET)]
    pub auto_offset_reset: OffsetReset,

    /// Read every partition from its start, whatever the group has committed
    #[arg(long, env = "REWIND_TO_START")]
    pub rewind_to_start: bool,

    /// How many workers.
    #[command(flatten)]
    pub workers: WorkerArgs,

    /// Do not wait for the broker's acknowledgements (acks=0): faster, but messages can be lost
    #[arg(long, env = "DISABLE_PRODUCER_ACKS")]
    pub disable_producer_acks: bool,

    /// Do not verify the checksums of messages
    #[arg(long, env = "DISABLE_CONSUMER_CHECK_CRCS")]
    pub disable_consumer_check_crcs: bool,

    /// Exactly once: records, dead letters and offsets in Kafka transactions. Readers must read committed data (the
    /// default of librdkafka's consumers); records are visible when their transaction ends
    #[arg(
        long,
        env = "EXACTLY_ONCE",
        conflicts_with = "disable_producer_acks",
        help_heading = "Transactions"
    )]
    pub exactly_once: bool,

    /// How often a transaction ends, in seconds
    #[arg(
        long, env = "COMMIT_INTERVAL", default_value = "0.1", value_name = "S", value_parser = seconds,
        help_heading = "Transactions"
    )]
    pub commit_interval: Duration,

    /// When the brokers abort a transaction whose process is gone, in seconds; until then readers wait behind it,
    /// unless a process with the same group.instance.id takes over. Brokers that are unavailable for longer end the
    /// process
    #[arg(
        long, env = "TRANSACTION_TIMEOUT", default_value = "30", value_name = "S", value_parser = seconds,
        help_heading = "Transactions"
    )]
    pub transaction_timeout: Duration,

    /// Compression of the records
    #[arg(long, env = "COMPRESSION", default_value = "lz4", value_parser = ["none", "gzip", "snappy", "lz4", "zstd"])]
    pub compression: String,

    /// Topic for messages that cannot be carried; by default <group>.dead-letter
    #[arg(long, env = "DEAD_LETTER_TOPIC", value_name = "TOPIC")]
    pub dead_letter_topic: Option<String>,

    /// The clock of the messages' timestamps; by default utc for dialect efd, tai for ts_xml
    #[arg(long, env = "TIME_SCALE", value_name = "utc|tai")]
    pub time_scale: Option<TimeScale>,

    /// How often the registry is asked for newer schema versions, in seconds
    #[arg(long, env = "SCHEMA_REFRESH", default_value = "30", value_name = "S", value_parser = seconds)]
    pub schema_refresh: Duration,

    /// How long messages wait for a schema that the registry does not know, in seconds: it may lag. Then they become
    /// dead letters
    #[arg(
        long, env = "UNKNOWN_SCHEMA_GRACE", default_value = UNKNOWN_SCHEMA_GRACE, value_name = "S", value_parser = seconds
    )]
    pub unknown_schema_grace: Duration,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub naming: NamingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub member: MemberArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub service: ServiceArgs,
}

impl RunArgs {
    /// For embedded use: the flags' defaults except for these.
    pub fn new(kafka: KafkaArgs, registry: RegistryArgs, service: ServiceArgs) -> Self {
        Self {
            subsystem: Vec::new(),
            topic: Vec::new(),
            interfaces: InterfacesArgs::default(),
            group: None,
            auto_offset_reset: OffsetReset::Earliest,
            rewind_to_start: false,
            workers: WorkerArgs::default(),
            disable_producer_acks: false,
            disable_consumer_check_crcs: false,
            exactly_once: false,
            commit_interval: Duration::from_millis(100),
            transaction_timeout: Duration::from_secs(30),
            compression: "lz4".to_owned(),
            dead_letter_topic: None,
            time_scale: None,
            schema_refresh: Duration::from_secs(30),
            unknown_schema_grace: Duration::from_secs(30),
            naming: NamingArgs {
                dialect: Dialect::default(),
                subname: DEFAULT_SUBNAME.to_owned(),
            },
            member: MemberArgs::default(),
            kafka,
            registry,
            service,
        }
    }
}

/// Flags of `check`.
#[derive(Args, Debug, Clone)]
#[command(mut_arg("interfaces", |arg| arg.help(
    "Folder of SAL interfaces or of <topic>.json Avro schemas; without it, the registry's schemas are used"
)))]
pub struct CheckArgs {
    /// Where the schemas are.
    #[command(flatten)]
    pub interfaces: InterfacesArgs,

    /// Use the registry's schemas although a folder is given, which then gives fields their SAL types, as in `run`
    #[arg(long)]
    pub from_registry: bool,

    /// Make schemas that also keep what only the text carries
    #[arg(long)]
    pub wire_extras: bool,

    /// The clock of the messages' time stamps; by default utc for dialect efd, tai for ts_xml
    #[arg(long, value_name = "utc|tai")]
    pub time_scale: Option<TimeScale>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub naming: NamingArgs,

    /// Files of messages; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub registry: RegistryArgs,
}

/// The default clock of the text: dialect efd is SAL until May 2019, which wrote UTC.
pub fn time_scale(given: Option<TimeScale>, dialect: Dialect) -> TimeScale {
    given.unwrap_or(match dialect {
        Dialect::Efd => TimeScale::Utc,
        Dialect::TsXml => TimeScale::Tai,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn embedded_defaults_are_the_flags_defaults() {
        let cli = Cli::try_parse_from(["saltransform", "run", "--topic", "t"]).unwrap();
        let Command::Run(parsed) = cli.command else {
            panic!("run is parsed as run")
        };
        let (kafka, registry) = (
            KafkaArgs::at("localhost:9092"),
            RegistryArgs::at("http://localhost:8081"),
        );
        let mut embedded = RunArgs::new(kafka, registry, parsed.service.clone());
        embedded.topic = vec!["t".to_owned()];
        assert_eq!(format!("{parsed:?}"), format!("{embedded:?}"));
    }

    #[test]
    fn run_needs_something_to_read() {
        assert!(Cli::try_parse_from(["saltransform", "run"]).is_err());
        assert!(Cli::try_parse_from(["saltransform", "run", "--subsystem", "Test", "ATMCS"]).is_ok());
    }
}
