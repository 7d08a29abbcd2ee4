//! The flags of the InfluxDB sink of 2019.

use std::path::PathBuf;

use clap::Args;
use operator::connectors::{Config, InfluxdbSink, PointTime};
use operator::failure::Failure;
use stage::config::Secret;

#[derive(Args, Debug, Clone)]
pub(super) struct SinkArgs {
    /// Topics to write to InfluxDB, each to the measurement of the same name
    #[arg(value_name = "TOPIC")]
    pub(super) topics: Vec<String>,
    /// Name of the connector
    #[arg(long, default_value = "influxdb-sink", value_name = "NAME")]
    pub(super) name: String,
    /// Address at which Kafka Connect's workers reach InfluxDB
    #[arg(
        long,
        env = "INFLUXDB",
        default_value = "http://localhost:8086",
        value_name = "URL"
    )]
    influxdb: String,
    /// Database in InfluxDB, which must exist
    #[arg(long, short, default_value = "efd", value_name = "NAME")]
    database: String,
    /// Maximum number of tasks, which share the topics' partitions
    #[arg(long, short, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    tasks: u16,
    /// Time of the points: a field, or sys_time() for the time of writing
    #[arg(long, default_value = "sys_time()", value_name = "FIELD")]
    timestamp: PointTime,
    /// User in InfluxDB; its password comes from --password-file or INFLUXDB_PASSWORD
    #[arg(long, short, env = "INFLUXDB_USER", default_value = "-", value_name = "NAME")]
    username: String,
    /// File that holds that user's password
    #[arg(long, env = "INFLUXDB_PASSWORD_FILE", value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl SinkArgs {
    /// The connector's settings for these topics. The password file is read again each time.
    pub(super) fn config(&self, topics: &[String]) -> Result<Config, Failure> {
        let sink = InfluxdbSink {
            influxdb: self.influxdb.clone(),
            database: self.database.clone(),
            tasks: self.tasks,
            timestamp: self.timestamp.clone(),
            username: self.username.clone(),
            password: self.password()?,
        };
        sink.config(topics)
    }

    fn password(&self) -> Result<Option<Secret>, Failure> {
        match &self.password_file {
            Some(path) => Secret::from_file(path)
                .map(Some)
                .map_err(|error| Failure::Usage(stage::chain(&error))),
            None => Ok(std::env::var("INFLUXDB_PASSWORD").ok().map(Secret::new)),
        }
    }
}
