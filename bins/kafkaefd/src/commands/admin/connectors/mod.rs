//! `kafkaefd admin connectors`: the life of connectors in Kafka Connect, and the InfluxDB sink of 2019.
//!
//! ```text
//! args ─▶ influxdb_sink (its configuration) ─▶ client (Connect's REST API) ─▶ states (tables)
//! ```

mod client;
mod create;
mod influxdb_sink;
mod status;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::exit::Done;
use crate::terminal::{AnswerArgs, Consent, note, plural};
use client::Connect;
use influxdb_sink::shown;
use operator::failure::Failure;

/// List, create, watch and end connectors of Kafka Connect
#[derive(Args, Debug, Clone)]
pub(in crate::commands::admin) struct ConnectorsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    /// List all connectors and how they are
    #[command(after_help = "Example: kafkaefd admin connectors list --kafka-connect http://localhost:8083")]
    List(AllArgs),
    Create(create::CreateArgs),
    /// Show how a connector and its tasks are, and why one failed
    #[command(after_help = "Example: kafkaefd admin connectors status influxdb-sink")]
    Status(OneArgs),
    /// Show a connector's configuration, without its secrets
    #[command(after_help = "Example: kafkaefd admin connectors config influxdb-sink")]
    Config(OneArgs),
    /// Restart a connector and its tasks
    #[command(after_help = "Example: kafkaefd admin connectors restart influxdb-sink")]
    Restart(OneArgs),
    /// Pause a connector: it keeps its tasks, and carries nothing
    #[command(after_help = "Example: kafkaefd admin connectors pause influxdb-sink")]
    Pause(OneArgs),
    /// Let a paused connector go on
    #[command(after_help = "Example: kafkaefd admin connectors resume influxdb-sink")]
    Resume(OneArgs),
    Delete(DeleteArgs),
}

#[derive(Args, Debug, Clone)]
struct AllArgs {
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Args, Debug, Clone)]
struct OneArgs {
    /// Name of the connector
    name: String,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// End a connector and forget its configuration
#[derive(Args, Debug, Clone)]
#[command(after_help = "Example: kafkaefd admin connectors delete influxdb-sink --yes")]
struct DeleteArgs {
    /// Name of the connector
    name: String,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Where Kafka Connect is.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Kafka Connect")]
struct ConnectArgs {
    /// Kafka Connect's REST API
    #[arg(
        long,
        env = "KAFKA_CONNECT",
        default_value = "http://localhost:8083",
        value_name = "URL"
    )]
    kafka_connect: String,
    /// User for basic authentication; the password comes from the file, or from KAFKA_CONNECT_PASSWORD
    #[arg(long, env = "KAFKA_CONNECT_USER", value_name = "NAME")]
    kafka_connect_user: Option<String>,
    /// File that holds that user's password
    #[arg(long, env = "KAFKA_CONNECT_PASSWORD_FILE", value_name = "FILE")]
    kafka_connect_password_file: Option<PathBuf>,
    /// PEM file of the authorities that may have signed its certificate, instead of the system's
    #[arg(long, env = "KAFKA_CONNECT_CA_FILE", value_name = "FILE")]
    kafka_connect_ca_file: Option<PathBuf>,
}

impl ConnectorsCommand {
    pub(in crate::commands::admin) async fn run(self) -> Result<Done, Failure> {
        match self.action {
            Action::List(args) => {
                let states = Connect::new(&args.connect)?.states().await?;
                args.answer.print(&states, || status::list(&states))?;
                if !args.answer.json {
                    note(&plural(states.len(), "connector"));
                }
            }
            Action::Create(args) => return args.run().await,
            Action::Status(args) => {
                let state = Connect::new(&args.connect)?.state(&args.name).await?;
                args.answer.print(&state, || status::one(&state))?;
                if state.has_failed() {
                    return Ok(Done::Partly);
                }
            }
            Action::Config(args) => {
                let config = shown(&Connect::new(&args.connect)?.config(&args.name).await?);
                args.answer.print(&config, || status::config(&config))?;
            }
            Action::Restart(args) => args.change("restart", "restarted").await?,
            Action::Pause(args) => args.change("pause", "paused").await?,
            Action::Resume(args) => args.change("resume", "resumed").await?,
            Action::Delete(args) => {
                let connect = Connect::new(&args.connect)?;
                let state = connect.state(&args.name).await?;
                args.consent.ask(&format!(
                    "delete the connector {} ({})",
                    state.name,
                    state.state()
                ))?;
                connect.delete(&args.name).await?;
                args.answer.print(&result(&args.name, "deleted"), || {
                    format!("deleted {}", args.name)
                })?;
            }
        }
        Ok(Done::All)
    }
}

impl OneArgs {
    async fn change(&self, verb: &'static str, done: &'static str) -> Result<(), Failure> {
        Connect::new(&self.connect)?.change(&self.name, verb).await?;
        self.answer
            .print(&result(&self.name, done), || format!("{done} {}", self.name))?;
        Ok(())
    }
}

/// What became of a connector, for programs.
fn result(name: &str, done: &str) -> Value {
    json!({ "connector": name, "result": done })
}
