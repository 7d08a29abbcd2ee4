//! `admin connectors create`: the InfluxDB sink of 2019, whose topics `--daemon` keeps up to date, or any connector
//! from a file.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use regex::Regex;
use serde::Deserialize;
use serde_json::json;
use stage::config::{KafkaArgs, seconds};
use stage::service::Shutdown;

use super::influxdb_sink::SinkArgs;
use super::{ConnectArgs, print_changed};
use crate::commands::ask;
use crate::exit::{Done, print};
use crate::terminal::{AnswerArgs, note, plural};
use operator::connectors::{Config, Connect, without_secrets};
use operator::failure::Failure;
use operator::topics::TopicFilter;

/// Create a connector, or change the settings of an existing one
#[derive(Args, Debug, Clone)]
pub(super) struct CreateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug, Clone)]
enum What {
    InfluxdbSink(InfluxdbSinkArgs),
    FromFile(FromFileArgs),
}

/// The InfluxDB sink of 2019, by Landoop; influxsink does the same without Kafka Connect
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n\n  kafkaefd admin connectors create influxdb-sink lsst.sal.Test_scalars --dry-run\n  \
                  kafkaefd admin connectors create influxdb-sink --filter '^lsst\\.sal\\.' --tasks 4 --daemon"
)]
struct InfluxdbSinkArgs {
    #[command(flatten)]
    sink: SinkArgs,
    /// Also include all topics whose names match this regular expression
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
    /// Print the request without sending it
    #[arg(long)]
    dry_run: bool,
    /// Run until Ctrl-C: add new topics that --filter matches to the connector
    #[arg(long, requires = "filter", conflicts_with = "dry_run")]
    daemon: bool,
    /// Seconds between two checks of --daemon for new topics
    #[arg(long, default_value = "15", value_name = "S", value_parser = seconds)]
    check_interval: Duration,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// Any connector, from a file in the form of Kafka Connect's API: {"name": …, "config": {…}}
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd admin connectors create from-file file-source.json")]
struct FromFileArgs {
    /// JSON file that describes the connector
    file: PathBuf,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Deserialize)]
struct ConnectorFile {
    name: String,
    config: Config,
}

impl CreateArgs {
    pub(super) async fn run(&self) -> Result<Done, Failure> {
        match &self.what {
            What::InfluxdbSink(args) => args.run().await,
            What::FromFile(args) => args.run().await,
        }
    }
}

impl InfluxdbSinkArgs {
    async fn run(&self) -> Result<Done, Failure> {
        let topics = self.topics().await?;
        if topics.is_empty() {
            return Err(Failure::Usage(
                "no topics: name topics, or use a --filter that matches some".to_owned(),
            ));
        }
        let config = self.sink.config(&topics)?;
        if self.dry_run {
            let request = json!({ "config": without_secrets(&config), "name": self.sink.name });
            let text = serde_json::to_string_pretty(&request).unwrap_or_default();
            crate::terminal::out(&stage::sanitize::json(&text))?;
            return Ok(Done::All);
        }
        let connect = self.connect.client()?;
        put(&connect, &self.sink.name, &config, &self.answer).await?;
        if self.daemon {
            self.follow(&connect, topics).await?;
        }
        Ok(Done::All)
    }

    async fn topics(&self) -> Result<Vec<String>, Failure> {
        let mut topics = self.sink.topics.clone();
        if let Some(name) = &self.filter {
            let filter = TopicFilter {
                internal: false,
                name: Some(name.clone()),
            };
            let found = ask(&self.kafka, move |cluster| {
                let names = filter.of(cluster).map(|topic| topic.name.clone());
                Ok(names.collect::<Vec<_>>())
            });
            topics.extend(found.await?);
        }
        topics.sort();
        topics.dedup();
        Ok(topics)
    }

    /// Runs until Ctrl-C. A failed check is reported, and the next one may succeed.
    async fn follow(&self, connect: &Connect, mut known: Vec<String>) -> Result<(), Failure> {
        let shutdown = Shutdown::of_command(Duration::ZERO);
        note(&format!(
            "checking for new topics every {} s; Ctrl-C stops",
            self.check_interval.as_secs_f64()
        ));
        loop {
            tokio::select! {
                () = shutdown.wait() => return Ok(()),
                () = tokio::time::sleep(self.check_interval) => {}
            }
            let updated = match self.topics().await {
                Ok(topics) if topics == known => continue,
                Ok(topics) => self.update(connect, topics).await,
                Err(failure) => Err(failure),
            };
            match updated {
                Ok(topics) => known = topics,
                Err(failure) => print(&failure),
            }
        }
    }

    async fn update(&self, connect: &Connect, topics: Vec<String>) -> Result<Vec<String>, Failure> {
        let config = self.sink.config(&topics)?;
        connect.put(&self.sink.name, &config).await?;
        note(&format!(
            "{} now has {}",
            self.sink.name,
            plural(topics.len(), "topic")
        ));
        Ok(topics)
    }
}

impl FromFileArgs {
    async fn run(&self) -> Result<Done, Failure> {
        let path = self.file.display();
        let text = std::fs::read_to_string(&self.file).map_err(Failure::file(format!("reading {path}")))?;
        let connector: ConnectorFile = serde_json::from_str(&text).map_err(|error| {
            Failure::Usage(format!(
                "{path} must have the form {{\"name\": …, \"config\": {{\"key\": \"value\", …}}}}: {error}"
            ))
        })?;
        let connect = self.connect.client()?;
        put(&connect, &connector.name, &connector.config, &self.answer).await?;
        Ok(Done::All)
    }
}

async fn put(connect: &Connect, name: &str, config: &Config, answer: &AnswerArgs) -> Result<(), Failure> {
    let changed = connect.put(name, config).await?;
    print_changed(&changed, *answer)
}
