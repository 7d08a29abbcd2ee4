//! The flags of the InfluxDB sink of 2019, and those that kafka-connect-manager 0.8 to 1.3 gave it later.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use operator::connectors::{
    Config, ErrorHandling, ErrorPolicy, FieldName, InfluxdbSink, PointTime, TimestampUnit,
};
use operator::failure::Failure;
use stage::address::Address;
use stage::config::defaults::{INFLUXDB_DATABASE, INFLUXDB_URL};

use crate::commands::secret::secret;

#[derive(Args, Debug, Clone)]
pub(super) struct SinkArgs {
    /// Topics to write to InfluxDB, each to the measurement of the same name
    #[arg(value_name = "TOPIC")]
    pub(super) topics: Vec<String>,
    /// Name of the connector
    #[arg(
        long,
        short,
        env = "KAFKA_CONNECT_NAME",
        default_value = "influxdb-sink",
        value_name = "NAME"
    )]
    pub(super) name: String,
    /// Address at which Kafka Connect's workers reach InfluxDB
    #[arg(
        long,
        alias = "influxdb-url",
        alias = "influxdb_url",
        env = "INFLUXDB",
        default_value = INFLUXDB_URL,
        value_name = "URL",
        hide_env_values = true
    )]
    influxdb: Address,
    /// Database in InfluxDB, which must exist
    #[arg(long, short, default_value = INFLUXDB_DATABASE, value_name = "NAME")]
    database: String,
    /// Maximum number of tasks, which share the topics' partitions
    #[arg(long, short, alias = "tasks-max", default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    tasks: u16,
    /// Time of the points: a field, or sys_time() for the time of writing
    #[arg(long, default_value = "sys_time()", value_name = "FIELD")]
    timestamp: PointTime,
    /// Unit of the field in --timestamp
    #[arg(long, value_enum, ignore_case = true, value_name = "UNIT")]
    timestamp_unit: Option<Unit>,
    /// Fields that become tags, separated by commas
    #[arg(
        long,
        env = "KAFKA_CONNECT_INFLUXDB_TAGS",
        value_name = "FIELD",
        value_delimiter = ','
    )]
    tags: Vec<FieldName>,
    /// What to leave out of a topic's name in its measurement's, such as lsst.sal.
    #[arg(
        long,
        env = "KAFKA_CONNECT_INFLUXDB_REMOVE_PREFIX",
        default_value = "",
        hide_default_value = true,
        value_name = "PREFIX"
    )]
    remove_prefix: String,
    /// What to do if InfluxDB refuses a message: lose it, fail, or write it again [default: the connector's, which fails]
    #[arg(
        long,
        env = "KAFKA_CONNECT_ERROR_POLICY",
        value_enum,
        ignore_case = true,
        value_name = "POLICY"
    )]
    error_policy: Option<Policy>,
    /// How often a message is written again with --error-policy RETRY
    #[arg(
        long,
        env = "KAFKA_CONNECT_MAX_RETRIES",
        default_value_t = 10,
        value_name = "N",
        requires = "error_policy"
    )]
    max_retries: u32,
    /// Milliseconds between two attempts with --error-policy RETRY
    #[arg(
        long,
        env = "KAFKA_CONNECT_RETRY_INTERVAL",
        default_value_t = 60_000,
        value_name = "MS",
        requires = "error_policy"
    )]
    retry_interval: u32,
    /// User in InfluxDB; its password comes from --password-file or INFLUXDB_PASSWORD
    #[arg(long, short, env = "INFLUXDB_USER", default_value = "-", value_name = "NAME")]
    username: String,
    /// File that holds that user's password
    #[arg(long, env = "INFLUXDB_PASSWORD_FILE", value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
#[value(rename_all = "UPPER")]
enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
#[value(rename_all = "UPPER")]
enum Policy {
    Noop,
    Throw,
    Retry,
}

impl From<Unit> for TimestampUnit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Seconds => Self::Seconds,
            Unit::Milliseconds => Self::Milliseconds,
            Unit::Microseconds => Self::Microseconds,
            Unit::Nanoseconds => Self::Nanoseconds,
        }
    }
}

impl From<Policy> for ErrorPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Noop => Self::Noop,
            Policy::Throw => Self::Throw,
            Policy::Retry => Self::Retry,
        }
    }
}

impl SinkArgs {
    /// The connector's settings for these topics. The password file is read again each time.
    pub(super) fn config(&self, topics: &[String]) -> Result<Config, Failure> {
        let errors = self.error_policy.map(|policy| ErrorHandling {
            policy: policy.into(),
            max_retries: self.max_retries,
            retry_interval: self.retry_interval,
        });
        let sink = InfluxdbSink {
            name: self.name.clone(),
            influxdb: self.influxdb.clone(),
            database: self.database.clone(),
            tasks: self.tasks,
            timestamp: self.timestamp.clone(),
            timestamp_unit: self.timestamp_unit.map(TimestampUnit::from),
            tags: self.tags.clone(),
            remove_prefix: self.remove_prefix.clone(),
            errors,
            username: self.username.clone(),
            password: secret(self.password_file.as_deref(), "INFLUXDB_PASSWORD")?,
        };
        sink.config(topics)
    }
}
